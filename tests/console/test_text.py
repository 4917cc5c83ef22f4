"""What agents and people write is text, whatever it looks like."""

import re

import pytest

from agents.runlog import LogWriter
from paperclip.actors import SYSTEM
from paperclip.templatetags.console import markdown
from tests import make

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def test_it_stays_text_on_every_page(console, company):
    agent = make.agent(company, name=f"A {EVIL}", title=EVIL, capabilities=EVIL)
    agent.change(by=SYSTEM, adapter_config={"command": "true", "args": [EVIL]})
    issue = make.issue(company, title=EVIL, description=EVIL, assignee_agent=agent)
    run, _token = make.live_run(agent, issue)
    issue.comment(EVIL, by=SYSTEM)
    run.finish("failed", error=EVIL)
    make.goal(company, title=EVIL)
    company.change(by=SYSTEM, name=EVIL)
    for url in (
        *(
            "/",
            "/issues/",
            "/agents/",
            "/runs/",
            "/goals/",
            "/activity/",
            "/companies/",
        ),
        f"/issues/{issue.identifier}",
        f"/issues/{issue.pk}/change/",
        f"/agents/{agent.pk}",
        f"/agents/{agent.pk}/change/",
        f"/runs/{run.pk}",
    ):
        text = console.get(url).content.decode()
        assert "<script>alert" not in text and "<img src=x" not in text, url


def test_the_log_is_data_for_a_script_that_writes_text(console, company):
    run, _token = make.live_run(make.agent(company))
    with LogWriter(run) as log:
        log.write("stdout", EVIL.encode())
        log.write("stderr", b"oops")
    answer = console.get(f"/runs/{run.pk}/log")
    assert answer.headers["Content-Type"] == "application/json"
    lines = answer.json()["lines"]
    assert [(line["stream"], line["chunk"]) for line in lines] == [
        ("stdout", EVIL),
        ("stderr", "oops"),
    ]


def test_the_log_goes_on_from_where_one_was(console, company):
    run, _token = make.live_run(make.agent(company))
    with LogWriter(run) as log:
        log.write("stdout", b"one\n")
        first = console.get(f"/runs/{run.pk}/log").json()
        log.write("stdout", b"two\n")
    rest = console.get(f"/runs/{run.pk}/log?offset={first['next']}").json()
    assert [line["chunk"] for line in rest["lines"]] == ["two\n"]
    run.finish("succeeded")
    end = console.get(f"/runs/{run.pk}/log?offset={rest['next']}").json()
    assert end == {"lines": [], "next": None}


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 40, "1e3"])
def test_a_wrong_offset_is_the_beginning(console, company, offset):
    run, _token = make.live_run(make.agent(company))
    answer = console.get(f"/runs/{run.pk}/log?offset={offset}")
    assert answer.status_code == 200


def test_markdown_keeps_html_out():
    html = markdown(EVIL + "\n\n**bold** `code`")
    assert "<script" not in html and "<img" not in html
    assert "<strong>bold</strong>" in html and "<code>code</code>" in html


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x"],
)
def test_markdown_links_do_not_run(target):
    assert "href" not in markdown(f"[x]({target}) <{target}>")


def test_markdown_links_say_who_they_are_for():
    html = markdown("[x](https://example.com/?a=1&b=2)")
    assert 'rel="nofollow noopener noreferrer"' in html


def test_markdown_loads_nothing():
    html = markdown("![x](https://example.com/x.png)")
    assert not re.search(r"<(img|iframe|link|object)", html)


def test_markdown_mentions_lead_to_the_agent():
    assert 'href="/agents/123"' in markdown("[@Ada](agent://123)")
