"""The catalogue of checks in a company's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from issues.models import Criterion
from issues.template import Template
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid
from paperclip.first_start import DIGITON
from tests import make
from tests.issues.test_template import SMALL, written

pytestmark = pytest.mark.django_db
PAGE = """
[[checks]]
id = "page"
type = "http"
title = "The page is online"
settings.url = "https://example.com/{page}"
parameters = [{ name = "page", type = "path" }]
"""


def test_the_shipped_company_has_a_catalogue() -> None:
    company = Template.read(DIGITON).found(owner=make.operator(), by=SYSTEM)
    kinds = dict(company.checks.values_list("key", "type"))
    assert kinds == {
        "branch": "git",
        "tests": "command",
        "handed-over": "git",
        "document": "file",
        "seen": "human",
    }
    issue = make.issue(company)
    wanted = {"check": "document", "parameters": {"key": "weekly-report"}}
    made = Criterion.objects.add(issue, by=SYSTEM, **wanted)
    assert "document weekly-report" in made.in_words


def test_a_file_of_ones_own_has_one(tmp_path: Path) -> None:
    template = Template.read(written(tmp_path, SMALL + PAGE))
    company = template.found(owner=make.operator(), by=SYSTEM)
    assert company.checks.get().title == "The page is online"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (PAGE + PAGE, "checks: page: two checks have this id."),
        (PAGE.replace('http"', 'shell"'), "checks: 1 (The page is online): type"),
        (PAGE.replace("{page}", "x"), "{page} is used nowhere"),
        (PAGE.replace("https://example.com", "https://{page}"), "The host is yours"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        Template.read(written(tmp_path, SMALL + wrong))
    assert said in str(caught.value)
