"""A secret that gets into the details of an act is not written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.models import Secret
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.models import Activity, Company
from tests import make

SECRETS = ['s3cr\\et"ü', "s3cr", "77712345", "🖇 key"]
OURS = UUID(int=7)


def ours(company_id: UUID) -> list[str]:
    return SECRETS if company_id == OURS else []


@pytest.fixture(autouse=True, scope="module")
def _known() -> Iterator[None]:
    before, audit.secrets_of = audit.secrets_of, [ours]
    yield
    audit.secrets_of = before


def test_values_keys_and_numbers_are_redacted() -> None:
    said = {"a": [f"x {SECRETS[0]} y", {"s3cr": 1}], "n": 777123456, "ok": [1, None]}
    assert audit.redact(OURS, said) == {
        "a": ["x [redacted] y", {"[redacted]": 1}],
        "n": "[redacted]6",
        "ok": [1, None],
    }
    assert audit.redact(UUID(int=8), said) is said
    clean = {"title": "Nothing of it"}
    assert audit.redact(OURS, clean) is clean


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.sampled_from(SECRETS) | st.text() | st.integers() | st.none(),
        lambda kids: (
            st.lists(kids)
            | st.dictionaries(st.text() | st.sampled_from(SECRETS), kids)
            | st.builds("{}{}{}".format, st.text(), kids, st.text())
        ),
    )
)
def test_no_secret_survives(details: Any) -> None:
    def strings(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, list):
            for one in value:
                yield from strings(one)
        else:
            yield str(value)

    for text in strings(audit.redact(OURS, details)):
        assert not any(secret in text for secret in SECRETS)


@pytest.mark.django_db
def test_an_act_is_written_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    company: Company = make.company()
    monkeypatch.setattr(
        audit, "secrets_of", [lambda pk: ["hunter2"] * (pk == company.pk)]
    )
    with transaction.atomic():
        audit.record(SYSTEM, "company.updated", company, note="is hunter2!")
    assert Activity.objects.latest("seq").details == {"note": "is [redacted]!"}


@pytest.mark.django_db
def test_what_a_person_types_is_written_without_the_companys_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "secrets_of", [audit.kept])
    company, other = make.company(), make.company("Other")
    Secret.objects.keep(company, by=SYSTEM, name="Key", value="hunter2-hunter2")
    for each in (company, other):
        make.goal(each, title="Use hunter2-hunter2 for it")
    said = {
        act.company_id: act.details["title"]
        for act in Activity.objects.filter(action="goal.created")
    }
    assert said[company.pk] == "Use [redacted] for it"
    assert said[other.pk] == "Use hunter2-hunter2 for it"
