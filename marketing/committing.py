"""A post into the branch, and out of it again: the steps of the job that touch the
repository. Killed at any point they begin again and find what they did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import transaction

from marketing import publishing, render
from marketing.draft import POST, Draft
from marketing.jobs.base import Blocked, Failed
from marketing.models import Effect, Post
from marketing.publishing import Copy, Raced, Remote, Unreached

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.models import PostVersion

State = Post.State
UNIT, LOCAL_UNIT = 0.5, 0.02
# A remote that does not answer is asked so often in a run.
PATIENCE = 3


def tried(work: Work, what: str, once: Callable[[Copy], bool]) -> bool:
    """Do it on top of what is there, up to eight times while others push. False, and
    the run falls short, when it did not come about; Blocked when it never will."""
    copy = Copy.of(work.site, Remote.of(work.site, by=work.by))
    unit = LOCAL_UNIT if work.site.company.rehearsal else UNIT
    said, silent = "", 0
    for attempt in range(publishing.TRIES):
        if attempt:
            publishing.rest(attempt, unit)
        try:
            if once(copy):
                return True
        except Raced as no:
            said = str(no)
        except Unreached as no:
            said, silent = str(no), silent + 1
            if silent == PATIENCE:
                break
    work.falls_short(f"{what} could not be pushed this time. {said}")
    return False


# --- in -----------------------------------------------------------------------------


def publish(work: Work, post: Post) -> None:
    """Commit and push exactly what was approved."""
    if post.state == State.APPROVED:
        most = work.site.posts_a_day
        lately = Post.objects.filter(company=work.company).pushed_lately(work.clock())
        number = lately.count()
        if number >= most:
            work.did(f"“{post}” waits: {number} of {most} were published in 24 hours.")
            return
    version = post.versions.filter(sha256=post.approved_sha256).first()
    if version is None or render.sha256(version.source) != post.approved_sha256:
        raise Failed(f"What was approved of “{post}” is not what is stored.")
    try:
        tried(work, f"“{post}”", lambda copy: put(work, post, version, copy))
    except Blocked:
        # It was refused, so it is not there: the state says so.
        before = (State.COMMITTED,)
        post.move(before, State.APPROVED, by=work.by, at=work.clock(), commit="")
        raise


def put(work: Work, post: Post, version: PostVersion, copy: Copy) -> bool:
    """One try. True when there is nothing more to do about it."""
    work.at(f"Looks at the repository for “{post}”.")
    base, blob = copy.fetch(), copy.blob_of(version.source)
    if there := copy.with_key(base, post.key, post.path, blob):
        return arrived(work, post, there, blob)
    if copy.blob_at(base, post.path):
        said = f"{post.path} is in the repository already, and is not this post."
        columns = {"reasons": [said], "slug": str(post.key), "commit": ""}
        before = (State.APPROVED, State.COMMITTED)
        post.move(before, State.REJECTED, by=work.by, at=work.clock(), **columns)
        work.count("posts rejected")
        work.did(f"“{post}” is rejected: {said}")
        return True
    changes = {post.path: version.source, **link_back(copy, base, post, version)}
    text = publishing.message(f"Publish: {post.title}", post.key)
    commit = copy.commit(base, changes, text, version.created_at)
    # Before anything leaves: who finds it so looks into the repository first.
    before = (State.APPROVED, State.COMMITTED)
    columns = {"commit": commit, "blob": blob}
    if not post.move(before, State.COMMITTED, by=work.by, at=work.clock(), **columns):
        return True  # somebody edited it this moment
    push(work, copy, f"{post.key} {post.approved_sha256}", commit, f"“{post}”")
    return copy.holds(commit) and arrived(work, post, commit, blob)


def push(work: Work, copy: Copy, key: str, commit: str, what: str) -> None:
    work.at(f"Pushes {what}.")
    effect, _to_do = Effect.objects.begin(work.job_run, "push", key, commit=commit)
    try:
        copy.push(commit)
    except (Blocked, Raced) as no:
        effect.conclude(Effect.State.FAILED, commit=commit, said=str(no)[:500])
        raise
    except Unreached as no:
        effect.conclude(Effect.State.UNKNOWN, commit=commit, said=str(no)[:500])
        raise
    effect.conclude(Effect.State.DONE, commit=commit)


def arrived(work: Work, post: Post, commit: str, blob: str) -> bool:
    at = work.clock()
    columns = {"commit": commit, "blob": blob, "pushed_at": at}
    columns["issue"] = work.job_run.issue
    before = (State.APPROVED, State.COMMITTED)
    if post.move(before, State.PUSHED, by=work.by, at=at, **columns):
        work.count("posts pushed")
        work.did(f"“{post}” is in {work.site.repo_branch} with {commit[:10]}.")
    return True


def link_back(
    copy: Copy, base: str, post: Post, version: PostVersion
) -> dict[str, str]:
    """An older post that it links to, with a link to it below: the first whose file is
    as we left it."""
    named = [to.removeprefix(POST) for to in Draft.of(version.document).links]
    rows = {str(one.pk): one for one in Post.objects.filter(pk__in=post.targets())}
    for older in (rows[pk] for pk in named if pk in rows):
        text = copy.text_at(base, older.path) if older.path else ""
        if not text or copy.blob_of(render.bare(text)) != older.blob:
            continue
        linked = render.with_link(text, post.title, post.url, older.language)
        return {older.path: linked} if linked != text else {}
    return {}


# --- out ----------------------------------------------------------------------------


def take_down(work: Work, post: Post, effect: Effect) -> bool:
    """Take its file out of the branch, with the link to it that another has got. True
    when it is out."""
    done: list[str] = []
    if not tried(work, f"“{post}”", lambda copy: take_out(work, post, copy, done)):
        return False
    at = work.clock()
    with transaction.atomic():
        effect.conclude(Effect.State.DONE, commit=done[-1])
        post.move(Post.OUTSIDE, State.UNPUBLISHED, by=work.by, at=at)
    work.count("posts taken offline")
    work.did(f"“{post}” is out of {work.site.repo_branch} with {done[-1][:10]}.")
    return True


def take_out(work: Work, post: Post, copy: Copy, done: list[str]) -> bool:
    work.at(f"Looks at the repository for “{post}”.")
    base = copy.fetch()
    there = copy.text_at(base, post.path)
    if there and render.head_of(there).get("postKey") != str(post.key):
        raise Blocked(f"{post.path} is no post of ours any more: take it out by hand.")
    changes: dict[str, str | None] = {post.path: None} if there else {}
    known = copy.bare.commit_of(post.commit)
    for path in copy.changed_by(known) if known else []:
        text = copy.text_at(base, path) if path != post.path else ""
        if publishing.is_path(path) and render.without_link(text, post.url) != text:
            changes[path] = render.without_link(text, post.url)
    if not changes:
        done.append(base)
        return True
    trailers = [f"Reverts: {post.commit}"]
    text = publishing.message(f"Take offline: {post.title}", post.key, trailers)
    commit = copy.commit(base, changes, text, work.clock())
    push(work, copy, f"{post.key} out", commit, f"the end of “{post}”")
    done.append(commit)
    return copy.holds(commit)
