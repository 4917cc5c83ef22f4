"""Each credential is tried as the jobs use it: what works, what is not set, and what is
broken; nothing is sent by that and no secret is told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from marketing import credentials
from marketing.credentials import BROKEN, NOT_SET, WORKS, Told
from marketing.models import Mailbox
from paperclip.doctor import marketing as doctor
from paperclip.doctor.findings import FAIL, WARN
from tests.marketing import deploys, mailworld, scene, searchers
from tests.marketing.blogscene import Blog

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "an-indexnow-key-0000"
SECRETS = [deploys.SECRET, deploys.TOKEN, "b1ng-k3y-0000", "s3rp-k3y-0000"]
SECRETS += [mailworld.PASSWORD, "PRIVATE KEY"]


@pytest.fixture
def smtp() -> Iterator[tuple[mailworld.Script, int]]:
    with mailworld.scripted() as one:
        yield one


@pytest.fixture(scope="module")
def post() -> Iterator[mailworld.Post]:
    with mailworld.post() as one:
        yield one


@pytest.fixture
def blog(httpserver: HTTPServer) -> Blog:
    """A site that has all there is, on this machine."""
    blog, base = Blog.set_up(httpserver), httpserver.url_for("").rstrip("/")
    blog.with_vercel()
    blog.with_hook()
    site = blog.site
    site.indexnow_key, site.gsc_property = KEY, "sc-domain:us.example"
    site.bing_site, site.serp_vendor = "https://us.example", "serper"
    site.serp_monthly_cents = 100
    for name in ("gsc", "bing", "serper"):
        site.endpoints[name] = f"{base}/{name}"
    site.endpoints["google_token"] = f"{base}/token"
    site.save()
    blog.secret("gsc_credentials", searchers.CREDENTIALS)
    blog.secret("bing_key", "b1ng-k3y-0000")
    blog.secret("serp_key", "s3rp-k3y-0000")
    return blog


def answers(server: HTTPServer, *, good: bool) -> None:
    """What the services say to who asks with a good credential, or a bad one."""
    if good:
        server.expect_request(f"/{KEY}.txt").respond_with_data(KEY)
        searchers.search_console(server, list)
        said, account = json.dumps({"d": []}), json.dumps({"balance": 9})
        server.expect_request("/bing/GetQueryStats").respond_with_data(said)
        key = {"X-API-KEY": "s3rp-k3y-0000"}
        asked = server.expect_request("/serper/account", headers=key)
        asked.respond_with_data(account)
        return
    page = Response("<html>Welcome</html>", 200)
    for path in (f"/{KEY}.txt", "/token", "/bing/GetQueryStats", "/serper/account"):
        server.expect_request(path).respond_with_response(page)


def tried(blog: Blog) -> dict[str, Told]:
    found = {told.name: told for told in credentials.examine(blog.site.company)}
    for secret in SECRETS:
        assert secret not in str(found)
    return found


def states(found: dict[str, Told]) -> dict[str, str]:
    return {name: told.state for name, told in found.items()}


def test_all_of_them_work_and_nothing_goes_out(blog, httpserver, smtp, post) -> None:
    answers(httpserver, good=True)
    mailworld.mailbox(blog.site, smtp[1], post.imap, sent_copy="append")
    found = tried(blog)
    wrong = [told for told in found.values() if told.state != WORKS]
    assert [told.name for told in wrong] == ["public"] and wrong[0].state == NOT_SET
    assert list(found) == [
        *("git", "hook", "vercel", "indexnow", "gsc", "bing", "serp", "public"),
        *("smtp", "imap", "dns"),
    ]
    assert (blog.deployer.hooks, smtp[0].letters) == ([], [])


def test_of_what_is_not_set_it_says_where_and_what_for() -> None:
    found = {told.name: told for told in credentials.examine(scene.site().company)}
    assert {*states(found).values()} == {NOT_SET, WORKS}
    assert found.pop("hook").state == WORKS  # the push deploys
    for told in found.values():
        assert told.state == NOT_SET and "is not set" in told.said
        assert "Set it in: " in told.todo and "It unlocks: " in told.todo


def test_what_is_broken_is_said_with_what_to_do(
    blog, httpserver, smtp, post, settings
) -> None:
    """A page that answers 200 is no key file, no token and no account."""
    answers(httpserver, good=False)
    settings.PUBLIC_URL = blog.deployer.url("")
    blog.site.repo_branch = "gone"
    blog.site.save()
    box = mailworld.mailbox(blog.site, smtp[1], 1)
    Mailbox.objects.filter(pk=box.pk).update(smtp_port=1)
    found = tried(blog)
    assert {name for name, state in states(found).items() if state == BROKEN} == {
        *("git", "indexnow", "gsc", "bing", "serp", "public", "smtp", "imap"),
    }
    assert "no branch gone" in found["git"].said
    assert "does not hold the key" in found["indexnow"].said
    for told in found.values():
        assert told.state != BROKEN or "Until then not: " in told.todo


def test_the_page_of_the_site_tells_the_same() -> None:
    site = scene.site()
    browser = scene.browser(site.company)
    assert "Try them" in browser.get("/marketing/site/").content.decode()
    told = browser.post("/marketing/site/credentials").content.decode()
    assert "“IndexNow key” is not set" in told and "works" in told
    browser = scene.browser(site.company, "operator")
    assert browser.post("/marketing/site/credentials").status_code == 403


def test_the_doctor_tells_of_companies_that_work_for_real() -> None:
    site = scene.site()
    assert list(doctor.examine()) == []
    site.company.rehearsal = False
    site.company.save()
    found = dict(doctor.examine())
    prefix = site.company.issue_prefix
    assert found[f"{prefix} git"].state == WARN
    mailworld.mailbox(site, smtp_host="mail.invalid", imap_host="mail.invalid")
    assert dict(doctor.examine())[f"{prefix} smtp"].state == FAIL
