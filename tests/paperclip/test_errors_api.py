"""Whatever goes wrong, the answer is JSON of one shape."""

from __future__ import annotations

import logging

import pytest
from django.db import OperationalError

from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nope", "/api/issues/x/y/z/"])
@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_an_unknown_route_is_told(path: str, method: str) -> None:
    response = getattr(make.client(), method)(path)
    assert response.status_code == 404
    assert response.json() == {"error": "API route not found", "code": "not_found"}


def test_a_trailing_slash_is_another_route() -> None:
    assert make.client().get("/api/health/").status_code == 404


def test_a_wrong_method_is_told(company: Company) -> None:
    response = make.client_of(make.owner_of(company)).delete("/api/companies")
    assert (response.status_code, response.json()["code"]) == (
        405,
        "method_not_allowed",
    )
    assert "GET" in response["Allow"]


def test_a_wrong_form_names_each_field(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    body = {
        "title": 5,
        "status": "nope",
        "priority": 1,
        "requestDepth": "3",
        "labelIds": ["x"],
        "allowDuplicate": "yes",
        "assigneeAgentId": 7,
        "colour": "red",
    }
    response = client.post(f"/api/companies/{company.pk}/issues", body)
    assert response.status_code == 400
    problems = response.json()
    assert (problems["error"], problems["code"]) == ("Validation error", "validation")
    paths = [problem["path"] for problem in problems["details"]]
    wanted = [[name] for name in body if name != "labelIds"] + [["labelIds", 0]]
    assert sorted(map(str, paths)) == sorted(map(str, wanted))
    assert all({"path", "message", "code"} == p.keys() for p in problems["details"])


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1,",
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b'{"\\u0000": 1}',
        b"[" * 100_000,
        b'{"name": 1' + b"0" * 5000 + b"}",
        b'["a list"]',
        b'"a text"',
        b"null",
    ],
)
def test_a_body_that_is_no_object_is_refused(company: Company, body: bytes) -> None:
    client = make.client_of(make.owner_of(company))
    response = client.post("/api/companies", body, content_type="application/json")
    assert response.status_code == 400, response.content
    assert response.json()["code"] in ("malformed", "validation")


def test_a_body_in_another_format_is_refused(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    response = client.post("/api/companies", "name=x", content_type="text/plain")
    assert (response.status_code, "error" in response.json()) == (415, True)


def test_a_body_that_is_too_large_is_refused(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    response = client.post("/api/companies", {"name": "x" * 3_000_000})
    assert (response.status_code, response.json()["code"]) == (400, "too_large")


def test_a_browser_gets_json_too(company: Company) -> None:
    response = make.client().get("/api/companies", HTTP_ACCEPT="text/html")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("secret"), 500), (OperationalError("secret"), 503)],
)
def test_a_fault_of_ours_is_logged_and_not_shown(
    company: Company,
    error: Exception,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = make.client_of(make.owner_of(company))

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr("paperclip.api.companies.CompanyShape.to_representation", fail)
    with caplog.at_level(logging.ERROR):
        response = client.get(f"/api/companies/{company.pk}")
    assert response.status_code == status
    assert response.json().keys() == {"error", "code"}
    assert "secret" not in response.content.decode()
    assert "secret" in caplog.text


def test_an_unknown_host_gets_json() -> None:
    response = make.client().get("/api/health", HTTP_HOST="evil.example")
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
