"""T-26a: within ten seconds of the stop nothing of any agent lives, however deaf it is,
and only what comes after the resume starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from paperclip import processes
from tests.instance import Instance, running, wait_for
from tests.long import long

LIMIT = 10.0
numbers = count(1)
# It and its children ignore a polite request; one left its session and its parent.
DEAF = """trap '' TERM
python3 -c 'import os, signal, time
signal.signal(15, signal.SIG_IGN)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(600)'
while :; do sleep 1; done
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("stop") / "home") as one:
        yield one


def post(instance: Instance, path: str, body: Any = None) -> Any:
    answer = instance.patiently("POST", path, body)
    assert answer.status < 300, answer
    return answer.body


def hire(instance: Instance, company: str, name: str, script: str, **more: Any) -> str:
    config = {"command": "sh", "args": ["-c", script], **more}
    return instance.hire(
        name, company=company, adapterType="process", adapterConfig=config
    )


def file(instance: Instance, company: str, agent: str) -> str:
    # Two open issues of one title would be taken for one.
    title = f"Work {next(numbers)}"
    body = {"title": title, "status": "todo", "assigneeAgentId": agent}
    return str(post(instance, f"/companies/{company}/issues", body)["id"])


def open_runs(instance: Instance, company: str) -> list[str]:
    path = f"/companies/{company}/live-runs"
    return sorted(run["status"] for run in instance.patiently("GET", path).body)


def alive(instance: Instance) -> list[psutil.Process]:
    return [one for one in instance.agent_processes() if processes.is_alive(one)]


def busy(instance: Instance, name: str) -> dict[str, list[str]]:
    """Two companies with a deaf agent in a sandbox and one without, and for each of
    them an issue more that waits; their agents."""
    staff = {}
    for number in range(2):
        company = str(post(instance, "/companies", {"name": f"{name} {number}"})["id"])
        walled = hire(instance, company, "Walled", DEAF)
        free = hire(instance, company, "Free", DEAF, sandbox=False)
        staff[company] = [walled, free]
        for agent in (walled, free, walled, free):
            file(instance, company, agent)
    states = ["queued", "queued", "running", "running"]
    for company in staff:
        wait_for(
            lambda c=company: open_runs(instance, c) == states,
            60,
            lambda c=company: str(open_runs(instance, c)),
        )
    # Each of the four shells has a deaf child beside its `sleep`.
    wait_for(lambda: len(alive(instance)) >= 12, 20, lambda: str(alive(instance)))
    return staff


# --- Ways to stop ----------------------------------------------------------------


class Console:
    """A signed-in browser, as far as forms go."""

    def __init__(self, instance: Instance) -> None:
        link = instance.manage("sign_in").strip()
        self.client = httpx.Client(
            base_url=f"http://localhost:{instance.port}", follow_redirects=True
        )
        self.press(httpx.URL(link).path, httpx.URL(link).path)

    def press(self, page: str, action: str) -> str:
        """Post the form on the page that has this action; what came."""
        shown = self.client.get(page).text
        assert action == page or f'action="{action}"' in shown, shown
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', shown)
        assert token is not None
        data = {"csrfmiddlewaretoken": token[1], "next": page}
        headers = {"Referer": str(self.client.base_url)}
        answer = self.client.post(action, data=data, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text


def by_console(instance: Instance) -> None:
    said = Console(instance).press("/issues/", "/stop")
    assert "Everything is stopped, in all companies." in said


def by_api(instance: Instance) -> None:
    assert post(instance, "/instance/stop")["stoppedAt"]


def by_command(instance: Instance) -> None:
    """With web dead: it answers nobody meanwhile."""
    web = instance.pid("web")
    os.kill(web, signal.SIGSTOP)
    try:
        said = instance.manage("stop_everything")
    finally:
        os.kill(web, signal.SIGKILL)
    assert "Nothing starts any more." in said


@pytest.mark.parametrize("how", [by_console, long(by_command), long(by_api)])
def test_nothing_lives_ten_seconds_later(
    instance: Instance, how: Callable[[Instance], None]
) -> None:
    staff = busy(instance, how.__name__)
    began = time.monotonic()
    how(instance)
    left = LIMIT - (time.monotonic() - began)
    wait_for(lambda: not alive(instance), left, lambda: str(alive(instance)))
    print(f"{how.__name__}: all gone after {time.monotonic() - began:.1f} s")

    for company, (walled, _free) in staff.items():
        runs = instance.patiently("GET", f"/companies/{company}/heartbeat-runs").body
        assert [run["status"] for run in runs] == ["cancelled"] * 4
        woken = instance.patiently("POST", f"/agents/{walled}/heartbeat/invoke")
        assert woken.status == 409 and "Everything is stopped" in woken.body["error"]
    later = str(post(instance, "/companies", {"name": "Later"})["id"])
    newcomer = hire(instance, later, "Newcomer", "sleep 600")
    file(instance, later, newcomer)
    time.sleep(1.5)
    assert not any(open_runs(instance, one) for one in (*staff, later))
    assert not alive(instance)

    post(instance, "/instance/resume")
    # An issue that was filed meanwhile is still to be done; nothing else is.
    wait_for(lambda: open_runs(instance, later) == ["running"], 20)
    assert not any(open_runs(instance, one) for one in staff)
    company, (walled, _free) = next(iter(staff.items()))
    file(instance, company, walled)
    wait_for(lambda: open_runs(instance, company) == ["running"], 20)
    post(instance, "/instance/stop")
    wait_for(lambda: not alive(instance), LIMIT)
    post(instance, "/instance/resume")


# --- When everything is dead -----------------------------------------------------


def kill_everything(instance: Instance) -> None:
    """kill -9 of the supervisors, then of all they would have brought back."""
    pids = [instance.up_pid]
    for file_name in ("supervisord", "postgres", "valkey", "web", "worker", "clock"):
        with suppress(FileNotFoundError, ValueError):
            pids.append(instance.pid(file_name))
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert instance.process is not None
    instance.process.wait(10)


def command(instance: Instance, *args: str) -> subprocess.CompletedProcess[str]:
    manage = Path(__file__).resolve().parent.parent.parent / "manage.py"
    return subprocess.run(
        ["python3", str(manage), "stop_everything", *args],
        env=instance.env,
        capture_output=True,
        text=True,
        timeout=60,
    )


# The instance is dead afterwards, so that comes last.
@pytest.mark.parametrize("how", ["frozen", long("dead")])
def test_the_command_ends_what_it_finds_without_a_database(
    instance: Instance, how: str
) -> None:
    wait_for(instance.is_healthy, 30, instance.output)
    company = str(post(instance, "/companies", {"name": f"Found {how}"})["id"])
    agent = hire(instance, company, "Deaf", DEAF, sandbox=False)
    file(instance, company, agent)
    wait_for(lambda: open_runs(instance, company) == ["running"], 60)
    wait_for(lambda: len(alive(instance)) >= 3, 30)
    frozen = instance.pid("postgres")
    if how == "dead":
        kill_everything(instance)
    else:
        instance.kill("worker")
        os.kill(frozen, signal.SIGSTOP)
    try:
        assert alive(instance)
        began = time.monotonic()
        said = command(instance)
        took, left = time.monotonic() - began, alive(instance)
    finally:
        if how == "frozen":
            os.kill(frozen, signal.SIGCONT)
    assert said.returncode == 1
    assert re.search(r"ended on this machine: [1-9]", said.stdout), said
    assert "could not be written down" in said.stderr
    assert "Run this again" in said.stderr and "Traceback" not in said.stderr
    assert took < LIMIT and not left
