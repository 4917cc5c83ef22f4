"""Uploads: an issue's branch, as its worker hands it over in a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from django.db import transaction

from issues import remotes
from issues.models.work_product import OURS, WorkProduct
from issues.repositories import branch_of, owner_of, ready
from paperclip import audit
from paperclip.exceptions import BadRequest, Conflict, Invalid
from paperclip.git import Bare, Change, GitError, clear_up, scratch

if TYPE_CHECKING:
    from issues.models import Issue, Project
    from paperclip.actors import Actor

LARGEST = 100_000_000


def must_be_uploadable(issue: Issue, by: Actor) -> Project:
    """Only the one who works on it (or an operator) uploads, and nobody while it is
    reviewed: what is approved is what was looked at. The project it is for."""
    issue.must_be_writable(by)
    must_be_open(issue)
    if by.agent is not None and issue.assignee_agent_id != by.agent.pk:
        raise Conflict(
            f"{issue.identifier} is the work of {issue.assignee_agent or 'a person'}:"
            " its branch comes from there. Comment instead.",
            code="not_yours",
        )
    if issue.project is None:
        raise Invalid(f"{issue.identifier} belongs to no project: it has no branch.")
    return issue.project


def must_be_open(issue: Issue) -> None:
    owner = owner_of(issue)
    for one in (issue, owner):
        if one.is_closed:
            raise Conflict(
                f"{one.identifier} is {one.status}: its branch stays as it is. Open it"
                " again first, or file an issue for what is to change.",
                code="issue_closed",
            )
    if owner.is_under_review:
        raise Conflict(
            f"{owner.identifier} is being reviewed by {owner.assignee}: wait for the"
            " outcome, or comment.",
            code="under_review",
        )


def receive(issue: Issue, upload: IO[bytes], *, by: Actor) -> tuple[WorkProduct, bool]:
    """Take in the branch of an issue from a bundle; its work product, and whether that
    is new. The same upload again changes nothing.

    Conflict when the branch has moved on meanwhile, is under review or closed;
    BadRequest for a bundle of more than 100 MB, with another branch, or with anything
    that git finds unsound; Invalid for one with a secret in it. Nothing of what is
    refused stays here.
    """
    project = must_be_uploadable(issue, by)
    bare, branch = ready(project), branch_of(issue)
    incoming = f"refs/incoming/{uuid4()}"
    try:
        with saved(upload) as file, refusing(), bare.opened(file, branch) as aside:
            adds = looked_at(project, bare, aside, branch)
            must_hold_no_secret(aside, adds.commit, by)
            bare.take_in(aside, branch, incoming)
        with transaction.atomic():
            issue = held(issue)
            must_be_uploadable(issue, by)
            was = must_go_on(bare, bare, branch, adds.commit)
            if not bare.move(branch, adds.commit, was):
                raise moved_on(branch, was)
            return record(issue, project, adds, by=by)
    finally:
        bare.drop(incoming)


def held(issue: Issue) -> Issue:
    """The issue as it is now, kept until the commit together with the one whose branch
    it works on (in this order, as when it changes): no review begins meanwhile."""
    rows = type(issue).objects.select_for_update(no_key=True, of=["self"])
    issue = rows.select_related("project").get(pk=issue.pk)
    owner = owner_of(issue)
    if owner != issue:
        owner.refresh_from_db(from_queryset=rows)
    return issue


@contextmanager
def saved(upload: IO[bytes]) -> Iterator[Path]:
    """The upload as a file that is gone afterwards."""
    clear_up()
    with scratch() as file:
        size = 0
        while block := upload.read(1 << 20):
            size += len(block)
            if size > LARGEST:
                raise BadRequest(
                    f"The bundle is larger than {LARGEST} bytes.", code="too_large"
                )
            file.write(block)
        file.flush()
        yield Path(file.name)


@contextmanager
def refusing() -> Iterator[None]:
    """Tell the uploader what git has against the bundle."""
    try:
        yield
    except GitError as error:
        if "prerequisite" in str(error):
            raise Conflict(
                "The bundle builds on commits that are not here. Fetch the repository"
                " and bundle what is new to it.",
                code="missing_prerequisites",
            ) from None
        raise BadRequest(
            f"git does not take this bundle: {error}", code="bad_bundle"
        ) from None


def looked_at(project: Project, bare: Bare, aside: Bare, branch: str) -> Change:
    """What the branch that was opened aside adds to the project, if it may come in."""
    commit = aside.commit_of(branch) or ""
    must_go_on(bare, aside, branch, commit)
    return aside.change(bare.commit_of(project.default_branch) or "", commit)


def must_hold_no_secret(aside: Bare, commit: str, by: Actor) -> None:
    """Invalid for a branch with the value of a secret that its uploader was given: what
    is committed cannot be masked."""
    if not by.scrubber:
        return
    with scratch() as file:
        aside.write_new(commit, file)
        file.seek(0)
        if by.scrubber.finds_in(file):
            raise Invalid(
                "What this branch adds holds the value of a secret: in a message, the"
                " name of a file or its contents. Take it out of the commits (with git"
                " rebase -i, or a new branch), and upload again.",
                code="holds_secret",
            )


def must_go_on(bare: Bare, aside: Bare, branch: str, commit: str) -> str | None:
    """Refuse a commit in `aside` that does not continue our branch; where ours is."""
    was = bare.commit_of(branch)
    if was is not None and not aside.holds(was, commit):
        raise moved_on(branch, was)
    return was


def moved_on(branch: str, was: str | None) -> Conflict:
    return Conflict(
        f"{branch} has moved on: somebody uploaded {was} meanwhile. Fetch, merge"
        " it into yours, and upload again.",
        code="not_fast_forward",
        branchName=branch,
        commit=was,
    )


def record(
    issue: Issue, project: Project, adds: Change, *, by: Actor
) -> tuple[WorkProduct, bool]:
    """Name the branch among the work products of the issue it belongs to."""
    owner, branch = owner_of(issue), branch_of(issue)
    facts = {
        "commit": adds.commit,
        "base": adds.base,
        "baseRef": project.default_branch,
        "files": adds.files,
        "stat": adds.stat,
    }
    named = owner.work_products.filter(type="branch", external_id=branch)
    # What others said of a branch of this name gives way to what git says.
    named.exclude(provider=OURS).delete()
    product = named.first()
    if product is not None and (product.metadata or {}).get("commit") == adds.commit:
        return product, False
    is_new = product is None
    product = product or WorkProduct(
        company_id=issue.company_id, issue=owner, type="branch", external_id=branch
    )
    product.project, product.title, product.provider = project, branch, OURS
    product.metadata, product.summary = facts, adds.stat or None
    product.review_state, product.created_by_run_id = "none", by.run_id
    product.status = "pushing" if project.repo_url else "active"
    product.save()
    audit.record(
        by,
        "issue.branch_uploaded",
        issue,
        identifier=issue.identifier,
        branch=branch,
        commit=adds.commit,
        stat=adds.stat,
    )
    if project.repo_url:
        remotes.ring()
    return product, is_new
