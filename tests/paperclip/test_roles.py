"""Who may do what (T-25): the table, and that nothing is asked of it in vain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from paperclip import roles
from paperclip.actors import Actor
from paperclip.exceptions import Conflict, NotAllowed
from paperclip.roles import LEAST, Role
from tests import make

ASK = {"must_be_operator", "must_write", "must_have_somewhere"}
ASK |= {"must_be_person", "may", "may_somewhere", "allows"}


def acts_asked() -> Iterator[tuple[str, str]]:
    """Every act that the program asks the table about, and where."""
    for room in ("paperclip", "agents", "issues", "marketing"):
        for file in (Path(settings.BASE_DIR) / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and called(node) in ASK:
                    for value in node.args:
                        if isinstance(value, ast.Constant) and " " in str(value.value):
                            yield str(value.value), file.name


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_every_act_that_is_asked_for_is_in_the_table() -> None:
    asked = list(acts_asked())
    assert len(asked) > 60
    assert [found for found in asked if found[0] not in LEAST] == []


def test_templates_offer_only_what_is_in_the_table() -> None:
    import re

    folder = Path(settings.BASE_DIR) / "templates"
    found = [
        act
        for file in folder.rglob("*.html")
        for act in re.findall(r'\|may:"([^"]+)"', file.read_text())
    ]
    assert len(found) > 10 and not [act for act in found if act not in LEAST]


def test_an_act_nobody_put_into_the_table_is_a_fault() -> None:
    with pytest.raises(KeyError):
        roles.allows(Role.OWNER, "fly")


@pytest.mark.django_db
@pytest.mark.parametrize("role", [*Role, None])
def test_a_role_may_what_the_table_says_and_nothing_else(role: Role | None) -> None:
    company = make.company()
    person = make.operator(company, role) if role else make.operator()
    ladder = ["viewer", "operator", "admin", "owner"]
    for act, least in LEAST.items():
        may = role is not None and ladder.index(role) >= ladder.index(least)
        assert person.may(company.pk, act) is may, act
        if may:
            make.by(person).must_be_operator(company.pk, act)
            continue
        with pytest.raises(NotAllowed) as no:
            make.by(person).must_be_operator(company.pk, act)
        assert least.value in str(no.value) and act in str(no.value)
        assert no.value.details == {"takes": least.value}


@pytest.mark.django_db
def test_a_role_counts_in_its_own_company_only() -> None:
    ours, theirs = make.company(), make.company("Theirs")
    owner = make.owner_of(ours)
    assert owner.may(ours.pk, "hire") and not owner.may(theirs.pk, "hire")


@pytest.mark.django_db
def test_the_administrator_of_the_instance_may_everything_everywhere() -> None:
    company = make.company()
    admin = make.operator()
    admin.is_superuser = True
    admin.save()
    assert all(admin.may(company.pk, act) for act in LEAST)
    company.pause(by=Actor.of_user(admin))
    assert company.status == "paused"
    api = make.client_of(admin)
    assert api.get(f"/api/companies/{company.pk}").status_code == 200


@pytest.mark.django_db
def test_an_agent_is_no_operator() -> None:
    agent = make.agent()
    for act in LEAST:
        with pytest.raises(NotAllowed):
            Actor.of_agent(agent).must_be_operator(agent.company_id, act)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "owner"])
def test_only_owners_archive_and_bring_back(role: str) -> None:
    company = make.company()
    agent = make.agent(company)
    run, key = make.live_run(agent)[0], make.key(agent)
    api = make.client_of(make.operator(company, role))
    url = f"/api/companies/{company.pk}"
    answer = api.patch(url, {"status": "archived"})
    company.refresh_from_db()
    if role != "owner":
        assert (answer.status_code, company.status) == (403, "active")
        return
    run.refresh_from_db()
    assert (answer.json()["status"], run.status) == ("archived", "cancelled")
    assert api.get("/api/companies").json() == []
    assert make.client(key).get("/api/agents/me").status_code == 401
    with pytest.raises(Conflict, match="is archived"):
        agent.wake("on_demand", "test", by=make.by(make.operator(company)))
    assert api.patch(url, {"status": "active"}).status_code == 409
    assert api.patch(url, {"status": "paused"}).json()["status"] == "paused"
    assert api.patch(url, {"status": "active"}).json()["status"] == "active"
