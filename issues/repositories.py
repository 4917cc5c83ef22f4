"""The repository of a project: how agents share work without sharing a directory.

Each project has a bare repository below the home of the host that serves the API, and
everybody else, also workers on other hosts, reaches it over HTTP only: a bundle of all
branches comes down, a bundle with one issue's branch goes up. An agent never writes to
the default branch; approving an issue merges its branch.

Where the project names a remote, `remotes.py` fetches what is new there before it is
served, and pushes what was taken in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.rehearsal.world import PLAYED
from issues import remotes
from issues.models.fix import FIX
from issues.models.project import Project
from issues.models.work_product import OURS, WorkProduct
from paperclip import audit
from paperclip.exceptions import Missing
from paperclip.git import Bare, GitError, Merge

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from issues.models import Issue
    from paperclip.actors import Actor


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
    for, that of the issue it is to fix. One that was put below another issue is no fix
    of that one."""
    above: Any = issue
    while above.origin_kind == FIX and above.parent is not None:
        if above.origin_id not in (None, str(above.parent_id)):
            break
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
