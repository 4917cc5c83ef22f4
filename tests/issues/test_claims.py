"""Done is what was checked (T-11a to T-11c)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.models import Run
from issues import checking, repositories, verdicts
from issues.models import Claim, Criterion, Evidence, Issue
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity
from tests import make
from tests.issues.evidence import (
    RIGHT,
    TEST,
    WRONG,
    checked,
    claimed,
    dev,
    ended,
    project,
    suite,
    worked_on,
)

# A check lets go of its connection while it waits.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issue(tmp_path: Path) -> Issue:
    """An issue of a project, to be proven by its tests."""
    worker = dev()
    check = suite(worker.company)
    made = make.issue(
        worker.company,
        title="Build it",
        project=project(worker.company, tmp_path / "first"),
        assignee_agent=worker,
    )
    Criterion.objects.add(made, by=SYSTEM, check=check)
    return made


def test_done_is_a_claim_until_it_was_checked(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claim = claimed(issue, by)
    assert issue.status == "in_review" and issue.completed_at is None
    assert issue.assignee_agent == by.agent and not issue.is_under_review
    assert claim.status == Claim.Status.PENDING and claim.agent == by.agent
    again = claimed(issue, by)
    assert again == claim and issue.claims.count() == 1


def test_what_passes_is_done_with_its_receipt(issue: Issue, tmp_path: Path) -> None:
    work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    claim = checked(issue)
    assert (issue.status, claim.status) == ("done", Claim.Status.VERIFIED)
    receipt = Evidence.objects.get(issue=issue)
    assert (receipt.outcome, receipt.by_name) == ("passed", "Paperclip")
    facts = receipt.facts
    assert facts["exitCode"] == 0 and "OK" in facts["output"]
    assert facts["commit"] == work.git("rev-parse", "HEAD")
    assert len(facts["treeDigest"]) == len(facts["outputDigest"]) == 64
    assert issue.is_proven() and issue.project is not None
    # Its tests were run here: nobody else has to look before it is merged.
    assert repositories.show(issue.project, "main", "tool.py") == RIGHT.encode()
    (act,) = Activity.objects.filter(action="issue.checked")
    assert (act.actor_id, act.details["passed"]) == ("checker", 1)


def test_what_fails_goes_back_with_the_failure(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG)
    claimed(issue, by)
    ended(by)
    claim = checked(issue)
    assert (issue.status, claim.status) == ("in_progress", Claim.Status.REFUSED)
    assert issue.assignee_agent == by.agent and issue.completed_at is None
    said = issue.comments.last()
    assert said is not None and "-1 != 5" in said.body
    assert by.agent is not None
    woken = by.agent.wakeups.get(reason="issue_check_failed")
    assert woken.issue_id == issue.pk
    run = by.agent.runs.get(status="queued")
    assert str(said.pk) in run.comment_ids
    assert Evidence.objects.get(issue=issue).facts["exitCode"] == 1


def test_the_author_cannot_weaken_the_test(issue: Issue, tmp_path: Path) -> None:
    weak = TEST.replace("5", "-1")
    files = {"tests__test_tool_py": weak, "tests__test_more_py": "import unittest\n"}
    _work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG, **files)
    claimed(issue, by)
    ended(by)
    assert checked(issue).status == Claim.Status.REFUSED
    assert "-1 != 5" in Evidence.objects.get(issue=issue).facts["output"]


def test_a_test_run_that_never_happened_is_refused(issue: Issue) -> None:
    """Nothing was handed over at all, whatever is said of it."""
    by = make.working(issue.assignee_agent, issue)  # type: ignore[arg-type]
    issue.check_out(by.agent, by.run, ["todo"], by=by)
    issue.change(by=by, status="done", comment="All 12 tests pass, exit code 0.")
    ended(by)
    assert checked(issue).status == Claim.Status.REFUSED
    last = issue.comments.last()
    assert last is not None and "No branch was handed over" in last.body


def test_the_branch_cannot_stand_in_for_what_checks_it(
    issue: Issue, tmp_path: Path
) -> None:
    """Python would take these for its own modules, or obey them."""
    liar = "import sys\nprint('OK')\nsys.exit(0)\n"
    work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG)
    for name in ("unittest.py", "unittest/__init__.py", "sitecustomize.py", "a.pth"):
        work.write(name, liar)
    assert work.upload().status_code == 200
    claimed(issue, by)
    ended(by)
    assert checked(issue).status == Claim.Status.REFUSED
    facts = Evidence.objects.get(issue=issue).facts
    assert "-1 != 5" in facts["output"]
    assert {"unittest", "unittest.*"} <= set(facts["ownFiles"])


def test_what_cannot_be_checked_waits_for_a_person(
    issue: Issue, tmp_path: Path
) -> None:
    criterion = issue.criteria.get()
    settings = {**criterion.check_of.settings, "own_files": ["acceptance"]}
    criterion.check_of.change(by=SYSTEM, settings=settings)
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    assert checked(issue).status == Claim.Status.UNABLE
    owner = make.owner_of(issue.company)
    assert (issue.status, issue.assignee_user) == ("in_review", owner)
    last = issue.comments.last()
    assert last is not None and "none of its own files" in last.body
    settings["own_files"] = ["tests"]
    criterion.check_of.change(by=SYSTEM, settings=settings)
    verdicts.check_again(issue, by=make.by(owner))
    assert checked(issue).status == Claim.Status.VERIFIED
    assert (issue.status, issue.assignee_agent) == ("done", by.agent)


def test_a_reviewer_sees_it_after_the_check(issue: Issue, tmp_path: Path) -> None:
    qa = make.agent(issue.company, name="QA")
    issue.assignee_agent.change(by=SYSTEM, reviewer=qa)  # type: ignore[union-attr]
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    assert not qa.wakeups.exists()
    checked(issue)
    assert (issue.status, issue.assignee_agent) == ("in_review", qa)
    assert qa.wakeups.filter(issue_id=issue.pk).exists()
    assert issue.project is not None
    assert repositories.show(issue.project, "main", "tool.py") is None
    judge = make.working(qa, issue)
    issue.change(by=judge, status="done", comment="I read it.")
    assert issue.status == "done"
    assert repositories.show(issue.project, "main", "tool.py") == RIGHT.encode()


def test_what_was_changed_under_review_is_checked_again(
    issue: Issue, tmp_path: Path
) -> None:
    qa = make.agent(issue.company, name="QA")
    issue.assignee_agent.change(by=SYSTEM, reviewer=qa)  # type: ignore[union-attr]
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    checked(issue)
    owner = make.by(make.owner_of(issue.company))
    issue.documents.model.objects.write(issue, "plan", by=owner, body="Another plan.")
    issue.change(by=make.working(qa, issue), status="done", comment="I read it.")
    assert (issue.status, issue.assignee_agent) == ("in_review", by.agent)
    assert issue.claims.first().status == Claim.Status.PENDING
    checked(issue)
    assert issue.status == "done" and issue.claims.count() == 2


# --- T-11b -----------------------------------------------------------------------


def test_a_commit_of_another_issue_is_no_proof(issue: Issue, tmp_path: Path) -> None:
    other = make.issue(
        issue.company, project=issue.project, assignee_agent=make.agent(issue.company)
    )
    theirs, _by = worked_on(other, tmp_path / "other", tool_py=RIGHT)
    _work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG)
    commit = theirs.git("rev-parse", "HEAD")
    with pytest.raises(Invalid, match="its branch is at") as refusal:
        claimed(issue, by, evidence=[{"type": "commit", "ref": commit}])
    assert refusal.value.code == "stale_evidence"
    issue.refresh_from_db()
    assert issue.status == "in_progress" and not issue.claims.exists()


def test_an_old_run_is_no_proof(issue: Issue, tmp_path: Path) -> None:
    old = make.working(issue.assignee_agent, issue)  # type: ignore[arg-type]
    ended(old)
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    with pytest.raises(Invalid, match="not the newest run"):
        claimed(issue, by, evidence=[{"type": "run", "ref": str(old.run_id)}])
    mine = [{"type": "run", "ref": str(by.run_id)}]
    assert claimed(issue, by, evidence=mine).evidence == mine


def test_a_document_that_was_changed_is_no_proof(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    documents = issue.documents.model.objects
    first, _new = documents.write(issue, "report", by=by, body="One.")
    old = first.revisions.first().pk
    documents.write(issue, "report", by=by, body="Two.", base_revision=old)
    with pytest.raises(Invalid, match="not the newest revision"):
        claimed(issue, by, evidence=[{"type": "document", "ref": str(old)}])


def test_a_commit_during_the_check_is_checked_too(issue: Issue, tmp_path: Path) -> None:
    work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    claim = Claim.objects.take("test", 2)
    assert claim is not None
    stand = issue.stand()
    looks = list(checking.looks_at(issue, claim))
    work.write("tool.py", WRONG)
    assert work.upload().status_code == 200
    verdicts.conclude(claim, stand, looks)
    claim.refresh_from_db()
    assert claim.status == Claim.Status.PENDING and not Evidence.objects.exists()
    ended(by)
    assert checked(issue).status == Claim.Status.REFUSED


def test_evidence_older_than_the_last_change_does_not_count(
    issue: Issue, tmp_path: Path
) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    checked(issue)
    assert issue.is_proven()
    criterion = issue.criteria.get()
    harder = {**criterion.check_of.settings, "expects": "Ran 2 tests"}
    criterion.check_of.change(by=SYSTEM, settings=harder)
    assert not Issue.objects.get(pk=issue.pk).is_proven()


# --- T-11c -----------------------------------------------------------------------


def test_a_parent_does_not_close_over_open_parts() -> None:
    worker = dev()
    parent = make.issue(assignee_agent=worker)
    part = make.issue(worker.company, parent=parent, title="Part")
    by = make.working(worker, parent)
    parent.check_out(worker, by.run, ["todo"], by=by)
    for who in (by, make.by(make.owner_of(worker.company))):
        with pytest.raises(Conflict, match="open parts") as refusal:
            parent.change(by=who, status="done")
        assert refusal.value.details["openChildren"] == [part.identifier]
    part.change(by=SYSTEM, status="cancelled")
    parent.change(by=by, status="done")
    assert parent.status == "done"


def test_it_does_not_close_over_an_unmerged_pull_request(
    issue: Issue, tmp_path: Path
) -> None:
    issue.criteria.all().delete()
    work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    commit = work.git("rev-parse", "HEAD")
    asked = issue.work_products.model.objects.add(
        issue, by=by, type="pull_request", title="PR 7", status="open"
    )
    with pytest.raises(Conflict, match="PR 7 is not merged"):
        issue.change(by=by, status="done")
    # Its word alone is none, and git does not say so either.
    asked.change(by=by, status="merged", metadata={"commit": commit})
    with pytest.raises(Conflict, match="PR 7 is not merged"):
        issue.change(by=by, status="done")
    repositories.merge(issue, by=SYSTEM)
    issue.change(by=by, status="done")
    assert issue.status == "done"


def test_parts_are_a_criterion(issue: Issue) -> None:
    worker = issue.assignee_agent
    parent = make.issue(issue.company, assignee_agent=worker)
    Criterion.objects.add(parent, by=SYSTEM, type="children", title="All parts")
    part = make.issue(issue.company, parent=parent)
    part.change(by=SYSTEM, status="cancelled")
    by = make.working(worker, parent)  # type: ignore[arg-type]
    parent.check_out(worker, by.run, ["todo"], by=by)
    claimed(parent, by)
    ended(by)
    assert checked(parent).said == "- **All parts**: It has no parts."


# --- who may say what ----------------------------------------------------------------


def test_a_free_criterion_of_an_agent_is_only_proposed() -> None:
    worker = dev()
    made = make.issue(assignee_agent=worker)
    by = make.working(worker, made)
    free = {
        "type": "command",
        "title": "Run mine",
        "settings": {"command": ["touch", "canary"]},
    }
    criterion = Criterion.objects.add(made, by=by, **free)
    assert criterion.state == "proposed"
    made.check_out(worker, by.run, ["todo"], by=by)
    made.change(by=by, status="done")
    # Nothing was run for it: there is nothing that counts.
    assert made.status == "done"
    assert made.claims.get().status == Claim.Status.UNVERIFIED
    for nobody in (by, make.working(make.agent(worker.company))):
        with pytest.raises(NotAllowed):
            criterion.accept(by=nobody)
    criterion.accept(by=make.by(make.owner_of(worker.company)))
    assert (criterion.state, criterion.accepted_by is None) == ("accepted", False)


def test_nobody_sets_its_own_examination() -> None:
    worker = dev()
    boss = make.agent(worker.company, name="Boss")
    worker.change(by=SYSTEM, reports_to=boss)
    suite(worker.company)
    made = make.issue(assignee_agent=worker)
    own = Criterion.objects.add(made, by=make.working(worker, made), check="tests")
    assert own.state == "proposed"
    lead = make.working(boss)
    set_by_boss = Criterion.objects.add(made, by=lead, check="tests")
    assert set_by_boss.state == "accepted"
    with pytest.raises(NotAllowed, match="changed by people"):
        set_by_boss.remove(by=lead)


def test_the_role_says_what_is_checked(issue: Issue, tmp_path: Path) -> None:
    issue.criteria.all().delete()
    check = issue.company.checks.get()
    check.change(by=SYSTEM, roles=["engineer"])
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    assert checked(issue).status == Claim.Status.VERIFIED
    assert issue.criteria.get().origin == "role"


@pytest.mark.parametrize("has_reviewer", [True, False])
def test_a_role_may_be_a_persons_to_accept(has_reviewer: bool) -> None:
    """Criteria, else a reviewer, else a human."""
    worker = dev()
    qa = make.agent(worker.company, name="QA")
    if has_reviewer:
        worker.change(by=SYSTEM, reviewer=qa)
    worker.company.checks.model.objects.define(
        worker.company,
        by=SYSTEM,
        key="seen",
        type="human",
        title="Somebody has seen it",
        roles=["engineer"],
    )
    made = make.issue(assignee_agent=worker)
    by = make.working(worker, made)
    made.check_out(worker, by.run, ["todo"], by=by)
    claimed(made, by)
    ended(by)
    if has_reviewer:
        assert made.assignee_agent == qa
        return
    assert checked(made).status == Claim.Status.UNABLE
    owner = make.owner_of(worker.company)
    assert (made.status, made.assignee_user) == ("in_review", owner)
    criterion = made.criteria.get()
    with pytest.raises(NotAllowed):
        verdicts.accept_by_hand(criterion, by=by)
    verdicts.accept_by_hand(criterion, by=make.by(owner), note="I have seen it.")
    made.refresh_from_db()
    assert (made.status, made.assignee_agent) == ("done", worker)
    last = made.claims.first()
    assert (last.status, last.accepted_by) == ("accepted", owner.username)
    assert Evidence.objects.get(outcome="accepted").by_name == owner.username


def test_without_criteria_done_is_claimed_and_unverified() -> None:
    worker = dev()
    made = make.issue(assignee_agent=worker)
    by = make.working(worker, made)
    made.check_out(worker, by.run, ["todo"], by=by)
    claim = claimed(made, by)
    assert (made.status, claim.status) == ("done", Claim.Status.UNVERIFIED)


def test_a_person_takes_it_as_it_is(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG)
    claim = claimed(issue, by)
    ended(by)
    owner = make.owner_of(issue.company)
    issue.change(by=make.by(owner), status="done")
    claim.refresh_from_db()
    assert (claim.status, claim.accepted_by) == ("accepted", owner.username)
    assert issue.status == "done" and not Evidence.objects.exists()


def test_four_refusals_are_a_persons_to_decide(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG)
    for times in range(1, 5):
        claimed(issue, by)
        assert checked(issue).status == Claim.Status.REFUSED
        assert issue.status == ("in_review" if times == 4 else "in_progress")
    assert issue.assignee_user == make.owner_of(issue.company)
    last = issue.comments.last()
    assert last is not None and "4 checks failed" in last.body
    ended(by)


def test_receipts_are_written_once(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    checked(issue)
    receipt = Evidence.objects.get()
    with pytest.raises(TypeError):
        receipt.save()
    with pytest.raises(TypeError):
        receipt.delete()
    assert Run.objects.live().count() == 0


def test_a_criterion_accepted_during_the_check_is_looked_at_too(
    issue: Issue, tmp_path: Path
) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    claim = Claim.objects.take("test", 2)
    assert claim is not None
    stand, looks = issue.stand(), list(checking.looks_at(issue, claim))
    Criterion.objects.add(issue, by=SYSTEM, type="human", title="Seen")
    verdicts.conclude(claim, stand, looks)
    claim.refresh_from_db()
    assert claim.status == Claim.Status.PENDING
    assert checked(issue).status == Claim.Status.UNABLE
    # Asked again it is still a person's to say.
    owner = make.by(make.owner_of(issue.company))
    verdicts.check_again(issue, by=owner)
    assert checked(issue).status == Claim.Status.UNABLE
    assert issue.status == "in_review" and issue.assignee_agent is None


def test_a_part_filed_during_the_check_keeps_it_open(
    issue: Issue, tmp_path: Path
) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    claimed(issue, by)
    ended(by)
    part = make.issue(issue.company, parent=issue)
    assert checked(issue).status == Claim.Status.REFUSED
    last = issue.comments.last()
    assert last is not None and part.identifier in last.body
    assert issue.status == "in_progress"


def test_done_said_while_a_person_looks_is_a_claim(
    issue: Issue, tmp_path: Path
) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    owner = make.by(make.owner_of(issue.company))
    asked = verdicts.check_again(issue, by=owner)
    assert asked.agent is None
    taken = Claim.objects.take("test", 2)
    assert taken == asked
    claim = claimed(issue, by)
    ended(by)
    assert claim == asked and claim.agent == by.agent
    # Whoever looked for the person comes too late.
    verdicts.conclude(taken, issue.stand(), [])
    assert checked(issue).status == Claim.Status.VERIFIED
    assert issue.status == "done"


def test_a_look_moves_nothing(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    verdicts.check_again(issue, by=make.by(make.owner_of(issue.company)))
    assert checked(issue).status == Claim.Status.VERIFIED
    assert issue.status == "in_progress" and issue.is_proven()
    ended(by)


def test_a_persons_key_in_a_run_is_no_way_around(issue: Issue, tmp_path: Path) -> None:
    _work, by = worked_on(issue, tmp_path / "work", tool_py=WRONG)
    owner = make.owner_of(issue.company)
    masked = replace(make.by(owner), run=by.run)
    issue.change(by=masked, status="done")
    issue.refresh_from_db()
    assert issue.status == "in_review"
    assert issue.claims.first().status == Claim.Status.PENDING
    ended(by)
    assert checked(issue).status == Claim.Status.REFUSED
