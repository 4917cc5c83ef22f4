"""The log of acts: how many acts a second one company writes while the sweep seals
them, how long they wait for their seals, how long a million entries take to verify,
and whether each of a thousand changes among them is found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg

from benchmarks.report import figure, heading, least, p50_p95
from benchmarks.rows import database
from paperclip.home import BASE_DIR
from tests.instance import Instance, wait_for
from tests.paperclip.tampering import MUTATIONS, arm, tamper

SETTINGS: dict[str, str] = {}
PROCESSES, CONNECTIONS, SECONDS = 2, 4, 8
ENTRIES, CHANGES = 1_000_000, 1000
# The verb, and how many a second it should at least do. Chained where they are
# written, they would be some 300, whatever the verb.
ACTS_WANTED = {"record": 500.0, "comment": 300.0}
LAG_LIMIT, VERIFY_LIMIT = 2000.0, 15.0
# Real verbs, each connection on an issue of its own; `comment` is a whole one.
WRITE = """
import json, sys, threading, time
import django; django.setup()
from django.db import connection, transaction
from issues.models import Issue
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.models import Company

company, verb, connections, seconds = sys.argv[1:]
company = Company.objects.get(pk=company)
took, until = [], time.monotonic() + 2 + float(seconds)

def act(issue):
    if verb == "comment":
        return issue.comment("Said.", by=SYSTEM)
    with transaction.atomic():
        audit.record(SYSTEM, "issue.updated", issue, identifier=issue.identifier)

def work():
    issue = Issue.objects.file(company, by=SYSTEM, title="Bench", status="todo")
    while time.monotonic() < until - float(seconds):
        act(issue)
    while (began := time.monotonic()) < until:
        act(issue)
        took.append(time.monotonic() - began)
    connection.close()

threads = [threading.Thread(target=work) for _ in range(int(connections))]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(took))
"""
SEAL = """
import django; django.setup()
from paperclip import checkpoints, sealing
from paperclip.models import Unsealed
while Unsealed.objects.exists():
    sealing.seal(most=50_000)
checkpoints.sign_all()
"""
# As acts are: ids of their own, some details, a millisecond apart.
FILL = """
WITH act AS (
    INSERT INTO paperclip_activity (id, company_id, actor_type, actor_id, actor_name,
        action, entity_type, entity_id, agent_id, run_id, details, created_at)
    SELECT gen_random_uuid(), %(company)s, 'agent', gen_random_uuid()::text,
        'Agent ' || n %% 100, 'issue.updated', 'issue', gen_random_uuid()::text,
        gen_random_uuid(), gen_random_uuid(), jsonb_build_object('identifier',
        'BEN-' || n, 'changed', '["status"]'::jsonb, 'status', 'done', 'was', 'todo'),
        now() + n * interval '1 millisecond'
    FROM generate_series(1, %(entries)s) n
    RETURNING seq, company_id
)
INSERT INTO paperclip_unsealed (seq, company_id) SELECT seq, company_id FROM act
"""
LAG = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
FROM paperclip_unsealed JOIN paperclip_activity USING (seq)
"""


def measure(instance: Instance) -> None:
    company = instance.company()
    with database(instance) as rows:
        for verb in ACTS_WANTED:
            wait_for(lambda: waiting(rows) == 0, 60)
            heading(f"{PROCESSES * CONNECTIONS} connections, one company: {verb}")
            act(instance, rows, company, verb)
        made = instance.api("POST", "/companies", {"name": "A million"})
        heading(f"{ENTRIES:,} entries")
        fill(instance, rows, made.body["id"])
        verify(instance, rows, made.body["id"])


def act(instance: Instance, rows: Any, company: str, verb: str) -> None:
    """Acts a second, and how long the oldest that waits for its seal has waited."""
    words = [company, verb, str(CONNECTIONS), str(SECONDS)]
    writers = [program(instance, WRITE, *words) for _ in range(PROCESSES)]
    lags, over = [], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            lags.append(float(rows.execute(LAG).fetchone()[0]) * 1000)

    watcher = threading.Thread(target=look)
    watcher.start()
    took = [one for writer in writers for one in json.loads(writer.communicate()[0])]
    over.set()
    watcher.join()
    least("acts", len(took) / SECONDS, "/s", ACTS_WANTED[verb])
    figure("one act, p50", p50_p95(took)[0] * 1000, "ms")
    figure("one act, p95", p50_p95(took)[1] * 1000, "ms")
    figure("wait for the seal, p95", p50_p95(lags)[1], "ms", LAG_LIMIT)
    figure("wait for the seal, longest", max(lags), "ms", LAG_LIMIT)


def fill(instance: Instance, rows: psycopg.Connection, company: str) -> None:
    rows.execute(FILL, {"company": company, "entries": ENTRIES})
    rows.execute("ANALYZE")
    began = time.monotonic()
    if program(instance, SEAL).wait():
        raise SystemExit("The seals were not made.")
    figure("sealed", ENTRIES / (time.monotonic() - began), "/s")


def verify(instance: Instance, rows: psycopg.Connection, company: str) -> None:
    took, report = look_over(instance)
    if report["findings"] or report["entries"] <= ENTRIES:
        raise SystemExit(f"A sound chain is said to be broken: {report}")
    figure("verified", took, "s", VERIFY_LIMIT)
    wanted = change(rows, company)
    took, report = look_over(instance)
    figure(f"verified, with {CHANGES:,} changes", took, "s", VERIFY_LIMIT)
    told = {(one["what"], one["number"]) for one in report["findings"]}
    told |= {(one["what"], one["seq"]) for one in report["findings"]}
    least(f"of {CHANGES:,} changes found", len(wanted & told), "", CHANGES)


def look_over(instance: Instance) -> tuple[float, Any]:
    """How long the command takes for that company, and what it says."""
    words = ["verify_audit", "--json", "--company", "A million"]
    began = time.monotonic()
    try:
        said = instance.manage(*words)
    except subprocess.CalledProcessError as error:
        said = error.stdout.decode()
    return time.monotonic() - began, json.loads(said)["A million"]


def change(rows: psycopg.Connection, company: str) -> set[tuple[str, int]]:
    """So many changes of every kind, all over the chain; what is to be found: as what,
    and the number of the entry, or the `seq` of what was put in."""
    dice, names, wanted = random.Random(11), [*MUTATIONS], set()
    room = ENTRIES // CHANGES
    with rows.transaction():
        arm(rows.execute, company)
        for place in range(CHANGES):
            low, high = sorted(dice.sample(range(1, room - 1), 2))
            one, name = place * room + low, names[place % len(names)]
            put_in = {"insert an act": 2_000_000_000, "insert a seal": 4_000_000_000}
            seq = rows.execute(
                "SELECT seq FROM paperclip_seal WHERE company_id = %s AND number = %s",
                [company, one],
            ).fetchone()
            assert seq is not None
            what = tamper(rows.execute, name, one, place * room + high)
            where = seq[0] + put_in[name] if name in put_in else one
            wanted.add((what, where))
    return wanted


def waiting(rows: psycopg.Connection) -> int:
    found = rows.execute("SELECT count(*) FROM paperclip_unsealed").fetchone()
    return found[0] if found else 0


def program(instance: Instance, text: str, *words: str) -> subprocess.Popen[bytes]:
    """One of ours, on the database of the instance."""
    env = instance.env | {"DJANGO_SETTINGS_MODULE": "paperclip.settings"}
    return subprocess.Popen(
        [sys.executable, "-c", text, *words],
        cwd=BASE_DIR,
        env=env,
        stdout=subprocess.PIPE,
    )
