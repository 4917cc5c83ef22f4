"""The Blog Publisher: a post from its brief to a page that was seen live. What waits is
brought further before anything new is begun."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from issues.models import Criterion, Issue
from marketing import deploying, publications, publishing, render, verification, writing
from marketing.committing import publish, take_down
from marketing.jobs.base import Blocked, Job
from marketing.models import Brief, Effect, JobName, Post, Site
from marketing.models.post import UNPUBLISH
from marketing.web.addresses import host_of
from marketing.web.client import Unreachable, Web
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from marketing.jobs.base import Work

State = Post.State
# So long a page may take to appear before it counts as not seen.
PATIENCE = timedelta(minutes=30)
# How often, and how many seconds apart, a new page is looked for within one run.
LOOKS, PAUSE, LOCAL_PAUSE = 20, 15.0, 0.1


class BlogPublisher(Job):
    def run(self, work: Work) -> None:
        if work.is_dry:
            foretell(work)
            return
        verify(work)
        take_offline(work)
        hand_over(work)
        for post in further(work):
            advance(work, post)
        begin(work)


def foretell(work: Work) -> None:
    """What a real run would begin with."""
    for post in further(work):
        work.did(f"“{post}” is {post.get_state_display()}, and would be taken up.")
    if (brief := next_brief(work)) is not None:
        work.did(f"A post would be written about “{brief.primary}”.")


def verify(work: Work) -> None:
    """Look again at what earlier runs have left unproven, and say what was seen."""
    company = work.company
    waiting = Post.objects.filter(company=company, state__in=publications.SENT)
    before = {post.pk: post.state for post in waiting}
    verification.verify_open(company.pk, JobName.BLOG, work.clock())
    for post in Post.objects.filter(pk__in=before).exclude(state__in=publications.SENT):
        work.count(f"posts {post.get_state_display()}")
        work.did(f"“{post}” is {post.get_state_display()}: {post.url}")
    for post in Post.objects.filter(company=company, state=State.REFUTED):
        publications.propose_taking_offline(post, at=work.clock())
        if post.approval is not None and post.approval.is_open:
            said = f"Say whether “{post}” is to be taken offline."
            work.waits_for_person(said, f"/approvals/{post.approval_id}")


def further(work: Work) -> list[Post]:
    """The posts under way, those that have come furthest first."""
    order = list(STEPS)
    rows = Post.objects.filter(company=work.company, state__in=order)
    rows = rows.select_related("company", "brief", "cluster", "approval")
    found = list(rows.order_by("created_at"))
    return sorted(found, key=lambda post: -order.index(post.state))


def advance(work: Work, post: Post) -> None:
    """Bring it as far as it comes now."""
    while (step := STEPS.get(post.state)) is not None:
        before = post.state
        step(work, post)
        post.refresh_from_db()
        if post.state == before:
            return


# --- after the push -----------------------------------------------------------------


def deploy(work: Work, post: Post) -> None:
    """Ask for the deployment where the push alone does not."""
    columns: dict[str, Any] = {}
    if work.site.deploy_trigger == Site.Deploy.HOOK:
        job = hooked(work, post.commit)
        if job is None:
            return
        columns["hook_job"] = job
    at = work.clock()
    post.move((State.PUSHED,), State.REQUESTED, by=work.by, at=at, **columns)


def hooked(work: Work, commit: str) -> str | None:
    """The hook's job for this commit; None when it failed this time."""
    work.at("Asks for the deployment.")
    effect, to_do = Effect.objects.begin(work.job_run, "deploy", commit)
    if not to_do:
        return str(effect.outcome.get("job", ""))
    try:
        job = deploying.call_hook(work.site, by=work.by)
    except (Blocked, deploying.HookFailed) as no:
        effect.conclude(Effect.State.FAILED, said=str(no))
        if isinstance(no, Blocked):
            raise
        work.falls_short(str(no))
        return None
    effect.conclude(Effect.State.DONE, job=job)
    return job


def watch(work: Work, post: Post) -> None:
    """Claim that it is live, and give the page some time to be so. Whether it is, its
    checker says."""
    claim(work, post)
    work.did(f"“{post}” ({post.commit[:10]}) is to be seen at {post.url}.")
    at = work.clock()
    if post.pushed_at is None or at - post.pushed_at > PATIENCE:
        said = f"The page was not seen within {PATIENCE.seconds // 60} minutes."
        if post.move(
            (State.REQUESTED,), State.UNVERIFIED, by=work.by, at=at, reasons=[said]
        ):
            work.falls_short(f"“{post}”: {said}")
        return
    pause = LOCAL_PAUSE if work.site.company.rehearsal else PAUSE
    token = deploying.token_of(work.site, by=work.by)
    for number in range(LOOKS):
        if number:
            time.sleep(pause)
        work.at(f"Looks for “{post}” on the site.")
        if is_decided(work, post, token):
            return


def is_decided(work: Work, post: Post, token: str) -> bool:
    """Whether there is something to see, good or bad: no more waiting then."""
    graph = render.graph_hash(graph_of(post))
    with Web.of(work.site, {host_of(post.url)}, delay=0.0) as web:
        seen = deploying.look(web, post.url, str(post.key), post.title, graph)
    try:
        rows = deploying.deployments(work.site, token) or []
    except Unreachable:
        rows = []
    mine = next((one for one in rows if one.commit == post.commit), None)
    if mine is not None and mine.state != post.deployment_state:
        post.deployment, post.deployment_state = mine.id[:100], mine.state[:16]
        post.save(update_fields=["deployment", "deployment_state", "updated_at"])
    if mine is not None:
        ready = mine.state == deploying.READY and seen.state in ("live", "wrong")
        return ready or mine.state == deploying.ERROR
    return seen.state in ("live", "wrong")


def graph_of(post: Post) -> list[dict[str, Any]]:
    version = post.versions.get(sha256=post.approved_sha256)
    return render.graph_of(version.source)


def claim(work: Work, post: Post) -> None:
    """Assert it once: what an earlier run asserts of it is looked at until it ends."""
    same = Criterion.objects.filter(
        company=work.company, type="post", settings__key=str(post.key)
    )
    if same.filter(issue__status="in_review").exists():
        return
    work.claim(
        "post",
        f"“{post}” is live at {post.url}",
        **about(work, post, post.commit),
        heading=post.title,
        blob=post.blob,
        graph=render.graph_hash(graph_of(post)),
        hook_job=post.hook_job,
    )


def about(work: Work, post: Post, commit: str) -> dict[str, Any]:
    return {
        "key": str(post.key),
        "url": post.url,
        "repository": work.site.repo_url,
        "branch": work.site.repo_branch,
        "path": post.path,
        "commit": commit,
    }


# What brings a post further, by the state it is in; the last ones are the furthest.
STEPS: dict[str, Callable[[Work, Post], None]] = {
    State.BRIEF: writing.write,
    State.DRAFTED: writing.judge,
    State.GATED: writing.ask,
    State.AWAITING: writing.wait,
    State.APPROVED: publish,
    State.COMMITTED: publish,
    State.PUSHED: deploy,
    State.REQUESTED: watch,
    State.UNVERIFIED: claim,
}


# --- the end and the beginning --------------------------------------------------------


def take_offline(work: Work) -> None:
    """Everything that a person wants offline."""
    asked = Effect.objects.filter(company=work.company, kind=UNPUBLISH)
    for effect in asked.exclude(state=Effect.State.DONE).order_by("created_at"):
        rows = Post.objects.filter(company=work.company, key=effect.key)
        post = rows.select_related("company").first()
        if post is None or not take_down(work, post, effect):
            continue
        commit = str(effect.outcome["commit"])
        if work.site.deploy_trigger == Site.Deploy.HOOK:
            hooked(work, commit)
        title = f"“{post}” is offline"
        work.claim("post", title, gone=True, **about(work, post, commit))


def hand_over(work: Work) -> None:
    """A page that is to be changed is for the company to do: it gets an issue."""
    ready = Brief.objects.filter(company=work.company).ready()
    for brief in ready.filter(kind=Brief.Kind.UPDATE):
        with transaction.atomic():
            if not brief.take_up():
                continue
            brief.issue = Issue.objects.file(
                work.company,
                by=SYSTEM,
                title=f"Change {brief.target_url} for “{brief.primary}”"[:300],
                description=f"{brief.why}\n\nKeywords: {brief.primary}, "
                + ", ".join(brief.secondary),
                status="todo",
                assignee_agent=work.agent,
                project=work.site.project,
                goal=work.site.goal,
            )
            brief.save(update_fields=["issue", "updated_at"])
        work.count("pages handed over")


def next_brief(work: Work) -> Brief | None:
    """The oldest that a post may be begun of now: as many are on their way as may be
    published in a day, and no more."""
    rows = Post.objects.filter(company=work.company)
    waiting = rows.filter(state__in=(*Post.INSIDE, State.COMMITTED)).count()
    number = rows.pushed_lately(work.clock()).count()
    if waiting + number >= work.site.posts_a_day:
        return None
    ready = Brief.objects.filter(company=work.company).ready()
    found: Brief | None = ready.filter(kind=Brief.Kind.NEW).first()
    return found


def begin(work: Work) -> None:
    """A new post, at most one in a run."""
    brief = next_brief(work)
    if brief is None:
        return
    # Before money is spent on a text that could go nowhere.
    publishing.must_be_usable(work.site)
    work.at(f"Begins a post about “{brief.primary}”.")
    post = begun(brief)
    if post is None:
        work.did(f"“{brief.primary}” has a post already: its brief is dropped.")
        return
    advance(work, post)


def begun(brief: Brief) -> Post | None:
    """The post of a brief, once; None when another is about the same keyword."""
    try:
        with transaction.atomic():
            if not brief.take_up():
                return None
            post = Post(
                company=brief.company,
                brief=brief,
                cluster=brief.cluster,
                keyword=brief.primary,
                language=brief.language,
            )
            post.slug = str(post.key)
            post.save(force_insert=True)
    except IntegrityError:
        brief.drop(by=SYSTEM)
        return None
    return post
