"""A recovery step that never ends does not take the console with it (T-04e)."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, connections, transaction
from rest_framework.test import APIClient

from issues import sweep
from paperclip import pulse
from tests import make
from tests.instance import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def health() -> tuple[dict, float]:
    began = time.monotonic()
    return APIClient().get("/api/health").json(), time.monotonic() - began


def swept() -> None:
    try:
        sweep.sweep()
    finally:
        connections.close_all()


def test_health_names_the_step_that_hangs() -> None:
    make.live_run(make.agent())
    sweep.sweep()
    assert health()[0]["checks"]["sweep"] == {"status": "ok", "step": "idle"}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE agents_run IN ACCESS EXCLUSIVE MODE")
        hanging = threading.Thread(target=swept)
        hanging.start()
        wait_for(lambda: pulse.read()["step"] == "end expired runs", 5)

        def named() -> str:
            body, took = health()
            assert took < 2
            return str(body["checks"]["sweep"].get("error", ""))

        said = wait_for(named, pulse.STALLED_AFTER + 5)
        assert "end expired runs" in said
    hanging.join()
    time.sleep(1.1)  # an answer of health is good for a second
    assert health()[0]["checks"]["sweep"]["status"] == "ok"
