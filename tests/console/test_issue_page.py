"""The page of an issue stays short, however much was said on it."""

import re

import pytest

from agents.models import Run
from issues.models import Comment
from paperclip.templatetags import console as tags
from tests import make

pytestmark = pytest.mark.django_db


def talk(issue, many):
    """A long thread, all of it said in the same moment."""
    said = [
        Comment(company=issue.company, issue=issue, body=f"said {number}.")
        for number in range(many)
    ]
    return Comment.objects.bulk_create(said)


def shown(console, url):
    return console.get(url).context["thread"]


def older(console, url):
    found = re.search(r'href="(\?before=[^"]+)"', console.get(url).content.decode())
    return found and found[1]


def test_a_thread_is_read_page_by_page(console, company):
    issue = make.issue(company)
    talk(issue, 120)
    url = f"/issues/{issue.identifier}"
    everything, pages, here = list(issue.comments.all()), [], ""
    while here is not None:
        pages.insert(0, shown(console, url + here))
        here = older(console, url + here)
    assert [len(page) for page in pages] == [20, 50, 50]
    assert [said for page in pages for said in page] == everything


def test_a_short_thread_has_one_page(console, company):
    issue = make.issue(company)
    talk(issue, 50)
    assert older(console, f"/issues/{issue.identifier}") is None


def test_an_older_page_leads_back_to_the_newest(console, company):
    issue = make.issue(company)
    said = talk(issue, 2)
    url = f"/issues/{issue.identifier}"
    last = max(said, key=lambda each: (each.created_at, each.pk))
    text = console.get(f"{url}?before={last.pk}").content.decode()
    assert f'href="{url}"' in text and f'id="comment-{last.pk}"' not in text


@pytest.mark.parametrize("before", ["x", "²", "%00", "", "8" * 32])
def test_an_unknown_place_in_the_thread_is_its_end(console, company, before):
    issue = make.issue(company)
    talk(issue, 2)
    assert len(shown(console, f"/issues/{issue.identifier}?before={before}")) == 2


def test_a_place_in_another_thread_is_none_of_this_one(console, company):
    issue, other = make.issue(company), make.issue(company)
    talk(issue, 2)
    foreign = talk(other, 1)[0]
    assert len(shown(console, f"/issues/{issue.identifier}?before={foreign.pk}")) == 2


def test_many_parts_and_runs_are_cut(console, company):
    issue, agent = make.issue(company), make.agent(company)
    parts = [make.issue(company, parent=issue) for _ in range(60)]
    make.issue(company, title="Elsewhere")
    for _ in range(20):
        Run.objects.create(
            company=company, agent=agent, issue_id=issue.pk, status="failed"
        )
    answer = console.get(f"/issues/{issue.identifier}")
    assert len(answer.context["children"]) == 50
    assert len(answer.context["runs"]) == 10
    link = re.search(r'href="(/issues/\?[^"]+)"', answer.content.decode())
    listed = console.get(link[1] + "&all=").context["cl"]
    assert listed.result_count == len(parts)


def test_few_parts_have_no_link_to_all(console, company):
    issue = make.issue(company)
    make.issue(company, parent=issue)
    answer = console.get(f"/issues/{issue.identifier}")
    assert "/issues/?parent" not in answer.content.decode()


def test_a_refresh_renders_no_comment_again(console, company, monkeypatch):
    rendered = []
    render = tags._markdown.render
    monkeypatch.setattr(
        tags._markdown, "render", lambda text: rendered.append(text) or render(text)
    )
    issue = make.issue(company)
    issue.comment("Never said before: *x*.", by=make.by(make.owner_of(company)))
    for _ in range(2):
        text = console.get(f"/issues/{issue.identifier}").content.decode()
        assert "<em>x</em>" in text
    assert rendered.count("Never said before: *x*.") == 1
    Comment.objects.update(body="Now *y*.")
    assert "<em>y</em>" in console.get(f"/issues/{issue.identifier}").content.decode()


def test_it_goes_back_to_who_had_it(console, company):
    owner = make.by(make.owner_of(company))
    filer, worker, talker = (make.agent(company, name=n) for n in ("F", "W", "A"))

    def offered(issue):
        found = console.get(f"/issues/{issue.identifier}")
        return found.context["asker"]

    filed = make.issue(company, created_by_agent=filer)
    filed.change(by=owner, assignee_user=owner.user)
    issue = make.issue(company, assignee_agent=worker)
    doer = make.working(worker, issue)
    issue.check_out(worker, worker.runs.live().get(), {"todo"}, by=doer)
    issue.change(by=doer, assignee_user=owner.user, comment="Red or blue?")
    issue.comment("I like blue.", by=make.working(talker))
    assert (offered(filed), offered(issue)) == (filer, worker)
    reviewed = make.issue(company, assignee_user=owner.user, executor_agent=talker)
    assert offered(reviewed) == talker
    assert offered(make.issue(company, assignee_agent=worker)) is None
