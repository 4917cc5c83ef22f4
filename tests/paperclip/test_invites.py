"""Invitations: who invites to what, and that each is good once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Missing, NotAllowed
from paperclip.models import Activity, Company, Invite, User
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db
LADDER = ["viewer", "operator", "admin", "owner"]
GOOD = {"username": "grace", "password": "a long walk by the sea"}


@pytest.fixture
def company() -> Company:
    return make.company()


def token_of(company: Company, role: str = "operator", **fields: Any) -> str:
    by = make.by(make.owner_of(company))
    return Invite.objects.issue(company, by=by, role=role, **fields)[1]


@pytest.mark.parametrize("mine", LADDER)
@pytest.mark.parametrize("role", LADDER)
def test_nobody_invites_above_themselves(
    company: Company, mine: str, role: str
) -> None:
    url = f"/api/companies/{company.pk}/invites"
    api = make.client_of(make.operator(company, mine))
    answer = api.post(url, {"membershipRole": role})
    may = mine == "owner" or (mine == "admin" and role != "owner")
    assert answer.status_code == (201 if may else 403)
    assert company.invites.count() == may
    assert api.get(url).status_code == (200 if mine in ("admin", "owner") else 403)


def test_the_token_is_shown_once_and_kept_as_a_hash(company: Company) -> None:
    api = make.client_of(make.owner_of(company))
    url = f"/api/companies/{company.pk}/invites"
    made = api.post(url, {"email": "grace@example.com"}).json()
    assert made["inviteUrl"].endswith(f"/invite/{made['token']}")
    assert made["mailed"] is False and made["membershipRole"] == "operator"
    row = Invite.objects.get()
    assert made["token"] not in str(Invite.objects.values())
    left = row.expires_at - now()
    assert timedelta(days=6) < left <= timedelta(days=7)
    [listed] = api.get(url).json()
    assert "token" not in listed and listed["status"] == "pending"
    assert made["token"] not in str(list(Activity.objects.values()))


def test_agents_and_their_programs_invite_nobody(company: Company) -> None:
    agent = make.agent(company)
    run, token = make.live_run(agent)
    url = f"/api/companies/{company.pk}/invites"
    for client in (make.client(token), make.client_of(make.owner_of(company), run=run)):
        assert client.post(url, {}).status_code == 403


def test_a_new_person_joins_over_http(company: Company) -> None:
    token = token_of(company, email="grace@example.com")
    told = make.client().get(f"/api/invites/{token}").json()
    assert told["companyName"] == company.name and told["membershipRole"] == "operator"
    answer = make.client().post(f"/api/invites/{token}/accept", GOOD)
    assert answer.status_code == 201, answer.content
    grace = User.objects.get(username="grace")
    assert grace.check_password(GOOD["password"])
    assert grace.email == "grace@example.com"
    assert company.memberships.get(user=grace).role == "operator"
    assert Activity.objects.filter(action="membership.created").count() == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "choose a username"),
        ({"username": "grace"}, "choose a username"),
        ({"username": "grace", "password": "12345678"}, "too common"),
        ({"username": "grace", "password": "short"}, "too short"),
        ({"username": "no spaces please", "password": GOOD["password"]}, "valid"),
        ({"username": "taken", "password": GOOD["password"]}, "this name already"),
    ],
)
def test_a_bad_account_leaves_the_invitation_open(
    company: Company, fields: dict[str, str], wrong: str
) -> None:
    User.objects.create_user("taken")
    token = token_of(company)
    before = User.objects.count()
    answer = make.client().post(f"/api/invites/{token}/accept", fields)
    assert answer.status_code == 422 and wrong in answer.json()["error"]
    assert User.objects.count() == before
    assert make.client().post(f"/api/invites/{token}/accept", GOOD).status_code == 201


def test_who_is_signed_in_joins_and_an_agent_does_not(company: Company) -> None:
    token = token_of(company, "viewer")
    agent = make.client_of(make.agent())
    assert agent.post(f"/api/invites/{token}/accept").status_code == 403
    stranger = make.operator()
    answer = make.client_of(stranger).post(f"/api/invites/{token}/accept")
    assert answer.status_code == 201
    assert company.memberships.get(user=stranger).role == "viewer"


def test_a_member_does_not_use_it_up(company: Company) -> None:
    token = token_of(company, "viewer")
    owner = make.owner_of(company)
    with pytest.raises(Conflict, match="already"):
        Invite.objects.of_token(token).accept(owner)
    assert company.memberships.get(user=owner).role == "owner"
    assert Invite.objects.of_token(token).status == "pending"


def spoilt(company: Company, way: str) -> str:
    token = token_of(company, "admin")
    invite = Invite.objects.get()
    if way == "used":
        invite.accept(make.operator())
    elif way == "revoked":
        invite.revoke(by=SYSTEM)
    elif way == "old":
        Invite.objects.update(expires_at=now() - timedelta(seconds=1))
    elif way == "archived":
        Company.objects.update(status="archived")
    elif way == "inviter gone":
        make.operator(company, "owner")
        place = company.memberships.get(user=invite.invited_by)
        place.end(by=make.by(place.user))
    elif way == "inviter fell":
        company.memberships.filter(user=invite.invited_by).update(role="operator")
    return "inv_unknown" if way == "unknown" else token


WAYS = ["used", "revoked", "old", "archived", "inviter gone", "inviter fell", "unknown"]


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_token_always_gets_the_same_answer(company: Company, way: str) -> None:
    token = spoilt(company, way)
    before = User.objects.count()
    url = f"/api/invites/{token}"
    other = make.client().get("/api/invites/nonsense").content
    assert make.client().get(url).content == other
    assert make.client().post(f"{url}/accept", GOOD).content == other
    page = Client().get(f"/invite/{token}")
    nonsense = Client().get("/invite/nonsense")
    assert (page.status_code, page.content) == (404, nonsense.content)
    posted = Client().post(f"/invite/{token}", GOOD)
    assert (posted.status_code, posted.content) == (404, nonsense.content)
    assert User.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_of_many_who_accept_one_gets_in(company: Company) -> None:
    token = token_of(company)
    people = [make.operator() for _ in range(6)]
    results = together(6, lambda i: Invite.objects.of_token(token).accept(people[i]))
    assert sum(isinstance(one, Missing) for one in results) == 5
    assert company.memberships.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_person_with_two_invitations_is_a_member_once(company: Company) -> None:
    tokens, who = [token_of(company), token_of(company)], make.operator()
    results = together(2, lambda i: Invite.objects.of_token(tokens[i]).accept(who))
    assert sum(isinstance(one, Conflict) for one in results) == 1
    assert company.memberships.filter(user=who).count() == 1


@pytest.mark.django_db(transaction=True)
def test_revoked_or_accepted_never_both(company: Company) -> None:
    for _ in range(4):
        invite, who = Invite.objects.of_token(token_of(company)), make.operator()
        acts = [partial(invite.accept, who), partial(invite.revoke, by=SYSTEM)]
        together(2, partial(call, acts))
        row = Invite.objects.get(pk=invite.pk)
        member = company.memberships.filter(user=who).exists()
        assert bool(row.accepted_at) is member is not bool(row.revoked_at)


def call(acts: list[Any], number: int) -> Any:
    return acts[number]()


def test_revoking_is_for_those_who_could_have_invited(company: Company) -> None:
    token_of(company, "owner")
    invite = company.invites.get()
    url = f"/api/invites/{invite.pk}/revoke"
    admin, owner = make.operator(company, "admin"), make.owner_of(company)
    stranger = make.operator(make.company("Else"), "owner")
    assert make.client_of(stranger).post(url).status_code == 404
    assert make.client_of(admin).post(url).status_code == 403
    assert make.client_of(owner).post(url).json()["status"] == "revoked"
    assert make.client_of(owner).post(url).status_code == 200
    with pytest.raises(NotAllowed):
        invite.revoke(by=make.by(admin))
