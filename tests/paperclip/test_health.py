"""Is it well? Always answered within two seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agents import sandbox
from paperclip import pulse
from paperclip.api import health
from tests import make
from tests.gateways import gateway

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = (health.database, health.broker, health.sweep, health.gateway)
    probes = {look.__name__: health.Probe(look) for look in looks}
    monkeypatch.setattr(health, "PROBES", probes)
    pulse.step(pulse.IDLE)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def ask() -> Any:
    started = time.monotonic()
    response = make.client().get("/api/health")
    assert time.monotonic() - started < 2
    return response


@pytest.mark.django_db(transaction=True)
def test_it_is_well(settings: Any) -> None:
    make.operator()
    with gateway() as gate:
        settings.GATEWAY_URL = gate.url
        body = ask().json()
    assert (body["status"], body["deploymentMode"]) == ("ok", "authenticated")
    assert (body["authReady"], body["bootstrapStatus"]) == (True, "ready")
    assert body["features"] == {"sandbox": sandbox.state().works}
    assert body["checks"] == {
        "database": {"status": "ok"},
        "broker": {"status": "ok"},
        "sweep": {"status": "ok", "step": pulse.IDLE},
        "gateway": {"status": "ok"},
    }


def test_a_gateway_that_only_starts_is_no_fault(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GATEWAY_URL = "http://127.0.0.1:1"
    monkeypatch.setattr(health, "BORN", time.monotonic())
    body = ask().json()
    assert (body["status"], body["checks"]["gateway"]) == ("ok", {"status": "starting"})


def test_a_gateway_that_is_away_leaves_it_usable(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GATEWAY_URL = "http://127.0.0.1:1"
    monkeypatch.setattr(health, "BORN", time.monotonic() - health.GATEWAY_START)
    response = ask()
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["checks"]["gateway"]["status"] == "failed"


def test_it_says_that_nobody_has_an_account_yet() -> None:
    assert ask().json()["bootstrapStatus"] == "bootstrap_pending"


def test_one_look_serves_many_that_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[dict[str, Any]] = []

    def look() -> dict[str, Any]:
        looks.append(health.database())
        return looks[-1]

    monkeypatch.setattr(health, "FRESH", 60.0)
    monkeypatch.setitem(health.PROBES, "database", health.Probe(look))
    for _ in range(20):
        assert ask().json()["bootstrapStatus"] == "bootstrap_pending"
    assert len(looks) == 1


def test_a_database_that_hangs_is_named(
    release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = health.Probe(lambda: {"never": release.wait(30)})
    monkeypatch.setitem(health.PROBES, "database", probe)
    for _ in range(2):
        response = ask()
        assert response.status_code == 503
        assert response.json()["status"] == "unavailable"
        assert response.json()["checks"]["database"]["status"] == "stuck"


def test_a_database_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> dict[str, Any]:
        raise ConnectionError("postgres://user:password@host")

    monkeypatch.setitem(health.PROBES, "database", health.Probe(away))
    response = ask()
    assert response.status_code == 503
    check = {"status": "failed", "error": "ConnectionError"}
    assert response.json()["checks"]["database"] == check


def test_a_broker_that_is_away_leaves_it_usable(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = ask()
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["checks"]["broker"]["status"] == "failed"
