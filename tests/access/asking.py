"""A row of the table, and how it is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from paperclip.models import Activity
from tests.access.actors import BAD, FOREIGN
from tests.access.world import NOBODY, World

NAME = re.compile(r":(\w+)")
DONE = 200
# What a path calls that is no row of a company.
OF_NOBODY = {"public", "plan", "new", "invitation", "sign_in", "live", "account"}
OF_NOBODY |= {"job"}
# Whom a stranger is like at an address that belongs to no company.
AT_HOME = {"stranger": "owner", "foreigner": "agent"}


@dataclass(frozen=True)
class Row:
    method: str
    path: str
    who: set[str]
    body: Any = None
    but: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> list[str]:
        return NAME.findall(self.path)

    def wanted(self, actor: str) -> int:
        """What this actor is answered; DONE stands for any success."""
        if actor in self.but:
            return self.but[actor]
        if actor in self.who:
            return DONE
        if actor in BAD:
            return 401
        if actor in FOREIGN and self.names:
            return 404
        return DONE if AT_HOME.get(actor) in self.who else 403


def rows(table: list[Any], prefix: str = "") -> list[Row]:
    return [Row(each[0], prefix + each[1], *each[2:]) for each in table]


def filled(said: Any, world: World, **ids: str) -> Any:
    """With the ids of the world's rows in it, or these."""
    if isinstance(said, dict):
        return {key: filled(value, world, **ids) for key, value in said.items()}
    if isinstance(said, list):
        return [filled(value, world, **ids) for value in said]
    if isinstance(said, str):
        return NAME.sub(lambda found: ids.get(found[1]) or world.id_of(found[1]), said)
    return said


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]
    acts: int
    queries: int
    response: Any

    def told(self, *ids: str) -> tuple[Any, ...]:
        """All that tells one answer from another, whatever id was asked about."""
        text = self.body.decode()
        for each in ids:
            text = text.replace(each, "ID")
        return self.status, text, self.headers, self.queries


def ask(client: Any, method: str, path: str, body: Any = None) -> Answer:
    """The answer to a request that leaves nothing behind."""
    options: dict[str, Any] = {}
    if isinstance(body, bytes):
        options["content_type"] = "application/x-git-bundle"
    cookies = client.cookies.copy()
    with transaction.atomic():
        before = Activity.objects.count()
        with CaptureQueriesContext(connection) as queries:
            response = getattr(client, method.lower())(path, body, **options)
            if response.streaming:
                content = b"".join(response.streaming_content)
            else:
                content = response.content
        acts = Activity.objects.count() - before
        transaction.set_rollback(True)
    client.cookies = cookies  # whom it was signed in as is rolled back, too
    headers = dict(response.headers)
    return Answer(response.status_code, content, headers, acts, len(queries), response)


def probes(row: Row, foreign: World) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Each id of the path, and all of them, as another company's and as nobody's."""
    names = [name for name in row.names if name not in OF_NOBODY]
    sets = [[name] for name in names] + [names] * (len(names) > 1)
    found = [
        ({name: foreign.id_of(name) for name in each}, dict.fromkeys(each, NOBODY))
        for each in sets
    ]
    if "issue" in names:
        number = foreign.id_of("identifier")
        found.append(({"issue": number}, {"issue": number + "99"}))
    return found
