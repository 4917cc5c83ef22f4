"""A person edits and approves a post, and runs a job, in a real browser."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from marketing.models import JobRun, JobSchedule, Post
from paperclip.commands import operator
from tests import make
from tests.console.test_browser import sign_in
from tests.marketing import deploys
from tests.marketing.blogscene import AT, Blog

TITLE = "AI agents for small shops: begin here"


@pytest.mark.django_db(transaction=True)
def test_what_was_edited_is_approved_and_goes_out_and_a_job_runs_once(
    live_server: Any, page: Page, httpserver: HTTPServer
) -> None:
    blog = Blog.set_up(httpserver)
    blog.brief()
    blog.run()
    post, base = blog.post, f"{live_server.url}/marketing"
    first, asked = post.version, post.approval
    sign_in(page, live_server.url, make.owner_of(blog.site.company))

    # The text that is approved is the one that was edited last.
    page.goto(f"{base}/posts/{post.pk}")
    expect(
        page.get_by_role("heading", name=first.document["title"]).first
    ).to_be_visible()
    page.locator("#edit summary").click()
    page.get_by_label("Title", exact=True).fill(TITLE)
    page.locator("#save-post").click()
    expect(page.get_by_role("heading", name="What the last edit")).to_be_visible()
    asked.refresh_from_db()
    post.refresh_from_db()
    assert asked.status == "cancelled" and post.approval.is_open
    assert post.approval.payload["sha256"] == post.version.sha256 != first.sha256
    JobSchedule.objects.update(is_on=False)  # the run that a yes begins is ours here
    page.get_by_role("link", name="Approve or reject").click()
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("It is decided.")).to_be_visible()
    JobSchedule.objects.update(is_on=True)
    post.refresh_from_db()
    assert post.state == "approved" and post.approved_sha256 == post.version.sha256
    blog.run(AT + timedelta(hours=2))
    post.refresh_from_db()
    committed = blog.deployer.file(post.path)
    assert committed and committed == post.version.source and TITLE in committed
    assert len(deploys.commits(blog.repository)) == 2

    # A dry run is told, and touches nothing.
    runs = JobRun.objects.count()
    blog.site.company.memberships.create(user=operator(), role="operator")
    call_command(
        "run_job", "blog", "--dry-run", "--company", blog.site.company.issue_prefix,
        stdout=StringIO(),
    )  # fmt: skip
    page.goto(f"{base}/")
    expect(page.locator("#timeline")).to_contain_text("dry run")
    dry = JobRun.objects.get(is_dry=True)
    assert dry.issue is None and JobRun.objects.count() == runs + 1
    assert len(deploys.commits(blog.repository)) == 2 == Post.objects.count() + 1

    # Pressed twice it is one run.
    press = "Run now: Competitor Spy"
    page.get_by_role("button", name=press).dblclick()
    expect(page.locator("#jobs")).to_contain_text("waits for its agent")
    expect(page.get_by_text("begins as soon as its agent is free")).to_be_visible()
    assert JobRun.objects.filter(job="spy").count() == 1
