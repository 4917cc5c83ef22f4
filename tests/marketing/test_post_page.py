"""The page of a post: read, edit, approve as it is then, take offline."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from marketing.models import Effect, KeywordCluster, Post
from tests.marketing import scene
from tests.marketing.blogscene import Blog
from tests.marketing.drafts import SHOPS

pytestmark = pytest.mark.django_db


@pytest.fixture
def blog(httpserver: HTTPServer) -> Blog:
    made = Blog.set_up(httpserver)
    made.brief()
    made.run()
    return made


def fields(document: dict[str, Any]) -> dict[str, str]:
    """The form as a browser sends it."""
    told = {name: document[name] for name in ("title", "meta", "slug", "intro")}
    for kind in ("sections", "faq"):
        for number, part in enumerate(document[kind]):
            told |= {f"{kind}-{number}-{name}": text for name, text in part.items()}
    return {name: text.replace("\n", "\r\n") for name, text in told.items()}


def test_an_edit_is_saved_and_asked_for_anew(blog: Blog) -> None:
    browser, post = scene.browser(blog.site.company, "operator"), blog.post
    page = browser.get(f"/marketing/posts/{post.pk}").content.decode()
    assert "Approve or reject" in page and SHOPS["sections"][0]["heading"] in page
    title = "AI agents for small shops: begin here"
    told = {**fields(post.version.document), "title": title}
    assert browser.post(f"/marketing/posts/{post.pk}/edit", told).status_code == 302
    before = post.approval
    post.refresh_from_db()
    before.refresh_from_db()
    assert (post.title, post.version.number, before.status) == (title, 2, "cancelled")
    assert post.approval.payload["sha256"] == post.version.sha256
    page = browser.get(f"/marketing/posts/{post.pk}").content.decode()
    assert "What the last edit has changed" in page


def test_a_text_that_does_not_pass_stays_in_the_form(blog: Blog) -> None:
    browser, post = scene.browser(blog.site.company, "operator"), blog.post
    told = {**fields(post.version.document), "meta": "Too short for it"}
    answer = browser.post(f"/marketing/posts/{post.pk}/edit", told)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "does not pass the gates" in page and "Too short for it" in page
    assert post.versions.count() == 1


def test_a_post_is_taken_offline_with_one_click(blog: Blog) -> None:
    browser, post = scene.browser(blog.site.company, "operator"), blog.post
    url = f"/marketing/posts/{post.pk}/unpublish"
    browser.post(url)  # nothing of it is online
    assert not Effect.objects.filter(kind="unpublish").exists()
    Post.objects.filter(pk=post.pk).update(state="live", commit="0" * 40)
    assert (
        "Take it offline" in browser.get(f"/marketing/posts/{post.pk}").content.decode()
    )
    viewer = scene.browser(blog.site.company, "viewer")
    viewer.post(url)
    assert not Effect.objects.filter(kind="unpublish").exists()
    browser.post(url)
    assert Effect.objects.filter(kind="unpublish", key=str(post.key)).count() == 1


def test_after_ten_approvals_a_cluster_may_go_out_unread(blog: Blog) -> None:
    cluster = KeywordCluster.objects.create(company=blog.site.company, name="shops")
    Post.objects.filter(pk=blog.post.pk).update(cluster=cluster)
    browser, url = scene.browser(blog.site.company), f"/marketing/posts/{blog.post.pk}"

    def tell(on: str) -> bool:
        browser.post(f"{url}/trust", {"on": on})
        cluster.refresh_from_db()
        return cluster.auto_approve

    assert "so far: 0" in browser.get(url).content.decode()
    assert not tell("1")
    KeywordCluster.objects.update(approvals=10)
    assert "Let them go out unread" in browser.get(url).content.decode()
    operator = scene.browser(blog.site.company, "operator")
    assert "Let them go out unread" not in operator.get(url).content.decode()
    assert tell("1")
    assert "Read each again" in browser.get(url).content.decode()
    assert not tell("0")
