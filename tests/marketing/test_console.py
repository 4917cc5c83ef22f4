"""The marketing pages: what they show, and their buttons."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from agents.models import Secret
from marketing import keys
from marketing.jobs import JOBS
from marketing.models import (
    Contact,
    JobRun,
    JobSchedule,
    Keyword,
    KeywordGap,
    Message,
    Post,
    Site,
)
from marketing.outreach import letters
from marketing.upcoming import coming_up
from paperclip.actors import SYSTEM
from tests import make
from tests.marketing import scene, showcase

pytestmark = pytest.mark.django_db


def client(company: Any, role: str = "admin") -> Client:
    found = Client()
    found.force_login(make.operator(company, role))
    return found


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def test_every_page_shows_what_there_is() -> None:
    site = showcase.company()
    browser = client(site.company)
    post, message = Post.objects.first(), Message.objects.first()
    rival = site.company.competitors.get(name="altar.io")
    expected = {
        "/marketing/": ["Content Engine", "runs with nothing to do", "Run now"],
        "/marketing/gaps/": ["mvp development cost", "how many rivals use it"],
        f"/marketing/rivals/{rival.pk}": ["Startup guide (new)", "no meta description"],
        "/marketing/posts/": ["part 2", "Waits for you", "Four of six rivals"],
        f"/marketing/posts/{post.pk}": [
            "<h2>Where it helps</h2>",
            "Unlike all other posts",
        ],
        "/marketing/ranks/": ["chatbot für händler", "<svg", "of 3 watched"],
        "/marketing/outreach/": ["Tech Weekly 1", "found in Sent", "Tell me"][:2],
        f"/marketing/outreach/{message.pk}": [message.body[:6], "250 2.0.0"],
        "/marketing/indexnow/": ["post-3", "accepted, key not validated yet"],
        "/marketing/results/": ["Posts seen live"],
    }
    for url, words in expected.items():
        page = text(browser.get(url))
        for word in words:
            assert word in page, (url, word)


def test_what_is_said_in_english_below_a_mail_is_told_before_it_is_approved() -> None:
    site = showcase.company()
    browser = client(site.company)
    row = Message.objects.get(state="awaiting_approval")
    url, warning = f"/marketing/outreach/{row.pk}", "stand below it in English"
    for language, told in (("pt-BR", False), ("en", False), ("de", True)):
        Contact.objects.filter(pk=row.contact_id).update(language=language)
        row.contact.refresh_from_db()
        assert (warning in text(browser.get(url))) is told, language
        foot = letters.footer(site, row.mailbox, row.contact, "")
        assert ("O seu endereço" in foot) is (language == "pt-BR")
        assert "unsubscribe" in foot and "Rua do Exemplo 1" in foot
    room = text(browser.get("/marketing/"))
    assert "1 mail to read and approve" in room


def test_without_a_site_the_room_says_what_to_do() -> None:
    company = make.company()
    assert "Set the site up" in text(client(company).get("/marketing/"))
    page = text(client(company, "operator").get("/marketing/"))
    assert "An admin can do that" in page


def test_run_now_switch_interval_and_the_big_button() -> None:
    site = scene.site()
    browser = client(site.company, "operator")
    browser.post("/marketing/jobs/content/run")
    row = JobRun.objects.get()
    assert (row.job, row.status) == ("content", "running")
    page = text(browser.get("/marketing/"))
    assert "waits for its agent" in page
    browser.post("/marketing/jobs/content/run")
    assert JobRun.objects.count() == 1
    browser.post("/marketing/jobs/pr/switch", {"on": "0"})
    browser.post("/marketing/jobs/spy/every", {"hours": "5"})
    browser.post("/marketing/jobs/spy/every", {"hours": "5000"})
    assert JobSchedule.objects.get(job="pr").is_on is False
    assert JobSchedule.objects.get(job="spy").task.interval.every == 5
    browser.post("/marketing/stop", {"on": "0"})
    assert "All jobs are stopped" in text(browser.get("/marketing/"))
    browser.post("/marketing/stop", {"on": "1"})
    site.refresh_from_db()
    assert site.is_stopped is False
    assert browser.post("/marketing/jobs/nothing/run").status_code == 404


def test_what_comes_next_is_over_jobs_routines_and_agents() -> None:
    site = scene.site()
    routine = make.routine(site.company, assignee_agent=site.agent)
    make.schedule(routine)
    site.agent.change(by=SYSTEM, heartbeat_enabled=True, interval_seconds=600)
    kinds = {one.kind for one in coming_up(site.company, 20)}
    assert kinds == {"job", "routine", "agent"}
    site.company.pause(by=SYSTEM)
    assert coming_up(site.company) == []


def test_a_viewer_sees_and_changes_nothing() -> None:
    site = showcase.company()
    browser = client(site.company, "viewer")
    assert "Run now" not in text(browser.get("/marketing/"))
    browser.post("/marketing/jobs/content/switch", {"on": "0"})
    browser.post("/marketing/stop", {"on": "0"})
    gap = KeywordGap.objects.first()
    browser.post(f"/marketing/gaps/{gap.pk}/dismiss")
    gap.refresh_from_db()
    site.refresh_from_db()
    assert JobSchedule.objects.get(job="content").is_on
    assert not site.is_stopped and not gap.is_dismissed
    assert browser.get("/marketing/site/").status_code == 403


def test_a_gap_is_put_aside_and_taken_back() -> None:
    site = showcase.company()
    browser, gap = client(site.company), KeywordGap.objects.first()
    browser.post(f"/marketing/gaps/{gap.pk}/dismiss", {"on": "0"})
    browser.get("/marketing/gaps/")  # says once what was done
    assert gap.term not in text(browser.get("/marketing/gaps/"))
    assert gap.term in text(browser.get("/marketing/gaps/?dismissed=1"))
    browser.post(f"/marketing/gaps/{gap.pk}/dismiss", {"on": "1"})
    gap.refresh_from_db()
    assert gap.is_dismissed is False


def test_the_site_is_set_up_and_its_secrets_are_chosen() -> None:
    company = make.company()
    agent = make.agent(company, role="cmo")
    kept = Secret.objects.keep(company, by=SYSTEM, name="Bing", value="b1ng-k3y-00")
    browser = client(company)
    told = {
        "name": "Us", "base_url": "https://us.example", "agent": str(agent.pk),
        "repo_branch": "main", "post_path": "content/{slug}.md", "post_url": "/{slug}",
        "deploy_trigger": "push", "max_posts_per_day": "1", "serp_monthly_cents": "0",
        "facts": "founded: Founded in 2019 (https://us.example/about)\nWe are four.",
        "languages": "en\npt", "secret_bing_key": str(kept.pk),
    }  # fmt: skip
    start = text(browser.get("/marketing/site/"))
    assert "Address of your site" in start and "Fill it in by hand" in start
    bad = browser.get("/marketing/site/", {"url": "ftp://us.example"})
    assert bad.status_code == 422
    wrong = browser.post("/marketing/site/", {**told, "max_posts_per_day": "9"})
    assert wrong.status_code == 422 and not Site.objects.exists()
    assert browser.post("/marketing/site/", told).status_code == 302
    site = Site.objects.get()
    assert (site.base_url, site.languages) == ("https://us.example/", ["en", "pt"])
    assert site.facts[0] == {
        "id": "founded",
        "text": "Founded in 2019",
        "source_url": "https://us.example/about",
    }
    assert keys.bound(site, "bing_key").secret == kept
    assert JobSchedule.objects.filter(company=company).count() == len(JOBS)
    assert "founded: Founded in 2019" in text(browser.get("/marketing/site/"))


def test_a_site_is_read_and_proposed(httpserver: HTTPServer) -> None:
    company = make.company(rehearsal=True)
    make.agent(company, role="cmo")
    html = "<title>Shop robots by Us</title><h1>Robots for shops</h1><p>Hello.</p>"
    httpserver.expect_request("/").respond_with_data(html, content_type="text/html")
    browser = client(company)
    answer = browser.get("/marketing/site/", {"url": httpserver.url_for("/")})
    page = text(answer)
    assert "Look at what is proposed" in page and httpserver.url_for("/") in page
    told = {
        name: "\n".join(map(str, value)) if isinstance(value, list) else value
        for name, value in answer.context["form"].initial.items()
        if value is not None
    }
    told |= {"repo_branch": "main", "post_path": "{slug}.md", "post_url": "/{slug}",
             "deploy_trigger": "push", "max_posts_per_day": "1",
             "serp_monthly_cents": "0", "facts": "", "keywords": "shop robots",
             "rivals": "https://rival.example"}  # fmt: skip
    assert browser.post("/marketing/site/", told).status_code == 302
    site = Site.objects.get()
    assert site.agent.role == "cmo" and site.base_url == httpserver.url_for("/")
    assert Keyword.objects.filter(company=company, text="shop robots").exists()
    assert company.competitors.filter(base_url__contains="rival.example").exists()


def test_rows_kept_by_hand_say_what_is_wrong_with_them() -> None:
    site = scene.site()
    browser = client(site.company)
    contact = {
        "outlet": "Tech", "category": "eu", "language": "en", "country": "PT",
        "timezone": "Europe/Lisbon", "email": "A.na+x@Gmail.com", "is_on": "on",
    }  # fmt: skip
    assert browser.post("/marketing/contacts/add/", contact).status_code == 302
    assert Contact.objects.get().identity == "ana@gmail.com"
    twin = {**contact, "email": "ana@gmail.com"}
    answer = browser.post("/marketing/contacts/add/", twin)
    assert answer.status_code == 422 and "already" in answer.content.decode()
    word = {"text": "AI  Agents", "language": "en", "country": "PT",
            "device": "desktop", "is_tracked": "on"}  # fmt: skip
    browser.post("/marketing/keywords/add/", word)
    assert Keyword.objects.get().text == "ai agents"
    browser.post("/marketing/suppressions/add/", {"value": "@Press.example"})
    assert site.company.suppressions.get().value == "@press.example"
    viewer = client(site.company, "operator")
    assert viewer.get("/marketing/contacts/add/").status_code == 403


def test_rows_of_another_company_are_missing() -> None:
    showcase.company()
    other = client(make.company("Other"))
    for url in (
        f"/marketing/posts/{Post.objects.first().pk}",
        f"/marketing/outreach/{Message.objects.first().pk}",
    ):
        assert other.get(url).status_code == 404
    page = text(other.get("/marketing/outreach/"))
    assert "Tech Weekly" not in page
