"""Members: who gives which role to whom, and what ends when somebody leaves (T-25)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.test import Client

from agents.models import ApiKey
from issues.models import Decision
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, NotAllowed, Refused
from paperclip.models import Activity, Company, Membership, SignInLink, User
from paperclip.roles import Role
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db
LADDER = ["viewer", "operator", "admin", "owner"]


@pytest.fixture
def company() -> Company:
    return make.company()


def place(company: Company, role: str) -> Membership:
    return company.memberships.get(user=make.operator(company, role))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("mine", LADDER)
@pytest.mark.parametrize("theirs", LADDER)
@pytest.mark.parametrize("new", LADDER)
def test_who_gives_whom_which_role(
    company: Company, mine: str, theirs: str, new: str
) -> None:
    me, other = make.operator(company, mine), place(company, theirs)
    owners = "owner" in (theirs, new)
    may = mine == "owner" or (mine == "admin" and not owners)
    if may:
        other.change_role(new, by=make.by(me))
    else:
        with pytest.raises(NotAllowed, match="that takes an"):
            other.change_role(new, by=make.by(me))
    other.refresh_from_db()
    assert other.role == (new if may else theirs)
    logged = Activity.objects.filter(action="membership.role_changed")
    assert logged.count() == (may and new != theirs)


@pytest.mark.parametrize("mine", LADDER)
@pytest.mark.parametrize("theirs", LADDER)
def test_who_removes_whom(company: Company, mine: str, theirs: str) -> None:
    me, other = make.operator(company, mine), place(company, theirs)
    may = mine == "owner" or (mine == "admin" and theirs != "owner")
    api = make.client_of(me)
    answer = api.delete(f"/api/companies/{company.pk}/members/{other.pk}")
    assert answer.status_code == (200 if may else 403)
    assert company.memberships.filter(pk=other.pk).exists() is not may
    logged = Activity.objects.filter(action="membership.removed").values_list(
        "details", flat=True
    )
    told = [{"userId": str(other.user_id), "role": theirs}]
    assert list(logged) == (told if may else [])


@pytest.mark.parametrize("role", LADDER)
def test_everybody_may_leave(company: Company, role: str) -> None:
    mine = place(company, role)
    mine.end(by=make.by(mine.user))
    assert not company.memberships.filter(user=mine.user).exists()
    assert Activity.objects.filter(action="membership.left").count() == 1


def test_the_last_owner_stays(company: Company) -> None:
    last = company.memberships.get()
    owner = make.by(last.user)
    for act in (
        lambda: last.end(by=owner),
        lambda: last.end(by=SYSTEM),
        lambda: last.change_role("admin", by=owner),
    ):
        with pytest.raises(Conflict, match="make somebody else an owner first"):
            act()
    gone = place(company, "owner")
    gone.user.is_active = False
    gone.user.save()
    with pytest.raises(Conflict):  # who cannot sign in owns nothing
        last.end(by=owner)
    place(company, "owner")
    last.end(by=owner)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["demote each other", "leave", "remove each other"])
def test_of_two_owners_at_once_one_stays(company: Company, way: str) -> None:
    place(company, "owner")
    for _ in range(5):
        pair = list(company.memberships.order_by("pk").select_related("user"))

        def part(number: int, pair: Any = pair) -> None:
            me, other = pair[number], pair[1 - number]
            by = make.by(me.user)
            if way == "leave":
                Membership.objects.get(pk=me.pk).end(by=by)
            elif way == "demote each other":
                Membership.objects.get(pk=other.pk).change_role("admin", by=by)
            else:
                Membership.objects.get(pk=other.pk).end(by=by)

        results = together(2, part)
        refused = [one for one in results if isinstance(one, Refused)]
        assert results.count(None) == 1 and len(refused) == 1, results
        assert company.memberships.filter(role="owner").count() == 1
        company.memberships.exclude(role="owner").delete()
        place(company, "owner")


def test_a_program_with_a_persons_key_decides_about_nobody(company: Company) -> None:
    owner, other = make.owner_of(company), place(company, "viewer")
    agent = make.agent(company)
    run, _token = make.live_run(agent)
    url = f"/api/companies/{company.pk}/members/{other.pk}"
    program = make.client_of(owner, run=run)
    assert program.delete(url).status_code == 403
    assert program.patch(url, {"membershipRole": "owner"}).status_code == 403
    for client in (make.client_of(agent, run=run), make.client_of(agent)):
        assert client.delete(url).status_code == 403
    mine = company.memberships.get(user=owner)
    assert program.delete(url.replace(str(other.pk), str(mine.pk))).status_code == 403


# --- what ends ---------------------------------------------------------------------


def test_who_has_no_company_left_is_out_at_once(company: Company) -> None:
    gone = place(company, "operator")
    console, key = signed_in(gone.user), make.client_of(gone.user)
    link = SignInLink.issue(gone.user)
    assert console.get("/").status_code == 200
    assert key.get("/api/companies").status_code == 200
    gone.end(by=make.by(make.owner_of(company)))
    assert console.get("/").status_code == 302
    assert console.session.get("_auth_user_id") is None
    assert key.get("/api/companies").status_code == 401
    assert not ApiKey.objects.filter(user=gone.user, revoked_at=None).exists()
    assert Client().post(f"/sign-in/{link}").status_code == 410


def test_who_works_elsewhere_keeps_that_and_nothing_of_this(company: Company) -> None:
    gone = place(company, "admin")
    other = make.company("Elsewhere")
    other.memberships.create(user=gone.user, role="viewer")
    console, key = signed_in(gone.user), make.client_of(gone.user)
    issue = make.issue(company)
    gone.end(by=make.by(make.owner_of(company)))
    assert console.get("/").status_code == 200
    assert console.get(f"/issues/{issue.identifier}").status_code == 404
    assert key.get(f"/api/issues/{issue.pk}").status_code == 404
    assert key.get(f"/api/companies/{company.pk}").status_code == 404
    assert key.get(f"/api/companies/{other.pk}").status_code == 200


def test_sessions_from_before_the_update_go_on(company: Company) -> None:
    user = make.owner_of(company)
    before = user.get_session_auth_hash()
    assert before == AbstractBaseUser._get_session_auth_hash(user)
    user.end_sessions()
    user.refresh_from_db()
    assert user.get_session_auth_hash() != before


@pytest.mark.parametrize("way", ["removed", "left", "viewer"])
def test_open_work_falls_to_an_owner(company: Company, way: str) -> None:
    gone, owner = place(company, "operator"), make.owner_of(company)
    mine = make.issue(company, assignee_user=gone.user)
    done = make.issue(company, assignee_user=gone.user, status="done")
    others = make.issue(company, assignee_user=owner)
    if way == "viewer":
        gone.change_role(Role.VIEWER, by=make.by(owner))
    else:
        gone.end(by=make.by(gone.user if way == "left" else owner))
    for row in (mine, done, others):
        row.refresh_from_db()
    assert (mine.assignee_user, mine.status) == (owner, "todo")
    assert done.assignee_user == gone.user and not others.comments.exists()
    said = mine.comments.get()
    assert said.author_user is None and said.author_agent is None
    assert f"{owner} has it now" in said.body


def test_a_review_that_waits_for_them_waits_for_an_owner(company: Company) -> None:
    gone, owner = place(company, "operator"), make.owner_of(company)
    dev = make.agent(company)
    person = {"type": "user", "userId": str(gone.user_id)}
    stages = {"stages": [{"type": "approval", "participants": [person]}]}
    issue = make.issue(company, assignee_agent=dev, review_policy=stages)
    by = make.working(dev, issue)
    issue.check_out(dev, by.run, ["todo"], by=by)
    issue.change(by=by, status="done", comment="Done.")
    issue.refresh_from_db()
    assert issue.assignee_user == gone.user
    gone.end(by=make.by(owner))
    issue.refresh_from_db()
    assert (issue.assignee_user, issue.status) == (owner, "in_review")
    assert Decision.objects.get(outcome="pending").asked_user == owner
    issue.change(by=make.by(owner), status="done", comment="Looked at it.")
    issue.refresh_from_db()
    assert issue.status == "done"


# --- over HTTP ---------------------------------------------------------------------


def test_the_list_shows_addresses_to_those_who_invite(company: Company) -> None:
    owner = make.owner_of(company)
    owner.email = "ada@example.com"
    owner.save()
    url = f"/api/companies/{company.pk}/members"
    [row] = make.client_of(owner).get(url).json()
    assert row["membershipRole"] == "owner" and row["principalType"] == "user"
    assert row["principalId"] == str(owner.pk)
    assert row["user"]["email"] == "ada@example.com"
    for holder in (make.operator(company, "operator"), make.agent(company)):
        rows = make.client_of(holder).get(url).json()
        assert {one["user"]["email"] for one in rows} == {None}
    stranger = make.client_of(make.operator(make.company("Else")))
    assert stranger.get(url).status_code == 404


def test_foreign_and_missing_members_look_the_same(company: Company) -> None:
    owner = make.client_of(make.owner_of(company))
    theirs = make.company("Else").memberships.get()
    url = f"/api/companies/{company.pk}/members/"
    answers = {
        owner.patch(url + key, {"membershipRole": "viewer"}).content
        for key in (str(theirs.pk), "00000000-0000-4000-8000-000000000000", "x")
    }
    assert len(answers) == 1 and b"not found" in answers.pop()
