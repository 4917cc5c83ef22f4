"""The table, asked row by row: every route, method and actor."""

from __future__ import annotations

from typing import Any

import pytest

from paperclip.api.openapi import document
from tests.access import routes
from tests.access.actors import ALL
from tests.access.asking import DONE, Row, ask, filled, rows
from tests.access.table import API
from tests.access.world import NOBODY, World

ROWS = rows(API, "/api/")
pytestmark = pytest.mark.django_db
each_row = pytest.mark.parametrize("row", ROWS, ids=str)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    said = [(row.method, routes.pattern(row.path)) for row in ROWS]
    served = {
        (method, routes.pattern(path))
        for path, view in routes.served().items()
        if path.startswith("/api/")
        for method in routes.methods(view)
    }
    assert set(said) == served
    assert len(said) == len(set(said)) > 140


@each_row
def test_who_may(row: Row, worlds: list[World], clients: dict[str, Any]) -> None:
    ours = worlds[0]
    path, body = filled(row.path, ours), filled(row.body, ours)
    wrong = {}
    for actor in ALL:
        answer = ask(clients[actor], row.method, path, body)
        status = DONE if answer.status < 300 else answer.status
        if status != row.wanted(actor) or (status != DONE and answer.acts):
            wrong[actor] = f"{row.wanted(actor)}, not {status} {answer.body[:200]!r}"
    assert not wrong


OF_NOBODY = {"public", "plan", "new", "invitation"}
OF_COMPANIES = [row for row in ROWS if set(row.names) - OF_NOBODY]


@pytest.mark.parametrize("row", OF_COMPANIES, ids=str)
@pytest.mark.parametrize("actor", ["owner", "viewer", "agent"])
def test_a_foreign_row_is_a_missing_one(
    actor: str, row: Row, worlds: list[World], clients: dict[str, Any]
) -> None:
    """To the byte, and with as many queries: no clock can tell them apart either."""
    ours, foreign = worlds
    body = filled(row.body, ours)
    for theirs, none in probes(row, foreign):
        answers = [
            ask(clients[actor], row.method, filled(row.path, ours, **ids), body)
            for ids in (theirs, none)
        ]
        told = [
            answer.told(*ids.values())
            for answer, ids in zip(answers, (theirs, none), strict=True)
        ]
        assert told[0] == told[1]
        assert answers[0].status in (403, 404)


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


# --- ids beside the path ---------------------------------------------------------

KINDS = {
    "agent": "agent reviewer reportsto lead scopeid",
    "project": "project",
    "goal": "goal",
    "issue": "issue parent blockedby",
    "label": "label",
    "person": "user",
    "comment": "comment after",
    "trigger": "trigger",
    "run": "run",
    "revision": "revision",
    "approval": "approval",
    "secret": "secret",
    "company": "company",
}


def kind_of(field: str, path: str) -> str:
    """Whose id a field holds."""
    if field == "parentId" and "goals" in path:
        return "goal"
    words = [
        (name.rfind(word), kind)
        for kind, told in KINDS.items()
        for word in told.split()
        if word in (name := field.lower())
    ]
    return max(words)[1]


def ids_of(schema: dict[str, Any]) -> list[tuple[str, bool]]:
    """The fields of an object that hold an id, or a list of them."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = document()["components"]["schemas"][name]
    found = []
    for field, told in schema.get("properties", {}).items():
        if told.get("format") == "uuid":
            found.append((field, False))
        elif told.get("items", {}).get("format") == "uuid":
            found.append((field, True))
    return found


def mentions() -> list[Any]:
    """Every field and parameter of the API that names a row."""
    described = {
        (method.upper(), routes.pattern(path.replace("{", ":").replace("}", ""))): told
        for path, methods in document()["paths"].items()
        for method, told in methods.items()
    }
    found = []
    for row in ROWS:
        told = described.get((row.method, routes.pattern(row.path)), {})
        content = told.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        found += [(row, name, many, "body") for name, many in ids_of(schema)]
        found += [
            (row, each["name"], False, "query")
            for each in told.get("parameters", [])
            if each["in"] == "query" and each["schema"].get("format") == "uuid"
        ]
    return found


MENTIONS = mentions()


@pytest.mark.parametrize(
    ("row", "field", "many", "place"),
    MENTIONS,
    ids=[f"{m[0]} {m[1]}" for m in MENTIONS],
)
def test_a_foreign_id_is_like_none_also_beside_the_path(
    row: Row,
    field: str,
    many: bool,
    place: str,
    worlds: list[World],
    clients: dict[str, Any],
) -> None:
    ours, foreign = worlds
    actor = next(each for each in ("owner", "agent") if each in row.who)
    answers = []
    for pk in (foreign.id_of(kind_of(field, row.path)), NOBODY):
        path, body = filled(row.path, ours), filled(row.body or {}, ours)
        if place == "query":
            path += f"?{field}={pk}"
        else:
            body[field] = [pk] if many else pk
        answers.append(ask(clients[actor], row.method, path, body).told(pk))
    assert answers[0] == answers[1]
    assert place == "query" or answers[0][0] >= 400


def test_ids_are_mentioned_in_many_places() -> None:
    assert len(MENTIONS) > 40
