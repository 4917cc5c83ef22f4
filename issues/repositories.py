"""The repository of a project: how agents share work without sharing a directory.

Each project has a bare repository below the home of the host that serves the API, and
everybody else, also workers on other hosts, reaches it over HTTP only: a bundle of all
branches comes down, a bundle with one issue's branch goes up. An agent never writes to
the default branch; approving an issue merges its branch.

Where the project names a remote, `remotes.py` fetches what is new there before it is
served, and pushes what was taken in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from django.db import transaction

from agents.rehearsal.world import PLAYED
from issues import remotes
from issues.models.project import Project
from issues.models.work_product import OURS, WorkProduct
from paperclip import audit
from paperclip.exceptions import BadRequest, Conflict, Invalid, Missing
from paperclip.git import Bare, Change, GitError, Merge, clear_up, scratch

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from issues.models import Issue
    from paperclip.actors import Actor

LARGEST = 100_000_000
REVIEW_FIX = "review_fix"


def of(project: Project) -> Bare:
    """The repository of a project, as it is here now."""
    return Bare(str(project.pk))


def ready(project: Project) -> Bare:
    """The repository, made on first use and as fresh as its remote allows.

    Conflict when it has a remote that cannot be reached and nothing was fetched yet;
    later on what was fetched last is served, and the workspace's `warning` says so.
    """
    bare = of(project)
    if project.repo_url:
        bare.make(project.default_branch)
        remotes.fetch(project, bare)
    else:
        bare.make(project.default_branch, readme_of(project))
        bare.name_main(project.default_branch)
    if project.company.rehearsal:
        bare.mark(PLAYED)
    return bare


def readme_of(project: Project) -> str:
    return f"# {project.name}\n\n{project.description or ''}".strip() + "\n"


def owner_of(issue: Issue) -> Issue:
    """Whose branch an issue's work goes to: its own, or, for a fix that a review asked
    for, that of the issue it is to fix."""
    above: Any = issue
    while above.origin_kind == REVIEW_FIX and above.parent is not None:
        above = above.parent
    return above


def branch_of(issue: Issue) -> str:
    return owner_of(issue).identifier


def workspace_of(issue: Issue) -> dict[str, Any] | None:
    """What a clone needs to know; None for an issue without a project."""
    project = issue.project
    if project is None:
        return None
    return {
        "projectId": str(project.pk),
        "branchName": branch_of(issue),
        "baseRef": project.default_branch,
        "repositoryUrl": f"/api/projects/{project.pk}/repository",
        "branchUrl": f"/api/issues/{issue.pk}/branch",
        "warning": remotes.warning(project, of(project)),
    }


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

    Conflict when the branch has moved on meanwhile; BadRequest for a bundle of more
    than 100 MB, with another branch, or with anything that git finds unsound.
    """
    project = must_be_uploadable(issue, by)
    bare, branch, aside = ready(project), branch_of(issue), f"refs/incoming/{uuid4()}"
    with saved(upload) as file:
        commit = taken_in(bare, file, branch, aside)
    try:
        adds = bare.change(bare.commit_of(project.default_branch) or "", commit)
        with transaction.atomic():
            issue = held(issue)
            must_be_uploadable(issue, by)
            move_on(bare, branch, commit)
            return record(issue, branch, adds, by=by)
    except GitError as error:
        raise BadRequest(str(error), code="bad_bundle") from None
    finally:
        bare.drop(aside)


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


def taken_in(bare: Bare, file: Path, branch: str, ref: str) -> str:
    try:
        return bare.take_in(file, branch, ref)
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


def move_on(bare: Bare, branch: str, commit: str) -> None:
    was = bare.commit_of(branch)
    forward = was is None or bare.holds(was, commit)
    if not forward or not bare.move(branch, commit, was):
        raise Conflict(
            f"{branch} has moved on: somebody uploaded {was} meanwhile. Fetch, merge"
            " it into yours, and upload again.",
            code="not_fast_forward",
            branchName=branch,
            commit=was,
        )


def record(
    issue: Issue, branch: str, adds: Change, *, by: Actor
) -> tuple[WorkProduct, bool]:
    """Name the branch among the work products of the issue it belongs to."""
    owner, project = owner_of(issue), issue.project
    assert project is not None  # noqa: S101 (for the type checker)
    facts = {
        "commit": adds.commit,
        "base": adds.base,
        "baseRef": project.default_branch,
        "files": adds.files,
        "stat": adds.stat,
    }
    row = WorkProduct.objects.filter(issue=owner, type="branch", external_id=branch)
    product = row.first()
    if product is not None and (product.metadata or {}).get("commit") == adds.commit:
        return product, False
    is_new = product is None
    product = product or WorkProduct(
        company_id=issue.company_id, issue=owner, type="branch", external_id=branch
    )
    product.project, product.title, product.provider = project, branch, "git"
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


def merge(issue: Issue, *, by: Actor) -> Merge:
    """Make an issue's branch part of the default branch: the commit that holds it, or
    the files that contradict it (then nothing has changed). Without a branch there is
    nothing to merge: no commit, no conflicts. Doing it twice is doing it once.

    What is merged is the commit that was uploaded last, wherever the branch is by now:
    a remote may have moved it. Local and short: what a remote has to hear of it is
    pushed later.
    """
    branch = branch_of(issue)
    product = uploads(issue).select_related("project").first()
    project = product.project if product else None
    if product is None or project is None:
        return Merge(None)
    bare = of(project)
    tip = bare.commit_of(facts_of(product)["commit"])
    if tip is None:
        return Merge(None)
    done = bare.merge(project.default_branch, tip, f"Merge {branch}: {issue.title}")
    if done.commit is not None:
        note_merge(issue, branch, tip, done.commit, by=by)
    return done


@transaction.atomic
def note_merge(issue: Issue, branch: str, tip: str, commit: str, *, by: Actor) -> None:
    rows = uploads(issue).select_for_update(no_key=True, of=["self"])
    product = rows.select_related("project").first()
    merged = {"branchCommit": tip, "commit": commit}
    if product is None or (product.metadata or {}).get("merged") == merged:
        return
    project = product.project
    product.metadata = {**(product.metadata or {}), "merged": merged, "tries": 0}
    product.review_state = "approved"
    product.status = "pushing" if project and project.repo_url else "merged"
    product.save()
    audit.record(
        by,
        "issue.branch_merged",
        issue,
        identifier=issue.identifier,
        branch=branch,
        commit=commit,
    )
    if product.status == "pushing":
        remotes.ring()


def uploads(issue: Issue) -> QuerySet[WorkProduct]:
    """The work product of the branch that was uploaded for an issue."""
    owner = owner_of(issue)
    rows = WorkProduct.objects.filter(issue=owner, type="branch", provider=OURS)
    return rows.filter(external_id=owner.identifier)


def show(project: Project, ref: str, path: str) -> bytes | None:
    """A file at a branch or commit; None when there is none (or over 10 MB)."""
    return of(project).read(ref, path)


def diff(product: WorkProduct, *, most: int = 200_000) -> tuple[str, bool]:
    """What a branch changes, as a patch, and whether it was cut. Missing when its
    repository is not on this host, and for what was only named and never uploaded."""
    facts = facts_of(product)
    if not facts:
        raise Missing("This was not uploaded: only its address is known.")
    if product.project is None or not of(product.project).exists():
        raise Missing("The repository of this branch is not here.")
    try:
        bare = of(product.project)
        return bare.diff(facts["base"], facts["commit"], most=most)
    except (GitError, KeyError):
        raise Missing("This branch is not in the repository.") from None


def log(product: WorkProduct, *, most: int = 50) -> list[dict[str, str]]:
    """The commits of a branch, the newest first."""
    facts = facts_of(product)
    if product.project is None or not facts:
        return []
    return of(product.project).log(facts["commit"], since=facts["base"], most=most)


def facts_of(product: WorkProduct) -> dict[str, Any]:
    """What git says of an uploaded branch; nothing for what others have named, who may
    say of it what they like."""
    return (product.metadata or {}) if product.provider == OURS else {}
