"""Every page and button of the console, asked as everybody."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages

from tests.access import routes
from tests.access.actors import PEOPLE
from tests.access.asking import OF_NOBODY, Answer, Row, ask, filled, probes, rows
from tests.access.pages import ADMINISTRATION, AT_HOME, EVERYBODY, PAGES, WARNED
from tests.access.world import World, browser

ROWS = rows(PAGES)
SERVED = [path for path in routes.served() if not path.startswith("/api/")]
OURS = [path for path in SERVED if not path.startswith(ADMINISTRATION)]
pytestmark = pytest.mark.django_db
each_row = pytest.mark.parametrize("row", ROWS, ids=str)


@pytest.fixture(scope="module")
def browsers(worlds: list[World]) -> dict[str, Any]:
    ours, foreign = worlds
    bearer = browser(None)
    bearer.defaults["HTTP_AUTHORIZATION"] = f"Bearer {ours.run_token}"
    return {
        "anonymous": browser(None),
        "bearer": bearer,
        "stranger": browser(foreign.people["owner"]),
        **{role: browser(ours.people[role]) for role in PEOPLE},
    }


def test_every_page_has_a_row_and_every_row_a_page() -> None:
    said = {routes.pattern(row.path) for row in ROWS}
    assert said == {routes.pattern(path) for path in OURS}
    assert len(OURS) > 100


def outcome(answer: Answer) -> int:
    """The status, where one of a page would say it."""
    place = answer.headers.get("Location", "")
    if answer.status == 302 and place.startswith("/login/"):
        return 401
    said = get_messages(answer.response.wsgi_request)
    if any(each.level_tag == "warning" for each in said):
        return WARNED
    return 200 if answer.status < 400 else answer.status


def wanted(row: Row, actor: str) -> int:
    if actor == "bearer" or actor == "anonymous":
        return row.but.get(actor, 200 if actor in row.who else 401)
    return row.wanted(actor)


@each_row
def test_who_may(row: Row, worlds: list[World], browsers: dict[str, Any]) -> None:
    path, body = (filled(part, worlds[0]) for part in (row.path, row.body))
    wrong: dict[Any, list[str]] = {}
    for actor in sorted(EVERYBODY):
        answer = ask(browsers[actor], row.method, path, body)
        found, due = outcome(answer), wanted(row, actor)
        # Refused by a verb, a button leads back and says so.
        fine = found == due or (due == 403 and found == WARNED)
        if not fine or (due >= 400 and answer.acts):
            wrong.setdefault((due, found, answer.status, answer.acts), []).append(actor)
    assert not wrong


OF_COMPANIES = [
    row for row in ROWS if set(row.names) - OF_NOBODY and row.but != AT_HOME
]


@pytest.mark.parametrize("row", OF_COMPANIES, ids=str)
def test_a_foreign_row_is_a_missing_one(
    row: Row, worlds: list[World], browsers: dict[str, Any]
) -> None:
    ours, foreign = worlds
    body = filled(row.body, ours)
    for pair in probes(row, foreign):
        told = []
        for ids in pair:
            path = filled(row.path, ours, **ids)
            answer = ask(browsers["owner"], row.method, path, body)
            told.append(answer.told(*ids.values()))
        assert told[0] == told[1]
        assert told[0][0] == 404


LEFT = [path for path in SERVED if path.startswith(ADMINISTRATION)]


@pytest.mark.parametrize("path", LEFT)
def test_the_pages_of_administrators_open_for_no_member(
    path: str, browsers: dict[str, Any]
) -> None:
    path = re.sub("<path:.*?>", "1", path.replace("/^(?P<app_label>", "/("))
    path = re.sub(r"\((\w+)\|.*\)/\$", r"\1/", path)
    for role in sorted(PEOPLE):
        for method in ("GET", "POST"):
            answer = ask(browsers[role], method, path, {"name": "x"})
            assert answer.status in (302, 403, 404, 405) and not answer.acts
            # Led on, it is to such a page, or home.
            assert answer.headers.get("Location", "/").endswith(("/1/change/", "/"))
            assert "/login/" not in answer.headers.get("Location", "")


PATHS = sorted({row.path for row in ROWS})


@pytest.mark.parametrize("path", PATHS)
def test_no_page_takes_another_method(
    path: str, worlds: list[World], browsers: dict[str, Any]
) -> None:
    said = {row.method for row in ROWS if row.path == path}
    for method in set(routes.METHODS) - said:
        answer = ask(browsers["owner"], method, filled(path, worlds[0]), {"x": "1"})
        assert not answer.acts
        # Django's pages of models take whatever comes for a look.
        assert answer.status == 405 or "GET" in said
