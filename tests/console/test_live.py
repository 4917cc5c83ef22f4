"""What keeps open pages fresh, and what it costs."""

import pytest
from django.test import Client

from paperclip import live
from paperclip.desk import Desk
from tests import make
from tests.console.conftest import seen_by

pytestmark = pytest.mark.django_db


def address(console):
    return console.get("/").context["live_token"]


def test_the_version_moves_with_every_change(console, company):
    url = f"/live/{address(console)}"
    first = console.get(url)
    assert first.headers["ETag"] == f'"{first.content.decode()}"'
    same = console.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    live.bump(company.pk)
    assert console.get(url, headers={"If-None-Match": first.headers["ETag"]}).content


def test_asking_costs_the_session_and_its_person(
    console, company, django_assert_num_queries
):
    url = f"/live/{address(console)}"
    with django_assert_num_queries(3):
        assert console.get(url).status_code == 200


def test_nobody_else_may_ask(console, stranger, company):
    url = f"/live/{address(console)}"
    assert Client().get(url).status_code == 403
    assert stranger.get(url).status_code == 403
    assert console.get(url + "x").status_code == 404


def test_who_was_removed_may_ask_no_more(company):
    user = make.operator(company)
    client = seen_by(user)
    url = f"/live/{address(client)}"
    assert client.get(url).status_code == 200
    make.company().memberships.create(user=user, role="viewer")
    company.memberships.filter(user=user).delete()
    assert client.get(url).status_code == 403


def test_a_page_knows_how_new_it_is(console, company):
    assert console.get("/").context["live_version"] == live.version(company.pk)


def test_htmx_gets_the_page_without_its_frame(console, company):
    make.agent(company, name="Ada")
    part = console.get("/", headers={"HX-Request": "true"}).content.decode()
    assert "Ada" in part and "<html" not in part and "nav-sidebar" not in part


def test_the_dashboard_asks_no_more_for_more_agents(
    company, django_assert_max_num_queries
):
    console = seen_by(make.operator(company))
    for number in range(12):
        agent = make.agent(company, name=f"A{number}")
        run, _token = make.live_run(agent, make.issue(company, assignee_agent=agent))
        if number % 2:
            run.finish("failed", error="x")
    with django_assert_max_num_queries(27):
        page = console.get("/")
    assert "A11" in page.content.decode()


@pytest.mark.parametrize("url", ["/issues/", "/agents/", "/runs/"])
def test_lists_ask_no_more_for_more_rows(company, url, django_assert_max_num_queries):
    console = seen_by(make.operator(company))
    boss = make.agent(company, name="Boss")
    for number in range(12):
        agent = make.agent(company, name=f"A{number}", reports_to=boss)
        make.live_run(agent, make.issue(company, assignee_agent=agent))
    with django_assert_max_num_queries(14):
        page = console.get(url)
    assert "A11" in page.content.decode()


def test_a_desk_reads_its_memberships_once(rf, company, django_assert_num_queries):
    request = rf.get("/")
    request.user, request.session = make.operator(company), {}
    with django_assert_num_queries(1):
        for _ in range(3):
            assert Desk.of(request).company == company
