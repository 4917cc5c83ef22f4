"""The table, asked row by row: every route, method and actor."""

from __future__ import annotations

from typing import Any

import pytest

from paperclip.api.openapi import document
from tests.access import routes
from tests.access.actors import ALL, BAD
from tests.access.asking import DONE, OF_NOBODY, Row, ask, filled, probes, rows
from tests.access.table import API, GATEWAY
from tests.access.world import NOBODY, World

ROWS = rows(API, "/api/")
MODELS = rows(GATEWAY)
pytestmark = pytest.mark.django_db
each_row = pytest.mark.parametrize("row", ROWS, ids=str)


@pytest.fixture(scope="module")
def worlds(worlds: list[World]) -> list[World]:
    return [world.sited() for world in worlds]


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


CLOSED = [row for row in ROWS if not row.who & BAD and row.wanted("garbage") == 401]


@pytest.mark.parametrize("row", CLOSED, ids=str)
def test_a_bad_credential_is_refused_also_beside_a_session(
    row: Row, worlds: list[World], confused: Any
) -> None:
    path, body = filled(row.path, worlds[0]), filled(row.body, worlds[0])
    answer = ask(confused, row.method, path, body)
    assert (answer.status, answer.acts) == (401, 0)


def test_every_route_of_the_gateway_has_a_row() -> None:
    said = {row.path for row in MODELS}
    assert said == set(routes.served("agents.gateway.urls"))


@pytest.mark.parametrize("row", MODELS, ids=str)
def test_who_may_call_a_model(
    row: Row, worlds: list[World], clients: dict[str, Any], settings: Any
) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = "agents.gateway.urls", []
    answers = {
        actor: ask(clients[actor], row.method, row.path, row.body) for actor in ALL
    }
    told = {actor: answer.status for actor, answer in answers.items()}
    assert told == {actor: row.wanted(actor) for actor in ALL}


OF_COMPANIES = [row for row in ROWS if set(row.names) - OF_NOBODY]


@pytest.mark.parametrize("row", OF_COMPANIES, ids=str)
@pytest.mark.parametrize("actor", ["owner", "agent"])
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
