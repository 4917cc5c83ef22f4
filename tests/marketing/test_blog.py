"""The Blog Publisher from a brief to a page that was seen, and what keeps it back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from agents.models import Approval
from issues.models import Evidence, Issue
from marketing import committing, conduct, render, verification
from marketing.jobs.base import Work
from marketing.jobs.blog import BlogPublisher
from marketing.models import (
    Effect,
    IndexNowSubmission,
    JobRun,
    JobSchedule,
    KeywordCluster,
    Post,
)
from marketing.models.job import ALERT
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity
from tests import make
from tests.clones import git
from tests.marketing import deploys
from tests.marketing.blogscene import AT, Blog
from tests.marketing.drafts import SHOPS, STOCK, changed, unsafe, with_links

pytestmark = pytest.mark.django_db
LATER, NEXT_DAY = timedelta(hours=2), timedelta(hours=27)


@pytest.fixture
def blog(httpserver: HTTPServer) -> Blog:
    return Blog.set_up(httpserver)


def to_approval(blog: Blog, **fields: Any) -> Post:
    blog.brief(**fields)
    row = blog.run()
    assert blog.post.state == "awaiting_approval", (row.note, blog.post.reasons)
    return blog.post


def live(blog: Blog) -> Post:
    """A post that went all the way."""
    to_approval(blog)
    blog.approve()
    row = blog.run(AT + LATER)
    post = blog.post
    assert post.state == "live", (row.note, row.lines, row.issue.description)
    return post


def said(row: JobRun) -> str:
    """What was seen last of its claim."""
    receipt = Evidence.objects.filter(issue=row.issue).order_by("created_at").last()
    assert receipt is not None
    return str(receipt.said)


# --- all the way ----------------------------------------------------------------------


def test_a_post_goes_from_its_brief_to_a_page_that_was_seen(blog) -> None:
    brief = blog.brief()
    row = blog.run()
    post = blog.post
    assert (row.status, post.state) == ("ok", "awaiting_approval"), post.reasons
    assert deploys.commits(blog.repository) == ["Write README.md"]
    assert f"/approvals/{post.approval_id}" in row.issue.description
    blog.approve()
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert (row.status, post.state) == ("ok", "live"), (row.note, row.lines)
    assert blog.claims(row) == ["verified"] and row.issue.status == "done"
    assert deploys.commits(blog.repository)[0] == f"Publish: {post.title}"
    brief.refresh_from_db()
    assert brief.state == "used" and len(blog.model.asked) == 1
    version = post.version
    assert version is not None
    assert blog.deployer.file(post.path) == version.source
    assert git(blog.repository, "rev-parse", "main") == post.commit
    # Search engines are told of it, once it was seen.
    told = IndexNowSubmission.objects.get(url=post.url)
    assert told.state == "pending"


def test_run_again_nothing_changes(blog) -> None:
    live(blog)
    before = blog.repository.stat(), deploys.commits(blog.repository)
    row = blog.run(AT + LATER * 2)
    assert row.status == "noop", row.lines
    assert deploys.commits(blog.repository) == before[1]
    assert len(blog.model.asked) == 1 and Post.objects.count() == 1


def test_a_dry_run_says_what_it_would_do(blog) -> None:
    blog.brief()
    row = JobRun.objects.start(blog.site.company, "blog", by=SYSTEM, dry=True)
    BlogPublisher().run(Work(job_run=row, site=blog.site, clock=lambda: AT))
    assert "would be written" in row.lines[0]
    assert not Post.objects.exists() and blog.model.asked == []


def test_older_posts_get_a_link_back_in_the_same_commit(blog) -> None:
    old = live(blog)
    blog.brief("stock forecasting")
    blog.model.answers.append(with_links(STOCK, old.pk))
    blog.run(AT + NEXT_DAY)
    new = blog.approve()
    assert new.pk != old.pk, new
    row = blog.run(AT + NEXT_DAY + LATER)
    new.refresh_from_db()
    assert new.state == "live", (row.note, row.lines, row.issue.description)
    text = blog.deployer.file(old.path)
    assert text is not None and f"- [{new.title}]({new.url})" in text
    assert len(deploys.commits(blog.repository)) == 3
    version = old.version
    assert version is not None and render.bare(text) == version.source


def test_writing_is_told_what_there_is(blog) -> None:
    known = blog.live_post("bread")
    blog.model.answers[:] = [with_links(SHOPS, known.pk)]
    to_approval(blog)
    task = blog.model.asked[0]
    assert f"- {known.pk}: {known.title}" in task
    assert "Digiton runs 7 agents" in task and "f1" in task


# --- writing --------------------------------------------------------------------------


def test_a_bad_draft_is_mended_with_the_rules_that_it_fails(blog) -> None:
    blog.model.answers[:] = [changed(SHOPS, meta="Short."), SHOPS]
    post = to_approval(blog)
    assert "meta has 6 characters" in blog.model.asked[1]
    assert post.versions.count() == 2
    first = post.versions.get(number=1)
    assert [one["rule"] for one in first.failed] == ["structure"]


@pytest.mark.parametrize("text", [unsafe(SHOPS), changed(SHOPS, meta="Short.")])
def test_after_two_repairs_it_is_rejected(blog, text) -> None:
    blog.model.answers[:] = [text]
    blog.brief()
    row = blog.run()
    post = blog.post
    assert post.state == "rejected" and post.reasons and row.status == "ok"
    assert len(blog.model.asked) == post.versions.count() == 3
    assert deploys.commits(blog.repository) == ["Write README.md"]
    assert not Approval.objects.exists()
    # Its slug and its keyword are free again.
    assert post.slug == str(post.key)


def test_a_duplicate_is_rejected_and_an_update_proposed(blog) -> None:
    other = live(blog)
    brief = blog.brief("shop automation")
    title = "Shop automation: AI agents for small shops, begin"
    copy = changed(SHOPS, title=title, slug="shop-automation")
    blog.model.answers[:] = [copy]
    blog.run(AT + NEXT_DAY)
    assert blog.post.state == "rejected"
    assert any(other.url in one for one in blog.post.reasons)
    brief.refresh_from_db()
    assert (brief.kind, brief.state) == ("update", "proposed")
    assert brief.target_url == other.url
    # A person says yes, and the page is for the company to change.
    brief.approve(by=blog.person())
    blog.run(AT + NEXT_DAY + LATER)
    brief.refresh_from_db()
    assert brief.state == "used" and other.url in brief.issue.title
    blog.run(AT + NEXT_DAY + LATER * 2)
    assert Issue.objects.filter(title__contains=other.url).count() == 1


@pytest.mark.parametrize("answer", ["I cannot do that.", {"title": "Only a title"}])
def test_what_is_no_draft_is_no_commit(blog, answer) -> None:
    blog.model.answers[:] = [answer]
    blog.brief()
    row = blog.run()
    assert row.status == "failed" and "form" in row.note
    assert blog.post.state == "brief"
    assert Issue.objects.get(origin_kind=ALERT).status == "todo"
    # The next run goes on from there.
    blog.model.answers[:] = [SHOPS]
    row = blog.run(AT + LATER)
    assert blog.post.state == "awaiting_approval" and Post.objects.count() == 1


def test_no_model_is_no_commit_and_no_second_post(blog) -> None:
    blog.model.status, blog.model.code = 500, "provider_error"
    blog.brief()
    assert blog.run().status == "failed"
    assert (Post.objects.count(), blog.post.state) == (1, "brief")


def test_a_spent_budget_blocks(blog) -> None:
    blog.model.status, blog.model.code = 402, "budget_exceeded"
    blog.brief()
    assert blog.run().status == "blocked"


def test_a_slug_that_another_post_has_is_never_taken_over(blog) -> None:
    taken = blog.live_post("something else", title="Flour and water")
    Post.objects.filter(pk=taken.pk).update(slug=SHOPS["slug"])
    blog.brief()
    blog.run()
    post = blog.post
    assert post.state == "rejected" and SHOPS["slug"] in post.reasons[0]
    taken.refresh_from_db()
    assert taken.slug == SHOPS["slug"]


def test_a_keyword_is_written_about_once(blog) -> None:
    to_approval(blog)
    brief = blog.brief("AI agents for small shops".lower(), week="2026-W48")
    blog.site.max_posts_per_day = 3
    blog.site.save()
    row = blog.run(AT + LATER)
    brief.refresh_from_db()
    assert brief.state == "dropped" or blog.post.state == "rejected", row.lines
    assert Post.objects.exclude(state="rejected").count() == 1


def test_no_more_is_written_than_may_go_out(blog) -> None:
    to_approval(blog)
    blog.brief("stock forecasting")
    for number in (1, 2, 3):
        row = blog.run(AT + LATER * number)
        assert "Approve" in row.issue.description
    assert Post.objects.count() == 1 and len(blog.model.asked) == 1


def test_the_quota_holds_back_what_is_approved(blog) -> None:
    post = to_approval(blog)
    blog.live_post("bread", pushed_at=AT - timedelta(hours=1))
    blog.approve(post)
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert post.state == "approved" and "1 of 1" in " ".join(row.lines)
    blog.run(AT + timedelta(hours=24))
    post.refresh_from_db()
    assert post.state == "live"


# --- people ---------------------------------------------------------------------------


def test_what_is_rejected_by_a_person_stays_inside(blog) -> None:
    post = to_approval(blog)
    post.approval.decide("rejected", by=blog.person(), note="Not our tone.")
    post.refresh_from_db()
    assert (post.state, post.reasons) == ("rejected", ["Not our tone."])
    blog.run(AT + LATER)
    assert deploys.commits(blog.repository) == ["Write README.md"]


def test_an_approval_that_was_withdrawn_is_none(blog) -> None:
    post = to_approval(blog)
    post.approval.cancel(by=SYSTEM)
    blog.run(AT + LATER)
    post.refresh_from_db()
    assert post.state == "rejected"


def test_an_edit_is_judged_and_approved_anew(blog) -> None:
    post = to_approval(blog)
    old, before = post.approval, post.version
    text = SHOPS["sections"][0]["text"].replace("Think of", "Look at")
    sections = [{**SHOPS["sections"][0], "text": text}, *SHOPS["sections"][1:]]
    person = blog.person()
    new = post.edit(changed(SHOPS, sections=sections), by=person)
    post.refresh_from_db()
    old.refresh_from_db()
    assert (old.status, post.state) == ("cancelled", "awaiting_approval")
    assert post.approval.payload["sha256"] == new.sha256 != before.sha256
    assert (new.number, new.by_name) == (2, person.name)
    # Whoever edited it may approve it.
    JobSchedule.objects.update(is_on=False)
    post.approval.decide("approved", by=person)
    JobSchedule.objects.update(is_on=True)
    blog.run(AT + LATER)
    post.refresh_from_db()
    assert post.state == "live"
    assert "Look at the mails" in (blog.deployer.file(post.path) or "")


def test_an_edit_voids_what_was_approved(blog) -> None:
    to_approval(blog)
    post = blog.approve()
    assert post.approved_sha256
    post.edit(changed(SHOPS, title="AI agents for small shops: begin here"), by=SYSTEM)
    post.refresh_from_db()
    assert (post.state, post.approved_sha256) == ("awaiting_approval", "")
    blog.run(AT + LATER)
    assert deploys.commits(blog.repository) == ["Write README.md"]


def test_an_edit_that_does_not_pass_changes_nothing(blog) -> None:
    post = to_approval(blog)
    with pytest.raises(Invalid) as no:
        post.edit(unsafe(SHOPS), by=blog.person())
    assert {"links", "sanitiser"} <= set(no.value.details)
    with pytest.raises(Invalid, match="no post"):
        post.edit({"title": 7}, by=blog.person())
    post.refresh_from_db()
    assert post.versions.count() == 1 and post.approval.is_open


def test_a_rejected_post_comes_back_by_an_edit(blog) -> None:
    blog.model.answers[:] = [changed(SHOPS, meta="Short.")]
    blog.brief()
    blog.run()
    post = blog.post
    assert post.state == "rejected"
    post.edit(SHOPS, by=blog.person())
    post.refresh_from_db()
    assert (post.state, post.slug) == ("awaiting_approval", SHOPS["slug"])
    assert post.reasons == []


def test_what_is_out_is_not_edited(blog) -> None:
    post = live(blog)
    with pytest.raises(Conflict, match="live"):
        post.edit(SHOPS, by=blog.person())


def test_a_viewer_edits_and_takes_down_nothing(blog) -> None:
    post = live(blog)
    viewer = make.by(make.operator(blog.site.company, role="viewer"))
    for act in (lambda: post.edit(SHOPS, by=viewer), lambda: post.unpublish(by=viewer)):
        with pytest.raises(NotAllowed):
            act()


def test_what_was_approved_is_what_is_stored_or_nothing(blog) -> None:
    post = to_approval(blog)
    version = post.version
    version.source = version.source.replace("parcel", "package")
    version.save()
    with pytest.raises(Invalid, match="no longer"):
        blog.approve()
    JobSchedule.objects.update(is_on=True)
    version.source = version.source.replace("package", "parcel")
    version.save()
    post.approval.refresh_from_db()
    blog.approve(post)
    version.source += "More."
    version.save()
    row = blog.run(AT + LATER)
    assert row.status == "failed" and len(deploys.commits(blog.repository)) == 1


def test_an_approval_of_another_payload_moves_no_post(blog) -> None:
    post = to_approval(blog)
    payload = {"postId": str(post.pk), "sha256": post.version.sha256}
    other = Approval.objects.request(blog.site.company, "publish", payload, by=SYSTEM)
    other.decide("approved", by=blog.person())
    post.refresh_from_db()
    assert post.state == "awaiting_approval"


def test_a_yes_starts_the_job(blog) -> None:
    post = to_approval(blog)
    post.approval.decide("approved", by=blog.person())
    assert JobRun.objects.live().filter(job="blog").count() == 1
    assert KeywordCluster.objects.get(pk=post.cluster_id).approvals == 1


def test_ten_approvals_let_a_cluster_out_without(blog) -> None:
    cluster = KeywordCluster.objects.create(
        company=blog.site.company, name="shops", approvals=9
    )
    with pytest.raises(Conflict):
        cluster.publish_unasked(True, by=blog.person())
    to_approval(blog, cluster=cluster)
    blog.approve()
    cluster.publish_unasked(True, by=blog.person())
    blog.run(AT + LATER)
    blog.brief("stock forecasting", cluster=cluster, week="2026-W48")
    blog.model.answers.append(with_links(STOCK, blog.post.pk))
    row = blog.run(AT + NEXT_DAY)
    assert blog.post.state == "live", (blog.post.reasons, row.lines)
    assert Approval.objects.count() == 1


def test_what_people_have_to_judge_waits_also_then(blog) -> None:
    cluster = KeywordCluster.objects.create(
        company=blog.site.company, name="shops", approvals=10, auto_approve=True
    )
    sections = [*SHOPS["sections"]]
    sections[0] = {**sections[0], "text": sections[0]["text"] + " Ask a lawyer first."}
    blog.model.answers[:] = [changed(SHOPS, sections=sections)]
    post = to_approval(blog, cluster=cluster)
    assert post.approval.status == "pending"


# --- pushing --------------------------------------------------------------------------


def other_clone(blog: Blog) -> Path:
    place = blog.repository.parent / "other"
    if not place.exists():
        git(place.parent, "clone", "-q", str(blog.repository), str(place))
    return place


def test_a_file_that_is_there_is_never_overwritten(blog) -> None:
    post = to_approval(blog)
    deploys.add(other_clone(blog), post.path, "---\ntitle: By hand\n---\n\nMine.\n")
    blog.approve()
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert post.state == "rejected" and post.path in post.reasons[0]
    assert "Mine." in (blog.deployer.file(post.path) or ""), row.lines


def test_the_same_bytes_are_adopted(blog) -> None:
    post = to_approval(blog)
    by_hand = deploys.add(other_clone(blog), post.path, post.version.source)
    blog.approve()
    blog.run(AT + LATER)
    post.refresh_from_db()
    assert (post.state, post.commit) == ("live", by_hand)
    assert len(deploys.commits(blog.repository, post.path)) == 1


def test_a_second_committer_is_overtaken(blog) -> None:
    """Somebody pushes whenever we are about to: it lands all the same, on top."""
    post = to_approval(blog)
    other = other_clone(blog)
    fence = other.parent / "races"
    fence.write_text("3")
    # As if somebody else's push had come in between, three times.
    deploys.hook(
        blog.repository,
        "pre-receive",
        f'n=$(cat {fence}); [ "$n" = 0 ] && exit 0\n'
        f"echo $((n - 1)) > {fence}\n"
        "echo 'cannot lock ref refs/heads/main'; exit 1",
    )
    blog.approve()
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert post.state == "live", (row.note, row.lines)
    assert len(deploys.commits(blog.repository, post.path)) == 1


def test_after_eight_tries_it_is_left_to_the_next_run(blog) -> None:
    post = to_approval(blog)
    blog.approve()
    deploys.hook(blog.repository, "pre-receive", "echo cannot lock ref; exit 1")
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert (row.status, post.state) == ("partial", "committed")
    assert "could not be pushed" in row.note
    (blog.repository / "hooks" / "pre-receive").unlink()
    blog.run(AT + LATER * 2)
    post.refresh_from_db()
    assert post.state == "live"
    assert len(deploys.commits(blog.repository, post.path)) == 1


def test_a_protected_branch_blocks_and_the_post_stays_approved(blog) -> None:
    post = to_approval(blog)
    blog.approve()
    script = "echo 'GH006: Protected branch update failed for refs/heads/main.'; exit 1"
    deploys.hook(blog.repository, "pre-receive", script)
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert (row.status, post.state, post.commit) == ("blocked", "approved", "")
    assert "GH006" in row.note and Issue.objects.get(origin_kind=ALERT)
    (blog.repository / "hooks" / "pre-receive").unlink()
    blog.run(AT + LATER * 2)
    post.refresh_from_db()
    assert post.state == "live"
    assert Issue.objects.get(origin_kind=ALERT).status == "done"


def test_without_a_repository_nothing_is_written(blog) -> None:
    blog.site.repo_url = ""
    blog.site.save()
    blog.brief()
    row = blog.run()
    assert row.status == "blocked" and "Repository" in row.note
    assert blog.model.asked == [] and not Post.objects.exists()


def test_the_switch_stops_before_the_push(blog) -> None:
    post = to_approval(blog)
    blog.approve()
    work = blog.work(AT + LATER)
    blog.site.switch(False, by=SYSTEM)
    row = conduct.conduct(work)
    post.refresh_from_db()
    assert (row.status, post.state) == ("blocked", "approved")
    assert len(deploys.commits(blog.repository)) == 1


# --- deploying, and what a liar can do ------------------------------------------------


def pushed(blog: Blog) -> tuple[JobRun, Post]:
    """A run that pushes, whatever comes of it."""
    to_approval(blog)
    blog.approve()
    row = blog.run(AT + LATER)
    return row, blog.post


@pytest.fixture
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketing.jobs.blog.LOOKS", 3)


def test_a_slow_build_is_waited_for(blog) -> None:
    blog.with_vercel()
    blog.deployer.polls = 6
    row, post = pushed(blog)
    assert (post.state, post.deployment_state) == ("live", "READY"), said(row)
    receipt = Evidence.objects.get(issue=row.issue)
    facts = receipt.facts
    assert facts["deployment"] == post.deployment and facts["head"] == post.commit
    assert facts["blob"] == post.blob and facts["status"] == 200


def test_the_hook_is_called_once_for_a_commit(blog) -> None:
    blog.with_hook()
    row, post = pushed(blog)
    assert (post.state, post.hook_job) == ("live", "job1"), said(row)
    assert blog.deployer.hooks == [post.commit]
    blog.run(AT + LATER * 2)
    assert len(blog.deployer.hooks) == 1


def test_a_hook_that_is_not_there_blocks(blog) -> None:
    blog.with_hook()
    blog.deployer.hook_status = 404
    row, post = pushed(blog)
    assert (row.status, post.state) == ("blocked", "pushed")
    assert "deploy hook" in row.note
    assert deploys.SECRET not in row.note + row.issue.description
    blog.deployer.hook_status = 200
    row = blog.run(AT + LATER + timedelta(minutes=10))
    post.refresh_from_db()
    assert post.state == "live" and len(deploys.commits(blog.repository)) == 2


def test_a_hook_that_is_not_set_blocks(blog) -> None:
    blog.site.deploy_trigger = "hook"
    blog.site.save()
    row, post = pushed(blog)
    assert (row.status, post.state) == ("blocked", "pushed")


def test_the_hooks_address_is_nowhere(blog) -> None:
    blog.with_hook()
    blog.deployer.hook_status = 503
    row, post = pushed(blog)
    assert (row.status, post.state) == ("partial", "pushed")
    row.refresh_from_db()
    kept = [row.note, *row.lines, row.issue.description]
    kept += [str(one) for one in Effect.objects.values_list("request", "outcome")]
    kept += [str(one) for one in Activity.objects.values_list("details", flat=True)]
    assert not [one for one in kept if deploys.SECRET in one]


@pytest.mark.usefixtures("few_looks")
def test_pending_for_ever_is_never_verified(blog) -> None:
    blog.with_hook()
    blog.deployer.mode = "pending"
    row, post = pushed(blog)
    assert (post.state, post.hook_job) == ("deploy_requested", "job1")
    assert blog.claims(row) == ["unverified"] and row.issue.status == "in_review"
    later = blog.run(AT + LATER + timedelta(minutes=31))
    post.refresh_from_db()
    assert post.state == "unverified" and later.status == "partial"
    assert blog.claims(later) == []  # the first claim is the claim
    # It does appear after all: a later run sees it, and does nothing else.
    blog.deployer.mode = "good"
    blog.deployer.build(post.commit)
    blog.deployer.go_on()
    later = blog.run(AT + LATER * 3)
    post.refresh_from_db()
    row.issue.refresh_from_db()
    assert (post.state, row.issue.status) == ("live", "done")
    assert len(deploys.commits(blog.repository)) == 2


@pytest.mark.usefixtures("few_looks")
def test_a_build_that_fails_is_refuted_and_proposed_to_be_taken_back(blog) -> None:
    blog.with_vercel()
    blog.deployer.mode = "error"
    row, post = pushed(blog)
    assert (post.state, blog.claims(row)) == ("refuted", ["refuted"])
    assert "ERROR" in said(row) and "ERROR" in post.reasons[0]
    blog.run(AT + LATER * 2)
    post.refresh_from_db()
    assert post.approval.payload["act"] == "take offline" and post.approval.is_open
    blog.run(AT + LATER * 3)
    assert Approval.objects.filter(type="publish").count() == 2
    blog.deployer.mode = "good"
    blog.approve(post)
    last = blog.run(AT + LATER * 4)
    post.refresh_from_db()
    assert post.state == "unpublished", last.note
    assert blog.deployer.file(post.path) is None


@pytest.mark.usefixtures("few_looks")
def test_with_a_server_switched_off_nothing_is_verified(blog, monkeypatch) -> None:
    """The repository cannot be asked when the claim is looked at."""
    to_approval(blog)
    blog.approve()
    real = verification.verify_run

    def away(work: Any) -> None:
        hidden = blog.repository.with_name("hidden.git")
        blog.repository.rename(hidden)
        try:
            real(work)
        finally:
            hidden.rename(blog.repository)

    monkeypatch.setattr("marketing.verification.verify_run", away)
    row = blog.run(AT + LATER)
    assert blog.claims(row) == ["unverified"]
    assert blog.post.state == "deploy_requested"


@pytest.mark.usefixtures("few_looks")
def test_who_changes_the_file_refutes_the_claim(blog) -> None:
    blog.deployer.mode = "pending"
    row, post = pushed(blog)
    deploys.add(other_clone(blog), post.path, "Something else.\n")
    blog.run(AT + LATER + timedelta(minutes=5))
    post.refresh_from_db()
    assert post.state == "refuted" and blog.claims(row) == ["refuted"]
    assert "another text" in said(row)


@pytest.mark.usefixtures("few_looks")
def test_a_later_commit_that_holds_ours_is_as_good(blog) -> None:
    """Its build is given up because somebody pushes: theirs has ours in it."""
    blog.with_vercel()
    blog.deployer.by_push = False
    to_approval(blog)
    blog.approve()
    blog.site.refresh_from_db()
    work = blog.work(AT + LATER)
    committing.publish(work, blog.post)
    post = blog.post
    other = other_clone(blog)
    git(other, "pull", "-q", "origin", "main")
    theirs = deploys.add(other, "b.md", "B\n")
    blog.deployer.builds.append(
        deploys.rehearsal.Build("dpl_0", post.commit, "CANCELED")
    )
    blog.deployer.build(theirs)
    row = conduct.conduct(work)
    post.refresh_from_db()
    assert post.state == "live", (row.note, said(row))
    assert len(deploys.commits(blog.repository)) == 3


# --- taking it back -------------------------------------------------------------------


def taken_down(blog: Blog, post: Post, at: Any) -> JobRun:
    JobSchedule.objects.update(is_on=False)
    post.unpublish(by=blog.person())
    asked = Effect.objects.filter(kind="unpublish", key=str(post.key))
    assert asked.exclude(state="done").exists()
    JobSchedule.objects.update(is_on=True)
    return blog.run(at)


def test_one_click_takes_it_offline(blog) -> None:
    post = live(blog)
    row = taken_down(blog, post, AT + LATER * 2)
    post.refresh_from_db()
    assert (post.state, row.status) == ("unpublished", "ok"), row.note
    assert blog.deployer.file(post.path) is None
    assert Effect.objects.get(kind="unpublish").state == "done"
    text = git(blog.repository, "log", "-1", "--format=%B", "main")
    assert f"Reverts: {post.commit}" in text
    assert blog.claims(row) == ["verified"], said(row)
    again = blog.run(AT + LATER * 3)
    assert again.status == "noop" and len(deploys.commits(blog.repository)) == 3


def test_the_link_to_it_goes_with_it(blog) -> None:
    old = live(blog)
    blog.brief("stock forecasting")
    blog.model.answers.append(with_links(STOCK, old.pk))
    blog.run(AT + NEXT_DAY)
    new = blog.approve()
    blog.run(AT + NEXT_DAY + LATER)
    new.refresh_from_db()
    assert new.state == "live"
    taken_down(blog, new, AT + NEXT_DAY + LATER * 2)
    assert blog.deployer.file(old.path) == old.version.source
    assert blog.deployer.file(new.path) is None


def test_a_click_starts_the_job(blog) -> None:
    post = live(blog)
    post.unpublish(by=blog.person())
    assert JobRun.objects.live().filter(job="blog").count() == 1
    post.unpublish(by=blog.person())
    assert Effect.objects.filter(kind="unpublish").count() == 1


def test_what_never_went_out_is_not_taken_down(blog) -> None:
    post = to_approval(blog)
    with pytest.raises(Conflict, match="not online"):
        post.unpublish(by=blog.person())


def test_a_file_of_somebody_else_is_not_taken_down(blog) -> None:
    post = live(blog)
    other = other_clone(blog)
    git(other, "pull", "-q", "origin", "main")
    deploys.add(other, post.path, "Written by hand.\n")
    row = taken_down(blog, post, AT + LATER * 2)
    assert row.status == "blocked" and "by hand" in row.note
    assert blog.deployer.file(post.path) == "Written by hand.\n"


@pytest.mark.usefixtures("few_looks")
def test_a_page_that_stays_is_not_offline(blog) -> None:
    post = live(blog)
    blog.deployer.by_push = False
    row = taken_down(blog, post, AT + LATER * 2)
    assert blog.claims(row) == ["unverified"] and "still there" in said(row)
