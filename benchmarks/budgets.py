"""Reserve and settle, as the gateway does around each model call: a second on one
company and one agent of it (hot), and over many (spread). Each call is two statements,
one counts on two limits; nobody passes one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.report import figure, heading, least, p50_p95
from benchmarks.rows import address
from paperclip.home import BASE_DIR
from tests.instance import Instance

SETTINGS: dict[str, str] = {}
PROCESSES, SECONDS, MANY = 4, 8, 200
# Of a hot row 1,590 a second with 32 contenders were measured for one statement alone.
HOT, SPREAD = 300.0, 500.0
BEGIN = "import django; django.setup()\n"
MAKE = """
import sys
from agents.models import Agent, BudgetPolicy
from paperclip.actors import SYSTEM
from paperclip.models import Company, User
owner = User.objects.first()
for number in range(int(sys.argv[1])):
    company = Company.objects.found(
        owner=owner, by=SYSTEM, name=f"Bench {number}", budget_monthly_cents=2**30)
    agent = Agent.objects.hire(
        company, by=SYSTEM, name="Spender", adapter_config={"command": "true"},
        budget_monthly_cents=2**30)
    print(company.pk, agent.pk)
"""
WORK = """
import json, random, sys, time
from datetime import timedelta
from uuid import UUID, uuid4
from django.utils.timezone import now
from agents.models import BudgetCounter
from agents.models.grant import Scopes
scopes = [Scopes(*map(UUID, line.split())) for line in json.load(sys.stdin)]
took, until = [], time.perf_counter() + float(sys.argv[1])
while (began := time.perf_counter()) < until:
    call, mine = uuid4(), random.choice(scopes)
    grant = BudgetCounter.objects.reserve(
        call, mine, {"billed_cents": (100, 5000)}, lasts=timedelta(minutes=10))
    assert grant.amounts
    reserved = time.perf_counter()
    event = {"id": call, "provider": "x", "biller": "x", "model": "m",
             "input_tokens": 900, "output_tokens": 100, "cost_micros": 3000}
    BudgetCounter.objects.enter(
        mine, {"billed_cents": 3000, "tokens": 1000}, at=now(), event=event,
        reservation=call)
    took.append([(reserved - began) * 1000, (time.perf_counter() - began) * 1000])
print(json.dumps(took))
"""
CHECK = """
from django.db.models import F
from agents.models import BudgetCounter, BudgetReservation, CostEvent
limited = BudgetCounter.objects.filter(ceiling__isnull=False)
assert not limited.exclude(overrun=0).exists() and not limited.exclude(reserved=0)
assert not BudgetReservation.objects.exists()
of_agents = sum(BudgetCounter.objects.filter(scope_type="agent").values_list(
    "spent", flat=True))
assert of_agents == 3000 * CostEvent.objects.count(), of_agents
"""


def start(instance: Instance, program: str, *words: str) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "DATABASE_URL": address(instance),
        "PAPERCLIP_HOME": str(instance.home),
        "DJANGO_SETTINGS_MODULE": "paperclip.settings",
    }
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + program, *words],
        cwd=BASE_DIR,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ran(process: subprocess.Popen[str], told: str = "") -> str:
    printed, _none = process.communicate(told, timeout=300)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}")
    return printed


def rate(instance: Instance, scopes: list[str]) -> tuple[float, Any, Any]:
    """Calls a second, and the times of reserving and of both in ms."""
    many = [start(instance, WORK, str(SECONDS)) for _ in range(PROCESSES)]
    for one in many:
        assert one.stdin is not None
        one.stdin.write(json.dumps(scopes))
        one.stdin.close()
        one.stdin = None
    took = [row for one in many for row in json.loads(ran(one))]
    reserving, both = zip(*took, strict=True)
    return len(took) / SECONDS, reserving, both


def measure(instance: Instance) -> None:
    made = ran(start(instance, MAKE, str(MANY))).splitlines()
    heading(f"reserve and settle, {PROCESSES} processes for {SECONDS} s each")
    for name, scopes, wanted in (("hot", made[:1], HOT), ("spread", made, SPREAD)):
        calls, reserving, both = rate(instance, scopes)
        least(f"{name}: reserve and settle", calls, "/s", wanted)
        figure(f"{name}: reserve, p50", p50_p95(reserving)[0], "ms")
        figure(f"{name}: reserve, p95", p50_p95(reserving)[1], "ms", 10)
        figure(f"{name}: both, p95", p50_p95(both)[1], "ms")
    ran(start(instance, CHECK))
    print("overshoot: 0, and every call was counted once")
