"""The `process` adapter, from the wake to the outcome, with a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import transaction

from agents import workspaces
from agents.adapters.base import Context
from agents.adapters.process import Process
from agents.models import Agent, Run
from issues import sweep
from issues.heartbeat import Lease, environment
from paperclip import processes
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid
from tests import make
from tests.workers import ended, eventually, hired, running, woken, worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", autouse=True)
def _worker(django_db_setup: None) -> Iterator[None]:
    told = {"PAPERCLIP_SECRET_KEY": "canary-of-the-server"}
    with worker(**told, PAPERCLIP_MOST_PROCESSES="20"):
        yield


@pytest.fixture
def company() -> Iterator[Any]:
    yield make.company()
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    eventually(lambda: not processes.live_runs())


def test_it_runs_a_program_and_keeps_what_it_printed(company: Any) -> None:
    agent = hired(company, "echo out; echo err >&2; pwd; exit 0")
    run = ended(woken(agent))
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert run.stdout_excerpt.startswith("out\n") and run.stderr_excerpt == "err\n"
    assert f"/workspaces/{agent.pk}" in run.stdout_excerpt
    assert run.process_pid and run.log_file.stat().st_mode & 0o777 == 0o600


def test_a_program_that_fails_says_so(company: Any) -> None:
    run = ended(woken(hired(company, "exit 7")))
    assert (run.status, run.exit_code, run.error_code) == (
        "failed",
        7,
        "adapter_failed",
    )
    assert run.agent.state == "error"


def test_a_missing_program_is_named(company: Any) -> None:
    agent = make.agent(company, adapter_config={"command": "no-such-program"})
    run = ended(woken(agent))
    assert run.error_code == "configuration_incomplete"
    assert "no-such-program" in run.error


@pytest.mark.parametrize("text", ["echo no first line", "#!/no/such/shell\n"])
def test_a_program_that_no_system_starts_is_named(
    company: Any, tmp_path: Path, text: str
) -> None:
    program = tmp_path / "program"
    program.write_text(text)
    program.chmod(0o755)
    config = {"command": str(program), "sandbox": False}
    run = ended(woken(make.agent(company, adapter_config=config)))
    assert run.error_code == "configuration_incomplete"
    assert f"{program} cannot be started" in run.error and "first line" in run.error


def test_what_it_writes_is_closed_to_others(company: Any) -> None:
    run = ended(woken(hired(company, "umask")))
    assert run.stdout_excerpt == "0077\n"


def test_the_environment_holds_no_secret_of_ours(company: Any) -> None:
    run = ended(woken(hired(company, "env")))
    assert f"PAPERCLIP_RUN_ID={run.pk}" in run.stdout_excerpt
    for ours in ("DATABASE_URL", "REDIS_URL", "canary", "PAPERCLIP_SECRET_KEY"):
        assert ours not in run.stdout_excerpt


def test_a_run_that_takes_too_long_is_timed_out(company: Any) -> None:
    agent = hired(company, "sleep 60", timeoutSec=1, graceSec=1)
    run = ended(woken(agent))
    assert (run.status, run.error_code) == ("timed_out", "timeout")
    assert not processes.tree(str(run.pk))


def test_a_run_that_ignores_its_end_is_timed_out_and_not_lost(
    company: Any, settings: LazySettings
) -> None:
    settings.LEASE_SECONDS = 1.5
    script = "trap 'echo not yet' TERM; while :; do sleep 0.1; done"
    agent = hired(company, script, timeoutSec=1, graceSec=4)
    with transaction.atomic():  # so that the worker does not start it
        run, token = make.live_run(agent)
    context = Context(run, environment(run, token), Lease(run).hold)
    outcome = Process().execute(context)
    assert run.finish(outcome.status, **outcome.columns)
    assert (run.status, run.signal) == ("timed_out", "SIGKILL")
    assert run.stdout_excerpt == "not yet\n"
    assert not processes.tree(str(run.pk))


def test_a_cancel_ends_the_grace_of_a_timeout(company: Any) -> None:
    script = "trap 'echo not yet' TERM; while :; do sleep 0.1; done"
    run = running(woken(hired(company, script, timeoutSec=1, graceSec=30)))
    eventually(lambda: "not yet" in run.log_file.read_text())
    run.cancel(by=SYSTEM, why="a test")
    eventually(lambda: not processes.tree(str(run.pk)), timeout=10)
    assert ended(run).status == "cancelled"


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "SIG40")])
def test_a_signal_has_a_name(company: Any, number: int, name: str) -> None:
    run = ended(woken(hired(company, f"kill -{number} $$")))
    assert (run.error_code, run.signal) == ("adapter_failed", name)


def test_what_it_prints_holds_no_secret_of_its_own(company: Any) -> None:
    script = "env; sleep 0.1; env | cut -c1-20 >&2; echo $PAPERCLIP_API_KEY"
    agent = hired(company, script, env={"MAIL_PASSWORD": "correct horse", "N": "1"})
    run = ended(woken(agent))
    for text in (run.stdout_excerpt, run.log_file.read_text()):
        assert "PAPERCLIP_API_KEY=***" in text and "MAIL_PASSWORD=***" in text
        assert "pcr_" not in text and "horse" not in text and "N=1" in text


def test_a_program_that_could_not_start_is_no_fault_of_its_own(company: Any) -> None:
    with transaction.atomic():
        run = woken(hired(company, "true"))
        run.log_file.mkdir(parents=True)  # so that nothing it says could be kept
    run = ended(run)
    assert run.error_code == "internal_error" and run.log_file.name in run.error


# The child ignores SIGTERM, leaves its session and loses its parent (T-03b).
STUBBORN = """
python3 -c 'import os,signal,time
if os.fork(): os._exit(0)
os.setsid(); signal.signal(15, signal.SIG_IGN)
if os.fork(): os._exit(0)
time.sleep(120)'
sleep {seconds}
"""


@pytest.mark.parametrize("how", ["cancel", "timeout", "finish"])
def test_the_whole_tree_is_gone(company: Any, how: str) -> None:
    script = STUBBORN.format(seconds=0.2 if how == "finish" else 120)
    agent = hired(company, script, graceSec=1, timeoutSec=2 if how == "timeout" else 99)
    run = running(woken(agent))
    eventually(lambda: how == "finish" or len(processes.tree(str(run.pk))) > 1)
    if how == "cancel":
        run.cancel(by=SYSTEM, why="a test")
    run = ended(run)
    eventually(lambda: not processes.tree(str(run.pk)), timeout=10)
    expected = {"cancel": "cancelled", "timeout": "timed_out", "finish": "succeeded"}
    assert run.status == expected[how]


def test_a_run_that_starts_ever_more_processes_is_ended(company: Any) -> None:
    """T-03c."""
    agent = hired(company, "for n in $(seq 40); do sleep 600 & done; wait")
    run = ended(woken(agent), 30)
    assert (run.status, run.error) == (
        "failed",
        "It had more than 20 processes at once.",
    )
    said = run.events.get(event_type="processes").message
    assert said.startswith("It has 4") and "a run may have 20" in said
    eventually(lambda: not processes.tree(str(run.pk)))
    assert agent.attempts.parked().get().cause == "too_many_processes"


def test_a_lost_doorbell_is_rung_again(company: Any) -> None:
    agent = hired(company, "echo hello")
    run = woken(agent)
    Run.objects.filter(pk=run.pk).update(rung_at=None)
    sweep.ring_again()
    assert ended(run).status == "succeeded"


def test_a_poisoned_row_does_not_stop_the_sweep(company: Any) -> None:
    broken, fine = hired(company, "true"), hired(company, "true")
    due = {"heartbeat_enabled": True, "next_heartbeat_at": company.created_at}
    due["skip_unchanged"] = False
    Agent.objects.filter(pk__in=[broken.pk, fine.pk]).update(interval_seconds=60, **due)
    # An interval of 0 with a timer that rings makes alarm_after() return None.
    Agent.objects.filter(pk=broken.pk).update(interval_seconds=0)
    sweep.sweep()
    assert fine.runs.count() == 1


def test_it_runs_behind_walls(company: Any) -> None:
    """Its workspace is its own; the home, with the others' work, is not there."""
    other = hired(company, "true")
    (workspaces.of(other) / "private").write_text("canary")
    agent = hired(company, f"cat ../{other.pk}/private; echo x > /usr/x; echo $$; pwd")
    run = ended(woken(agent))
    number, place = run.stdout_excerpt.split()
    assert int(number) < 10 and place == str(workspaces.of(agent))
    assert "canary" not in run.stderr_excerpt
    assert "No such file" in run.stderr_excerpt
    assert "Read-only" in run.stderr_excerpt


def test_without_a_network_the_api_still_answers(
    company: Any, live_server: Any, settings: LazySettings
) -> None:
    settings.API_URL = live_server.url
    ask = 'curl -sS "$PAPERCLIP_API_URL/api/health"; curl -sS http://127.0.0.1:9'
    agent = hired(company, ask, network="none")
    with transaction.atomic():  # so that the worker does not start it
        run, token = make.live_run(agent)
    context = Context(run, environment(run, token), Lease(run).hold)
    outcome = Process().execute(context)
    assert '"status"' in outcome.columns["stdout_excerpt"]
    assert "Couldn't connect" in outcome.columns["stderr_excerpt"]


def test_what_the_operator_opens_is_written(company: Any, tmp_path: Path) -> None:
    agent = hired(company, f"echo new > {tmp_path}/page", writable=[str(tmp_path)])
    assert ended(woken(agent)).status == "succeeded"
    assert (tmp_path / "page").read_text() == "new\n"


def test_a_place_that_is_not_here_is_named(company: Any) -> None:
    run = ended(woken(hired(company, "true", writable=["/no/such/place"])))
    assert run.error_code == "configuration_incomplete"
    assert "/no/such/place" in run.error


def test_without_walls_the_run_says_so(company: Any) -> None:
    run = ended(woken(hired(company, "cat /proc/1/comm", sandbox=False)))
    assert run.stdout_excerpt == Path("/proc/1/comm").read_text()
    assert run.events.filter(event_type="sandbox", level="warn").count() == 1


def test_without_walls_it_is_not_let_onto_a_network_it_must_not_see(
    company: Any,
) -> None:
    agent = hired(company, "true", sandbox=False, network="none")
    run = ended(woken(agent))
    assert run.error_code == "configuration_incomplete"
    assert "network" in run.error


@pytest.mark.parametrize(
    "config",
    [
        {"network": "some"},
        {"writable": ["site"]},
        {"writable": ["/"]},
        {"sandbox": "perhaps"},
    ],
)
def test_walls_that_make_no_sense_are_refused(
    company: Any, config: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        hired(company, "true", **config)
