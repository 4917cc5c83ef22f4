"""Is it well? Answers within two seconds, whatever hangs, and says what it is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection
from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BooleanField, CharField, DictField

from agents import sandbox
from paperclip import pulse
from paperclip.api.schema import doc, public
from paperclip.api.shapes import Moment, Shape
from paperclip.api.views import Endpoint
from paperclip.exceptions import Refused
from paperclip.models import User

log = logging.getLogger(__name__)

STARTED = now()
BORN = time.monotonic()
# The gateway is started after the console: so long it may be away without a fault.
GATEWAY_START = 15.0
VERSION = settings.SPECTACULAR_SETTINGS["VERSION"]
PATIENCE = 1.5
# Many monitors ask at once; one look is enough for all of them.
FRESH = 1.0
# A look that takes longer will not come back soon.
STUCK = 10.0


def database() -> dict[str, Any]:
    ready = User.objects.filter(is_active=True).exists()
    return {"bootstrapStatus": "ready" if ready else "bootstrap_pending"}


def broker() -> dict[str, Any]:
    redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
    ).ping()
    return {}


def sweep() -> dict[str, Any]:
    """Whether the sweep goes round; one that hangs is named by its step."""
    said = pulse.read()
    if said["phase"] == "stalled":
        late = int(time.time() - said["at"])
        if said["step"] == pulse.IDLE:
            raise Refused(f"No sweep for {late} s: beat or its worker is away.")
        raise Refused(f"The sweep hangs for {late} s in the step: {said['step']}.")
    return {"step": said["step"]} if said["step"] else {}


def gateway() -> dict[str, Any]:
    """Whether the model gateway answers: without it no agent can think."""
    # Not by a library of 8 MB, and never through a proxy of the environment.
    place = urlsplit(settings.GATEWAY_URL)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    there = kind(place.hostname or "", place.port, timeout=1)
    try:
        there.request("GET", f"{place.path}/health")
        status = there.getresponse().status
    except OSError:
        if time.monotonic() - BORN > GATEWAY_START:
            raise
        return {"status": "starting"}
    finally:
        there.close()
    if status != 200:
        raise ConnectionError(f"the gateway answers {status}")
    return {}


def walls() -> dict[str, Any]:
    """Whether what agents start is kept in a sandbox. Not part of being well: there is
    none on every system."""
    return {"works": sandbox.state().works}


class Probe:
    """One check in a thread of its own, so that one which hangs holds nobody up."""

    def __init__(self, look: Callable[[], dict[str, Any]]) -> None:
        self._look = look
        self._guard = threading.Lock()
        self._began = self._ended = 0.0
        self._done = threading.Event()
        self._found: dict[str, Any] = {}

    def start(self) -> None:
        """Look again, unless somebody is looking or has just looked."""
        with self._guard:
            looking = self._began > self._ended
            if looking or time.monotonic() - self._ended < FRESH:
                return
            self._began = time.monotonic()
            self._done.clear()
        threading.Thread(target=self._run, daemon=True).start()

    def result(self, until: float) -> dict[str, Any]:
        if self._done.wait(max(0.0, until - time.monotonic())):
            return self._found
        waited = round(time.monotonic() - self._began, 1)
        return {"status": "stuck", "error": f"no answer for {waited} s"}

    def latest(self, until: float) -> dict[str, Any] | None:
        """The result, or the last one while a new look takes its time; None before the
        first."""
        found = self.result(until)
        late = time.monotonic() - self._began > STUCK
        return found if late or found["status"] != "stuck" else self._found or None

    def _run(self) -> None:
        try:
            self._found = {"status": "ok", **self._look()}
        except Exception as error:
            # Its text may hold addresses and names; the log has it.
            log.warning("health: %s failed: %s", self._look.__name__, error)
            said = str(error) if isinstance(error, Refused) else type(error).__name__
            self._found = {"status": "failed", "error": said}
        finally:
            connection.close()
            self._ended = time.monotonic()
            self._done.set()


WALLS = Probe(walls)
PROBES = {look.__name__: Probe(look) for look in (database, broker, sweep, gateway)}


class HealthShape(Shape):
    status = CharField(help_text="ok, degraded, or unavailable with 503")
    version = CharField()
    deploymentMode = CharField()
    deploymentExposure = CharField()
    authReady = BooleanField()
    bootstrapStatus = CharField(required=False)
    features = DictField(help_text="sandbox: whether one works here")
    serverInfo = DictField(child=Moment())
    checks = DictField(
        help_text="database, broker, sweep, gateway: ok, starting, failed or stuck"
    )


@public
class Health(Endpoint):
    @doc("get_health", "Is it well", gives=HealthShape, status=(200, 503))
    def get(self, request: Request) -> Response:
        until = time.monotonic() + PATIENCE
        for probe in (WALLS, *PROBES.values()):
            probe.start()
        checks = {name: dict(p.result(until)) for name, p in PROBES.items()}
        bootstrap = checks["database"].pop("bootstrapStatus", None)
        usable = bootstrap is not None
        well = all(one["status"] in ("ok", "starting") for one in checks.values())
        body = {
            "status": "ok" if well else "degraded" if usable else "unavailable",
            "version": VERSION,
            "deploymentMode": "authenticated",
            "deploymentExposure": "public" if settings.HTTPS else "private",
            "authReady": usable,
            **({"bootstrapStatus": bootstrap} if bootstrap else {}),
            "features": {"sandbox": WALLS.result(until).get("works", False)},
            "serverInfo": {"processStartedAt": Moment().to_representation(STARTED)},
            "checks": checks,
        }
        return Response(body, status=200 if usable else 503)
