"""Remotes: what a project's repository takes over from elsewhere, and hands on to it.

Only the host that has the repository does it. The address is an operator's; what the
server there asks for is in `secrets/git-credentials` below the home, or is the ssh key
of the user that Paperclip runs as.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.db import transaction
from django.utils.timezone import now

from issues import leaving
from issues.models.work_product import OURS, WorkProduct
from paperclip import audit, doorbell
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict
from paperclip.git import Bare, GitError
from paperclip.models import Instance

if TYPE_CHECKING:
    from issues.models.project import Project

log = logging.getLogger(__name__)

# How long what a remote had counts as what it has, and how long a fetch may take.
FRESH, PATIENCE = 60, 45.0
# How long others stand in line for a fetch under way, and how long a first one that
# failed is not tried again: a silent remote holds up one request and not all.
IN_LINE, FAILED = 2.0, 15
# http is for a server on this machine: see Project.repo_url.
PROTOCOLS = ("https", "http", "ssh")
FETCHED = "refs/remotes/origin/"
OK = "ok"
# A push is tried so often, with rising waits, before a person has to look.
TRIES, WAIT = 6, timedelta(seconds=10)


def ring() -> None:
    doorbell.ring("issues.tasks.push_branches")


def fetch(project: Project, bare: Bare, *, anew: bool = False) -> None:
    """Take over what is new on the remote, at most once a minute unless `anew`.

    A branch that went two ways stays as ours is. When the remote does not answer, or
    somebody else is asking it, what is here is kept and `warning` tells; Conflict when
    the default branch is not here, or others keep the remote from being asked `anew`.
    """
    try:
        with alone(bare, PATIENCE if anew else IN_LINE) as state:
            if anew or not is_fresh(project, bare, state):
                state.write_text(asked(project, bare))
            problem = state.read_text()
    except Busy:
        if anew or not is_here(project, bare):
            raise
        return
    if problem != OK and not is_here(project, bare):
        raise Conflict(problem, code="remote_unusable")


def is_here(project: Project, bare: Bare) -> bool:
    return project.default_branch in bare.branches()


def is_fresh(project: Project, bare: Bare, state: Path) -> bool:
    """Whether the remote was asked a moment ago, and about what is asked for now."""
    at, problem = state.stat().st_mtime, state.read_text()
    if not problem or at < project.updated_at.timestamp():
        return False
    if is_here(project, bare):
        return time.time() - at < FRESH
    return problem != OK and time.time() - at < FAILED


def asked(project: Project, bare: Bare) -> str:
    """Fetch all branches; OK, or what is wrong."""
    spec = f"+refs/heads/*:{FETCHED}*"
    try:
        speak(bare, "fetch", "-q", "--prune", "--no-tags", project.repo_url, spec)
        follow(project, bare)
    except (GitError, Conflict) as error:
        return f"The remote repository of {project} cannot be used: {error}"
    return OK


def follow(project: Project, bare: Bare) -> None:
    """Move our branches forward to where the remote's are. An empty remote gets its
    first commit from us, with the first push."""
    ours, theirs = bare.branches(), fetched(bare)
    for name, commit in theirs.items():
        if name not in ours or bare.holds(ours[name], commit):
            bare.move(name, commit, ours.get(name))
    if not theirs and not ours:
        bare.begin(project.default_branch, f"# {project.name}\n")
    elif project.default_branch not in bare.branches():
        raise Conflict(
            f"it has no branch {project.default_branch}. Name its default branch in"
            " the project's settings."
        )


def fetched(bare: Bare) -> dict[str, str]:
    """Where the remote's branches were when they were looked at last."""
    return bare.branches(FETCHED)


def speak(bare: Bare, *args: str) -> bytes:
    return bare.git(*args, protocols=PROTOCOLS, timeout=PATIENCE)


def warning(project: Project, bare: Bare) -> str | None:
    """Why what is served may be older than what the remote has."""
    state = bare.path / "paperclip-fetched"
    text = state.read_text() if project.repo_url and state.exists() else ""
    return text if text not in ("", OK) else None


class Busy(Conflict):
    """Somebody else is fetching from the remote, and it takes long."""

    code = "remote_busy"


@contextmanager
def alone(bare: Bare, wait: float) -> Iterator[Path]:
    """One at a time speaks with the remote; the file says how it went last. Busy after
    so many seconds in line."""
    state, until = bare.path / "paperclip-fetched", time.monotonic() + wait
    with state.open("a") as lock:
        while not is_locked(lock):
            if time.monotonic() > until:
                raise Busy("The remote repository is being fetched: try again soon.")
            time.sleep(0.05)
        yield state


def is_locked(file: IO[str]) -> bool:
    """Whether the lock of the file is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def push_waiting() -> None:
    """Push every branch that waits for it and is on this host, when its turn is, but
    none of a company that is stopped. One that cannot be handled does not stop the
    others."""
    ours = WorkProduct.objects.filter(type="branch", provider=OURS, status="pushing")
    for product in ours.exclude(project=None).select_related("project", "issue"):
        try:
            here = is_due(product) and Bare(str(product.project_id)).exists()
            # Asked before each one: the pushes before it may have taken minutes.
            held = here and Instance.objects.holds(product.company_id)
            if here and not held and is_allowed(product):
                push(product)
        except Exception:
            log.exception("could not push %s of %s", product, product.issue)


def is_due(product: WorkProduct) -> bool:
    tries = min((product.metadata or {}).get("tries", 0), TRIES)
    return bool(product.updated_at + WAIT * (2**tries - 1) <= now())


def is_allowed(product: WorkProduct) -> bool:
    bare = Bare(str(product.project_id))
    return leaving.may_leave(product, into_default=takes_default(product, bare))


def takes_default(product: WorkProduct, bare: Bare) -> bool:
    """Whether the default branch goes with it: it is merged there, or the remote has
    none yet."""
    project = product.project
    assert project is not None  # noqa: S101 (for the type checker)
    merged = "merged" in (product.metadata or {})
    return merged or project.default_branch not in fetched(bare)


def push(product: WorkProduct) -> None:
    """Bring a branch, and the default branch once it is merged, to the remote. Pushing
    what is there already does nothing, so it may be tried as often as one likes."""
    project = product.project
    assert project is not None  # noqa: S101 (for the type checker)
    bare, problem = Bare(str(project.pk)), ""
    try:
        names = [str(product.external_id)]
        if takes_default(product, bare):
            names.append(project.default_branch)
            join(project, bare)
        specs = [f"refs/heads/{name}:refs/heads/{name}" for name in names]
        speak(bare, "push", "-q", project.repo_url, *specs)
    except (GitError, Conflict) as error:
        problem = str(error)
    note(product, problem)


def join(project: Project, bare: Bare) -> None:
    """Let our default branch hold what was pushed to the remote's meanwhile."""
    fetch(project, bare, anew=True)
    name = project.default_branch
    theirs = fetched(bare).get(name)
    if theirs is None:
        return
    done = bare.merge(name, theirs, f"Merge the remote's {name}")
    if done.commit is None:
        raise Conflict(f"Ours and the remote's {name} contradict: {done.conflicts}")


@transaction.atomic
def note(product: WorkProduct, problem: str) -> None:
    """Write down how a push went, unless the branch has moved on meanwhile."""
    rows = WorkProduct.objects.select_for_update(no_key=True)
    fresh = rows.filter(pk=product.pk, status="pushing").first()
    facts: dict[str, Any] = (fresh and fresh.metadata) or {}
    was = product.metadata or {}
    same = all(facts.get(key) == was.get(key) for key in ("commit", "merged"))
    if fresh is None or not same:
        return
    tries = facts.get("tries", 0) + 1 if problem else 0
    fresh.metadata = {**facts, "tries": tries, "pushError": problem or None}
    if not problem:
        fresh.status = "pushed"
    elif tries >= TRIES:
        fresh.status = "push_failed"
    fresh.save()
    if fresh.status != "pushing":
        audit.record(
            SYSTEM,
            f"issue.branch_{fresh.status}",
            fresh.issue,
            identifier=fresh.issue.identifier,
            branch=fresh.external_id,
            **({"reason": problem} if problem else {}),
        )
