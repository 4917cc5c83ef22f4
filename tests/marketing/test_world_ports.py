"""A port of a rehearsal's world that another program has: a person is told, and the
world takes it as soon as it is free."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from django.test import Client

from marketing.models import Site
from marketing.rehearsal import ports
from marketing.rehearsal.plan import Plan
from paperclip.doctor import company as doctor
from paperclip.doctor.findings import FAIL, OK
from paperclip.management.commands import up
from tests import make
from tests.instance import wait_for
from tests.marketing import scene

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a company that rehearses has its world, with a plan of its own."""
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))
    found = ports.place_of(scene.site().company.pk)
    found.mkdir(parents=True)
    Plan.made("a key").write(found)
    return found


@contextmanager
def held(place: Path, part: str) -> Iterator[int]:
    """Another program has the port of this part: this one."""
    port = Plan.read(place).ports[part]
    with socket.create_server(("127.0.0.1", port)):
        yield port


@contextmanager
def world(place: Path) -> Iterator[Path]:
    """The program, and what it says."""
    log = place / "world.log"
    with log.open("w") as said:
        program = subprocess.Popen(
            [sys.executable, "-m", "marketing.rehearsal.world"],
            env={**os.environ, "PAPERCLIP_HOME": str(place.parent.parent)},
            stderr=said,
        )
    try:
        wait_for(lambda: "The world" in log.read_text(), 20, log.read_text)
        yield log
    finally:
        # Its mail server goes with it.
        for one in psutil.Process(program.pid).children(recursive=True):
            one.kill()
        program.kill()
        program.wait(10)


def answers(place: Path, part: str) -> bool:
    try:
        said = httpx.get(Plan.read(place).url(part), timeout=5)
    except httpx.HTTPError:
        return False
    return said.headers.get("X-Rehearsal") == "yes"


def test_the_world_serves_the_rest_and_takes_a_port_when_it_is_free(place) -> None:
    with ExitStack() as stack:
        with held(place, "site") as site, held(place, "imap") as imap:
            log = stack.enter_context(world(place))
            assert ports.noted(place) == {"site": site, "imap": imap}
            assert answers(place, "press") and answers(place, "altair")
            assert not answers(place, "site")
        wait_for(lambda: ports.noted(place) == {}, 20, log.read_text)
        assert answers(place, "site")


def test_the_mail_server_of_a_killed_world_is_no_other_program(place) -> None:
    plan = Plan.read(place)
    command = [sys.executable, "-m", "marketing.rehearsal.world"]
    home = {**os.environ, "PAPERCLIP_HOME": str(place.parent.parent)}
    killed = subprocess.Popen(command, env=home, stderr=subprocess.DEVNULL)
    wait_for(lambda: not ports.is_free(plan.ports["imap"]), 30)
    (orphan,) = psutil.Process(killed.pid).children()
    killed.kill()
    killed.wait(10)
    assert orphan.is_running()
    with world(place) as log:
        for part in ("smtp", "imap"):
            port = plan.ports[part]
            wait_for(lambda port=port: not ports.is_free(port), 30, log.read_text)
        assert ports.noted(place) == {} and not orphan.is_running()


def test_a_person_reads_it_in_the_console_and_from_the_doctor(
    place, monkeypatch
) -> None:
    monkeypatch.setattr(doctor, "is_up", lambda: True)
    site, browser = Site.objects.get(), Client()
    browser.force_login(make.operator(site.company, "viewer"))
    assert "Other programs have ports" not in room(browser)
    assert doctor.world().state == OK
    with held(place, "site") as port:
        ports.note(place, {"site": port})
        for said in (room(browser), doctor.world().said):
            assert f"{port} (" in said and f"process {os.getpid()}" in said
            assert "End that program" in said
        assert doctor.world().state == FAIL
    site.company.rehearsal = False
    site.company.save()
    assert "Other programs have ports" not in room(browser)
    assert doctor.world().said == "no company rehearses"


def room(browser: Client) -> str:
    return browser.get("/marketing/").content.decode()


def test_up_says_whose_ports_are_taken_before_its_world_runs(place) -> None:
    assert ports.in_words(up.taken_ports()) == ""
    with held(place, "smtp") as port:
        said = ports.in_words(up.taken_ports())
    assert f"{port} (" in said and "served as soon as it is free" in said
