"""What came out of an issue: its documents, its branches, its parts and its price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from issues.models import Document, Issue
from issues.models.fix import FIX
from tests import make
from tests.clones import clone
from tests.console.test_control_room import spend

pytestmark = pytest.mark.django_db


@pytest.fixture
def issue(company: Any) -> Issue:
    return make.issue(company, title="Write a post")


def write(issue: Issue, *bodies: str) -> None:
    by, base = make.by(make.owner_of(issue.company)), None
    for body in bodies:
        document, _new = Document.objects.write(
            issue, "plan", by=by, title="The plan", body=body, base_revision=base
        )
        newest = document.revisions.first()
        assert newest is not None
        base = newest.pk


def test_a_document_is_read_with_its_revisions(console: Any, issue: Issue) -> None:
    write(issue, "# One\n\nsame", "# Two\n\nsame")
    url = f"/issues/{issue.identifier}/documents/plan"
    assert url in console.get(f"/issues/{issue.identifier}").content.decode()
    newest = console.get(url).content.decode()
    assert "<h1>Two</h1>" in newest and "older revision" not in newest
    older = console.get(f"{url}?revision=1").content.decode()
    assert "<h1>One</h1>" in older and "older revision" in older


def test_a_revision_says_what_it_changed(console: Any, issue: Issue) -> None:
    write(issue, "# One\n--- rule\nsame", "# Two\nsame")
    url = f"/issues/{issue.identifier}/documents/plan?view=changes"
    lines = [(line.kind, line.text) for line in console.get(url).context["diff"]]
    assert ("removed", "-# One") in lines and ("added", "+# Two") in lines
    assert ("removed", "---- rule") in lines and ("same", " same") in lines
    first = console.get(f"{url}&revision=1").context["diff"]
    assert {line.kind for line in first} == {"place", "added"}


@pytest.mark.parametrize("which", ["other", "plan?revision=9"])
def test_a_document_that_is_none_is_missing(
    console: Any, issue: Issue, which: str
) -> None:
    write(issue, "# One")
    url = f"/issues/{issue.identifier}/documents/{which}"
    assert console.get(url).status_code == 404


def test_documents_of_others_do_not_exist(stranger: Any, issue: Issue) -> None:
    write(issue, "# One")
    url = f"/issues/{issue.identifier}/documents/plan"
    assert stranger.get(url).status_code == 404


def test_a_branch_is_shown_with_what_it_changes(
    console: Any, stranger: Any, company: Any, tmp_path: Path
) -> None:
    dev = make.agent(company, max_concurrent_runs=2)
    project = make.project(company, name="Our site")
    issue = make.issue(company, project=project, assignee_agent=dev)
    mine = clone(tmp_path / "a", issue)
    mine.write("site/index.html", "<h1>Hello</h1>\n")
    product = mine.upload().json()
    url = f"/issues/{issue.identifier}/work/{product['id']}"
    assert url in console.get(f"/issues/{issue.identifier}").content.decode()
    answer = console.get(url)
    lines = [(line.kind, line.text) for line in answer.context["diff"]]
    assert ("file", "site/index.html") in lines
    assert ("added", "+<h1>Hello</h1>") in lines
    text = answer.content.decode()
    assert "Write site/index.html" in text and "+&lt;h1&gt;Hello" in text
    assert stranger.get(url).status_code == 404


def test_parts_are_shown_with_their_parts(console: Any, issue: Issue) -> None:
    part = make.issue(issue.company, title="A part", parent=issue)
    deeper = make.issue(issue.company, title="A part of it", parent=part)
    make.issue(issue.company, title="The deepest", parent=deeper)
    text = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "A part of it" in text and "The deepest" in text


def test_an_issue_says_what_it_cost(console: Any, issue: Issue) -> None:
    agent = make.agent(issue.company)
    spend(agent, 4200, issue_id=issue.pk)
    assert "$0.0042" in console.get(f"/issues/{issue.identifier}").content.decode()


def test_a_review_says_where_it_stands(console: Any, company: Any) -> None:
    qa = make.agent(company, name="QA")
    dev = make.agent(company, name="Dev", reviewer=qa)
    issue = make.issue(company, assignee_agent=dev)
    by = make.working(dev, issue)
    issue.check_out(dev, by.run, ["todo"], by=by)
    issue.change(by=by, status="done")
    text = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "Waits for QA&#x27;s review of what Dev did." in text
    issue.change(by=make.working(qa, issue), status="todo", comment="cost(0) is 900")
    text = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "1 review failed before." in text
    assert issue.children.get().origin_kind == FIX


def asked(company: Any, asker: str = "CMO") -> Issue:
    cmo = make.agent(company, name=asker)
    issue = make.issue(company, title="Formal or friendly?")
    issue.comment("Formal or friendly?", by=make.working(cmo))
    issue.change(
        by=make.by(make.owner_of(company)), assignee_user=make.owner_of(company)
    )
    return issue


def test_an_answer_gives_the_issue_back(console: Any, company: Any) -> None:
    issue = asked(company)
    page = console.get(f"/issues/{issue.identifier}")
    assert page.context["question"].body == "Formal or friendly?"
    cmo = page.context["asker"]
    console.post(
        f"/issues/{issue.identifier}/answer", {"body": "Friendly.", "to": cmo.pk}
    )
    issue.refresh_from_db()
    assert (issue.assignee_agent, issue.assignee_user) == (cmo, None)
    assert issue.status == "todo"
    assert issue.comments.order_by("-created_at")[0].body == "Friendly."
    assert cmo.runs.filter(issue_id=issue.pk, status="queued").exists()


def test_an_answer_that_is_refused_is_not_lost(console: Any, company: Any) -> None:
    issue = asked(company)
    url = f"/issues/{issue.identifier}/answer"
    empty = console.post(url, {"body": " ", "to": ""})
    assert empty.status_code == 400 and "Write an answer" in empty.content.decode()
    gone = issue.comments.get().author_agent
    assert gone is not None
    gone.terminate(by=make.by(make.owner_of(company)))
    refused = console.post(url, {"body": "Friendly.", "to": gone.pk})
    assert refused.status_code == 422 and "Friendly.</textarea>" in (
        refused.content.decode()
    )
    issue.refresh_from_db()
    assert issue.assignee_user is not None


@pytest.mark.parametrize("to", ["x", "8" * 32])
def test_an_answer_to_nobody_is_refused(console: Any, company: Any, to: str) -> None:
    issue = asked(company)
    url = f"/issues/{issue.identifier}/answer"
    answer = console.post(url, {"body": "Friendly.", "to": to})
    assert answer.status_code == 422


def test_an_answer_goes_to_no_other_company(console: Any, company: Any) -> None:
    issue, foreign = asked(company), make.agent()
    url = f"/issues/{issue.identifier}/answer"
    assert console.post(url, {"body": "x", "to": foreign.pk}).status_code == 422
