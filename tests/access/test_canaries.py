"""T-13c: nothing that an agent writes is ever executed, opened or fetched.

Canaries, in every text of every request an agent may make, are commands and addresses;
then everything is run that runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.utils.timezone import now

from agents import retention
from agents.models import Run
from issues import checking, routines
from issues import heartbeat as heart
from issues.models import RoutineTrigger
from issues.sweep import sweep
from paperclip.api.openapi import document
from tests import make
from tests.access import routes
from tests.access.actors import AGENTS
from tests.access.asking import Row, filled, rows
from tests.access.table import API
from tests.access.world import World

WRITES = ("POST", "PUT", "PATCH")
ROWS = [row for row in rows(API, "/api/") if row.who & AGENTS and row.method in WRITES]
# What would end the world before the others are asked.
LAST = ("release", "cancel")


class Watch:
    """A file that a command would make, and a server that would be asked."""

    def __init__(self, place: Path) -> None:
        self.file, self.asked = place / "canary", list[str]()
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            do_POST = do_HEAD = do_PUT = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/canary"
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def texts(self) -> list[str]:
        touch = f"touch {self.file}"
        return [
            *(touch, f"$({touch})", f"`{touch}`", f"'; {touch} #", f"| {touch}"),
            f"{{{{ '{self.file}'|open }}}} {{% include '{self.file}' %}}",
            *(self.url, f"ext::sh -c '{touch}'", f"--upload-pack={touch}"),
            f"file://{self.file.parent}/secret",
        ]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    one = Watch(tmp_path)
    (tmp_path / "secret").write_text("a-secret-of-the-machine")
    yield one
    one.server.shutdown()
    one.server.server_close()


def properties(row: Row) -> dict[str, Any]:
    """The fields of the request's body, by the API's own description."""
    for path, methods in document()["paths"].items():
        if routes.pattern(path.replace("{", ":").replace("}", "")) == routes.pattern(
            row.path
        ):
            told = methods.get(row.method.lower(), {}).get("requestBody", {})
            schema = told.get("content", {}).get("application/json", {})
            return resolved(schema.get("schema", {})).get("properties", {})
    return {}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or "allOf" in schema:
        name = schema.get("$ref") or schema["allOf"][0]["$ref"]
        schema = document()["components"]["schemas"][name.rpartition("/")[2]]
    return schema


def poisoned(told: dict[str, Any], text: str) -> Any:
    """A value with the text wherever one of this shape can hold one."""
    told = resolved(told)
    if told.get("type") == "object" or "properties" in told:
        inner = told.get("properties", {})
        named = {name: poisoned(each, text) for name, each in inner.items()}
        return named or {"command": text, "url": text, "args": [text], "env": text}
    if told.get("type") == "array":
        return [poisoned(told.get("items", {}), text)]
    return text


def send(world: World, texts: list[str]) -> tuple[int, int]:
    """Each text in each field by each agent that may; how many were sent and taken."""
    tokens = {
        "agent": world.run_token,
        "manager": world.manager_token,
        "peer": world.peer_token,
        "key": make.key(world.agent),
    }
    sent = taken = 0
    for row in sorted(ROWS, key=lambda row: row.path.rpartition("/")[2] in LAST):
        path, good = filled(row.path, world), filled(row.body or {}, world)
        if isinstance(good, bytes):
            continue
        for number, (field, told) in enumerate(properties(row).items()):
            who = sorted(row.who & tokens.keys())[0]
            text = texts[(sent + number) % len(texts)]
            value = poisoned(told, text)
            client = make.client(tokens[who])
            send_it = getattr(client, row.method.lower())
            answer = send_it(path, {**good, field: value})
            assert answer.status_code < 500, (row, field, value, answer.content)
            sent += 1
            taken += answer.status_code < 300
    return sent, taken


@pytest.mark.django_db(transaction=True)
def test_no_canary_sings(watch: Watch, settings: Any) -> None:
    world = World("Ours").sited()
    before = {a.pk: (a.adapter_config, a.tools) for a in world.company.agents.all()}
    sent, taken = send(world, watch.texts)
    assert sent > 200 and taken > 40, (sent, taken)
    # Everything that goes on by itself, goes on.
    world.company.agents.exclude(status="pending_approval").update(status="idle")
    for trigger in RoutineTrigger.objects.filter(kind="schedule"):
        routines.fire(trigger, now(), now())
    for run in Run.objects.live():
        run.finish("succeeded")
    for _ in range(3):
        sweep()
        heart.beat_on()
        checking.check_on()
    retention.retain()
    assert Run.objects.filter(company=world.company, status="succeeded").count() > 5
    assert not watch.file.exists() and watch.asked == []
    for agent in world.company.agents.filter(pk__in=before):
        assert (agent.adapter_config, agent.tools) == before[agent.pk]
    for log in settings.HOME.rglob("*.ndjson"):
        assert "a-secret-of-the-machine" not in log.read_text()
