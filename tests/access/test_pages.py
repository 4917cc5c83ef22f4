"""The console, asked page by page: who sees it, and who changes what by it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from paperclip.models import User
from tests.access import routes
from tests.access.asking import NAME, Answer, ask, filled
from tests.access.pages import CLOSED, NOT_NOW, OPEN, PAGES, SHUT
from tests.access.world import NOBODY, ROLES, World, browser

pytestmark = pytest.mark.django_db
TOKENS = re.compile(r'(name="csrfmiddlewaretoken" value=|"x-csrftoken": ?)"\w+"')
REFUSED = (302, 303, 400, 403, 404, 405, 409, 422)
each_page = pytest.mark.parametrize(
    ("method", "path", "least"), PAGES, ids=[f"{p[0]} /{p[1]}" for p in PAGES]
)
OF_ROWS = [page for page in PAGES if set(NAME.findall(page[1])) - {"account"}]


@pytest.fixture(scope="module")
def browsers(worlds: list[World]) -> dict[str, Any]:
    ours, foreign = worlds
    return {
        "anonymous": browser(None),
        "nobody": browser(User.objects.create_user("nobody")),
        "stranger": browser(foreign.people["owner"]),
        **{role: browser(ours.people[role]) for role in ROLES},
    }


def test_every_page_has_a_row_and_every_row_a_page() -> None:
    said = {routes.pattern(f"/{path}") for _method, path, _least in PAGES}
    said |= {routes.pattern(f"/{path}") for path in (*OPEN, *CLOSED)}
    served = {
        routes.pattern(path)
        for path in routes.served()
        if not path.startswith(("/api/", *(f"/{each}" for each in SHUT)))
    }
    assert said == served


@each_page
def test_from_which_role_on(
    method: str, path: str, least: str, worlds: list[World], browsers: dict[str, Any]
) -> None:
    url = f"/{filled(path, worlds[0])}"
    for role in ROLES:
        answer = ask(browsers[role], method, url)
        if path in NOT_NOW and answer.status == 404:
            continue
        if ROLES.index(role) < ROLES.index(least):
            assert (answer.status in REFUSED, answer.acts) == (True, 0), role
        elif method == "GET":
            assert answer.status == 200, role
        else:
            assert answer.status in (200, 302, 303, 400, 409, 422), role


@each_page
def test_nobody_sees_it_without_a_place(
    method: str, path: str, least: str, worlds: list[World], browsers: dict[str, Any]
) -> None:
    for who in ("anonymous", "nobody"):
        answer = ask(browsers[who], method, f"/{filled(path, worlds[0])}")
        assert answer.status in (302, 401, 403, 404) and not answer.acts
        assert b"Ours" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "least"), OF_ROWS, ids=[f"{p[0]} /{p[1]}" for p in OF_ROWS]
)
def test_a_foreign_row_is_a_missing_one(
    method: str, path: str, least: str, worlds: list[World], browsers: dict[str, Any]
) -> None:
    ours = worlds[0]
    none = dict.fromkeys(NAME.findall(path), NOBODY)
    answers = [
        ask(browsers["stranger"], method, f"/{filled(path, ours, **ids)}")
        for ids in ({}, none)
    ]
    assert [answer.status for answer in answers] == [404, 404]
    assert told(answers[0]) == told(answers[1])


def told(answer: Answer) -> str:
    return TOKENS.sub("", answer.body.decode())


@pytest.mark.parametrize(
    "path",
    [page[1] for page in PAGES if page[0] == "POST" and "/change/" not in page[1]],
)
def test_nothing_is_done_by_looking(
    path: str, worlds: list[World], browsers: dict[str, Any]
) -> None:
    answer = ask(browsers["owner"], "GET", f"/{filled(path, worlds[0])}")
    assert not answer.acts and answer.status in (200, 404, 405)


@pytest.mark.parametrize("prefix", SHUT[:2])
def test_what_is_no_page_of_ours_is_shut(prefix: str, browsers: dict[str, Any]) -> None:
    paths = [p for p in routes.served() if p.startswith(f"/{prefix}")]
    assert paths
    for path in paths:
        url = re.sub(r"<[^>]*>", "1", path)
        for role in ROLES:
            assert ask(browsers[role], "GET", url).status in (302, 403, 404), url
