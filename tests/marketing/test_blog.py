"""The Blog Publisher from a brief to a page that was seen, and what keeps it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_httpserver import HTTPServer

from tests.marketing import deploys
from tests.marketing.blogscene import AT, Blog

pytestmark = pytest.mark.django_db
LATER = timedelta(hours=2)


@pytest.fixture
def blog(httpserver: HTTPServer) -> Blog:
    return Blog.set_up(httpserver)


def test_a_post_goes_from_its_brief_to_a_page_that_was_seen(blog: Blog) -> None:
    brief = blog.brief()
    row = blog.run()
    post = blog.post
    assert (row.status, post.state) == ("ok", "awaiting_approval"), post.reasons
    assert deploys.commits(blog.repository) == ["Write README.md"]
    blog.approve()
    row = blog.run(AT + LATER)
    post.refresh_from_db()
    assert (row.status, post.state) == ("ok", "live"), (row.note, row.lines)
    assert blog.claims(row) == ["verified"] and row.issue.status == "done"
    assert deploys.commits(blog.repository)[0] == f"Publish: {post.title}"
    brief.refresh_from_db()
    assert brief.state == "used" and len(blog.model.asked) == 1
