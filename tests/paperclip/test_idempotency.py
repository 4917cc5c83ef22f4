"""A POST that is sent twice happens once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.models import ApiKey
from issues.models import Comment, Issue
from paperclip.models import Company, IdempotencyKey
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db

KEY = {"HTTP_IDEMPOTENCY_KEY": "abc"}


@pytest.fixture
def company() -> Company:
    return make.company()


def file(client: Any, company: Company, title: str = "One", **headers: str) -> Any:
    body = {"title": title, "allowDuplicate": True}
    return client.post(f"/api/companies/{company.pk}/issues", body, **headers)


def test_the_second_gets_the_firsts_answer(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    first, second = (file(client, company, **KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Issue.objects.count() == 1


def test_without_a_key_it_happens_twice(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    for _ in range(2):
        file(client, company)
    assert Issue.objects.count() == 2


def test_a_key_is_for_one_request(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    file(client, company, **KEY)
    other_body = file(client, company, "Two", **KEY)
    other_route = client.post("/api/companies", {"name": "New"}, **KEY)
    for response in (other_body, other_route):
        assert response.status_code == 422
        assert response.json()["code"] == "idempotency_key_reused"
    assert Issue.objects.count() == 1


def test_the_same_body_spaced_otherwise_is_the_same(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    url = f"/api/companies/{company.pk}/issues"
    body = {"title": "One", "status": "todo"}
    for text in (json.dumps(body), json.dumps(dict(reversed(body.items())), indent=4)):
        response = client.post(url, text, content_type="application/json", **KEY)
        assert response.status_code == 201
    assert Issue.objects.count() == 1


def test_a_key_is_ones_own(company: Company) -> None:
    people = [make.operator(company) for _ in range(2)]
    for person in people:
        assert file(make.client_of(person), company, **KEY).status_code == 201
    assert Issue.objects.count() == 2


def test_a_refusal_is_not_kept(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    issue = make.issue(company)
    issue.change(by=make.SYSTEM, status="done")
    url = f"/api/issues/{issue.pk}/release"
    assert client.post(url, **KEY).status_code == 409
    assert not IdempotencyKey.objects.exists()
    issue.change(by=make.SYSTEM, status="todo")
    assert client.post(url, **KEY).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_has_a_length(company: Company, key: str) -> None:
    client = make.client_of(make.owner_of(company))
    response = file(client, company, HTTP_IDEMPOTENCY_KEY=key)
    assert response.status_code == 400
    assert "1 to 255" in response.json()["error"]


def test_a_secret_is_not_kept_with_the_answer(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    url = f"/api/agents/{make.agent(company).pk}/keys"
    before = ApiKey.objects.count()
    first, second = (client.post(url, {}, **KEY) for _ in range(2))
    assert first.json()["token"].startswith("pcp_")
    assert second.json() == {**first.json(), "token": None}
    assert ApiKey.objects.count() == before + 1
    assert first.json()["token"] not in str(IdempotencyKey.objects.values_list())


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_happens() -> None:
    company = make.company()
    issue = make.issue(company)
    token = make.key(make.owner_of(company))
    url = f"/api/issues/{issue.pk}/comments"

    def say(_: int) -> Any:
        return make.client(token).post(url, {"body": "Once."}, **KEY)

    answers = together(8, say)
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.json()["id"] for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert (replayed.count(None), replayed.count("true")) == (1, 7)
    assert Comment.objects.count() == 1
