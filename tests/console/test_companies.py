"""More than one company: which one is shown, and how they are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from paperclip.actors import SYSTEM
from paperclip.first_start import leave_rehearsal, rehearse
from paperclip.models import Company, User
from tests import make
from tests.console.conftest import seen_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make.operator()


@pytest.fixture
def stage(owner: User, monkeypatch: Any) -> Company:
    """A rehearsal that can be left."""
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    return rehearse(owner=owner, by=SYSTEM, seed=1)


def shown(console: Any) -> Company:
    company: Company = console.get("/").context["company"]
    return company


def test_the_switcher_tells_companies_apart(owner: User, stage: Company) -> None:
    other = rehearse(owner=owner, by=SYSTEM, seed=1)
    text = seen_by(owner).get("/").content.decode()
    for company in (stage, other):
        named = f'<span class="prefix">{company.issue_prefix}</span> {company}'
        assert named in text


def test_a_rehearsal_left_elsewhere_is_not_shown_on(
    owner: User, stage: Company
) -> None:
    console = seen_by(owner)
    console.post(f"/company/{stage.pk}/choose")
    real = leave_rehearsal(stage, agents=["CEO"], by=make.by(owner))
    assert shown(console) == real
    # Who asks to look at it again, may.
    console.post(f"/company/{stage.pk}/choose")
    assert shown(console) == stage
    stage.refresh_from_db()
    stage.resume(by=make.by(owner))
    assert shown(console) == stage


def test_one_leaves_with_the_agents_of_the_template(
    owner: User, stage: Company
) -> None:
    make.agent(stage, name="Scribe")
    Agent.objects.get(name="QA").terminate(by=SYSTEM)
    console = seen_by(owner)
    text = console.get("/leave-rehearsal/").content.decode()
    assert 'value="Scribe"' not in text and 'value="QA"' in text
    assert "do not come along: Scribe." in text
    assert "Leave the rehearsal</a>" not in text and "invented results" in text
    everybody = [
        one["name"] for one in console.get("/leave-rehearsal/").context["agents"]
    ]
    console.post("/leave-rehearsal/", {"agents": everybody})
    real = shown(console)
    assert not real.rehearsal
    assert not real.agents.filter(status="paused").exists()


def test_without_a_key_there_is_nothing_to_press(
    owner: User, stage: Company, monkeypatch: Any
) -> None:
    button = 'class="button primary"{}>Found the real company'
    console = seen_by(owner)
    assert button.format("") in console.get("/leave-rehearsal/").content.decode()
    monkeypatch.delenv("GEMINI_API_KEY")
    without = console.get("/leave-rehearsal/").content.decode()
    assert button.format(" disabled") in without


def test_an_archived_company_is_brought_back(owner: User) -> None:
    gone, here = make.company("Gone"), make.company("Here")
    admin = make.operator(gone, "admin")
    for company, user, role in (
        (gone, owner, "owner"),
        (here, owner, "owner"),
        (here, admin, "admin"),
    ):
        company.memberships.create(user=user, role=role)
    gone.archive(by=SYSTEM)
    console = seen_by(owner)
    assert "bring-back" not in seen_by(admin).get("/companies/").content.decode()
    url = f"/company/{gone.pk}/bring-back"
    assert url in console.get("/companies/").content.decode()
    seen_by(admin).post(url)
    gone.refresh_from_db()
    assert gone.status == "archived"
    for _press in range(2):
        assert console.post(url, follow=True).status_code == 200
    gone.refresh_from_db()
    assert gone.status == "paused" and shown(console) == gone
    assert "bring-back" not in console.get("/companies/").content.decode()
