"""Each button calls its verb, and a refusal is shown with nothing lost."""

import json

import pytest

from agents.models import Agent, ApiKey, Run
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.models import Activity
from tests import make
from tests.console.conftest import LOG, seen_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(company):
    return make.agent(company, name="Ada")


@pytest.fixture
def issue(company, agent):
    return make.issue(company, assignee_agent=agent, title="Grow tomatoes")


def said(answer):
    return [str(m) for m in answer.context["messages"]]


def test_wake(console, agent):
    answer = console.post(f"/agents/{agent.pk}/wake", {"next": "/"}, follow=True)
    run = agent.runs.get()
    assert run.status == "queued" and run.wakes[0]["source"] == "on_demand"
    assert answer.redirect_chain == [("/", 302)]
    assert f"/runs/{run.pk}" in said(answer)[0]


def test_a_second_wake_joins_the_first(console, agent):
    for _ in range(2):
        answer = console.post(f"/agents/{agent.pk}/wake", follow=True)
    assert agent.runs.count() == 1
    assert "already" in said(answer)[-1]


def test_pause_and_resume(console, agent):
    console.post(f"/agents/{agent.pk}/pause")
    agent.refresh_from_db()
    assert agent.status == "paused"
    console.post(f"/agents/{agent.pk}/resume")
    agent.refresh_from_db()
    assert agent.status == "idle"


def test_a_refusal_is_said(console, agent):
    answer = console.post(f"/agents/{agent.pk}/resume", follow=True)
    assert said(answer) == ["Ada is idle, not paused."]


def test_terminate(console, agent):
    console.post(f"/agents/{agent.pk}/terminate")
    agent.refresh_from_db()
    assert agent.status == "terminated"
    assert console.get(f"/agents/{agent.pk}").status_code == 200


def test_buttons_do_not_lead_elsewhere(console, agent):
    for url in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = console.post(f"/agents/{agent.pk}/wake", {"next": url})
        assert answer.headers["Location"] == f"/agents/{agent.pk}"


def test_a_key_is_shown_once(console, agent):
    made = console.post(f"/agents/{agent.pk}/keys", {"name": "laptop"})
    token = made.context["token"]
    assert (
        token in made.content.decode() and "no-store" in made.headers["Cache-Control"]
    )
    assert ApiKey.objects.of_token(token).agent == agent
    assert token not in console.get(f"/agents/{agent.pk}").content.decode()


def test_a_key_is_revoked(console, agent):
    key, token = ApiKey.objects.issue_to(agent, name="k", by=SYSTEM)
    console.post(f"/agents/{agent.pk}/keys/{key.pk}/revoke")
    assert ApiKey.objects.of_token(token) is None


HIRE = {
    "name": "Dennis",
    "role": "engineer",
    "adapter_type": "process",
    "command": "sh",
    "args": "-c\necho a  b",
    "env": "A=1\nB=x=y",
    "tools": ["shell", "read_file"],
    "interval_seconds_number": "1",
    "interval_seconds_unit": "60",
    "heartbeat_enabled": "on",
    "wake_on_demand": "on",
    "max_concurrent_runs": "1",
}


def test_hire(console, company, agent):
    answer = console.post("/agents/add/", {**HIRE, "reports_to": agent.pk})
    hired = Agent.objects.get(name="Dennis")
    assert answer.headers["Location"] == f"/agents/{hired.pk}"
    assert hired.company == company and hired.reports_to == agent
    assert hired.tools == [] and hired.next_heartbeat_at
    assert hired.adapter_config == {
        "command": "sh",
        "args": ["-c", "echo a  b"],
        "env": {"A": "1", "B": "x=y"},
    }


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cwd": "../x"}, "leads outside"),
        ({"env": "PAPERCLIP_X=1"}, "set by Paperclip"),
        ({"env": "nonsense"}, "Write NAME=value"),
        ({"interval_seconds_number": "5", "interval_seconds_unit": "1"}, "shortest"),
        ({"name": "Ada"}, "already has an agent"),
        ({"command": ""}, "Say which program"),
    ],
)
def test_what_hire_refuses_is_said_and_nothing_is_lost(console, agent, wrong, words):
    answer = console.post("/agents/add/", {**HIRE, "title": "Keep me", **wrong})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert words in text and "Keep me" in text
    assert Agent.objects.count() == 1


def test_change_an_agent_keeps_what_has_no_field(console, agent):
    agent.change(by=SYSTEM, adapter_config={"command": "true", "graceSec": 3})
    form = {**HIRE, "name": "Ada", "command": "false", "args": "", "env": ""}
    console.post(f"/agents/{agent.pk}/change/", form)
    agent.refresh_from_db()
    assert agent.adapter_config == {"command": "false", "graceSec": 3}


def edited_agent(console, agent, **fields):
    """Post the form as a browser does, with some fields changed."""
    form = console.get(f"/agents/{agent.pk}/change/").context["form"]
    shown = {f.html_name: f.value() for f in form}
    empty = [n for n, v in shown.items() if v is None or v is False]
    values = {n: v for n, v in shown.items() if n not in empty} | fields
    sent = {
        n: v.replace("\n", "\r\n") if isinstance(v, str) else v
        for n, v in values.items()
    }
    answer = console.post(f"/agents/{agent.pk}/change/", sent)
    agent.refresh_from_db()
    return answer


@pytest.mark.parametrize(
    "config",
    [
        {"args": ["-c", "echo a\necho b"]},
        {"args": [""]},
        {"args": ["a", ""]},
        {"args": ["[1]", "x"], "env": {}},
        {"args": ["a\rb\u2028c", " x "], "cwd": ""},
        {"env": {"A": "  two spaces ", "B": ""}},
        {"env": {"TEXT": "-----BEGIN-----\nabc\n", "C": "d=e"}},
        {"env": {" A": "1"}},
        {"env": {"{": "1"}},
    ],
)
def test_changing_the_title_leaves_the_command_alone(console, agent, config):
    config = {"command": "sh", **config}
    agent.change(by=SYSTEM, adapter_config=config, tools=["read file", "shell"])
    answer = edited_agent(console, agent, title="Gardener")
    assert answer.status_code == 302 and agent.title == "Gardener"
    assert agent.adapter_config == config
    assert agent.tools == ["read file", "shell"]
    last = Activity.objects.filter(action="agent.updated").first()
    assert last.details["changed"] == ["title"]


def test_what_lines_cannot_say_is_written_as_json(console, agent):
    args, env = ["-c", "echo a\necho b"], {"A": "1\n2 ", "B": "é"}
    written = {"args": json.dumps(args), "env": json.dumps(env)}
    edited_agent(console, agent, **written)
    assert agent.adapter_config == {"command": "true", "args": args, "env": env}
    edited_agent(console, agent, args="-x\n y ", env="A= 1 \n\n  B=2")
    assert agent.adapter_config["args"] == ["-x", " y "]
    assert agent.adapter_config["env"] == {"A": " 1 ", "B": "2"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"args": '["-c",'},
        {"args": "[1]"},
        {"args": "[" * 100_000},
        {"env": '{"A": 1}'},
        {"tools": '[{"a": "b"}]'},
        {"tools": "a\0b"},
        {"tools": r'["\u0000"]'},
        {"args": r'["\ud800"]'},
        {"env": r'{"\ud800": "1"}'},
    ],
)
def test_json_of_another_shape_is_refused(console, agent, wrong):
    answer = edited_agent(console, agent, **wrong)
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == wrong.keys()
    assert agent.adapter_config == {"command": "true"}


def test_file_an_issue(console, company, agent):
    form = {"title": "New", "description": "*x*", "priority": "0", "start": "todo"}
    answer = console.post("/issues/add/", {**form, "assignee": agent.pk})
    issue = Issue.objects.get(title="New")
    assert answer.headers["Location"] == f"/issues/{issue.identifier}"
    assert (issue.status, issue.priority, issue.assignee_agent) == ("todo", 0, agent)
    assert agent.runs.get().issue_id == issue.pk


def test_file_an_issue_for_me_in_the_backlog(console, company):
    form = {"title": "Later", "priority": "2", "start": "backlog", "assignee": "me"}
    console.post("/issues/add/", form)
    issue = Issue.objects.get()
    assert issue.status == "backlog" and issue.assignee_user is not None


def edited(console, issue, **fields):
    """Post the form as the page shows it, with some fields changed."""
    form = console.get(f"/issues/{issue.identifier}").context["form"]
    values = {}
    for field in form:
        now = field.value()
        values[f"initial-{field.html_name}"] = values[field.html_name] = now or ""
    values |= {"is-priority": issue.priority, "initial-is-priority": issue.priority}
    values |= {f"is-{name}": value for name, value in fields.items()}
    return console.post(f"/issues/{issue.identifier}/change", values, follow=True)


def test_assign_and_change(console, company, issue):
    other = make.agent(company)
    project = make.project(company)
    edited(console, issue, assignee=other.pk, priority=0, project=project.pk)
    issue.refresh_from_db()
    assert (issue.assignee_agent, issue.priority) == (other, 0)
    assert issue.project == project
    edited(console, issue, assignee="me", status="in_progress")
    issue.refresh_from_db()
    assert issue.assignee_agent is None and issue.assignee_user is not None
    assert issue.status == "in_progress"


def test_an_old_page_does_not_undo_what_happened(console, issue):
    page = console.get(f"/issues/{issue.identifier}").context["form"]
    old = {
        f"{p}is-{n}": page[n].value() or ""
        for n in page.fields
        for p in ("", "initial-")
    }
    issue.change(by=SYSTEM, status="done")
    old |= {"is-priority": 0, "initial-is-priority": 2}
    console.post(f"/issues/{issue.identifier}/change", old)
    issue.refresh_from_db()
    assert (issue.status, issue.priority) == ("done", 0)


def test_blockers_by_name(console, company, issue):
    first = make.issue(company)
    edited(console, issue, blocked_by=first.identifier.lower())
    assert issue.blocked_by.get().blocker == first
    answer = edited(console, first, blocked_by=issue.identifier)
    assert answer.status_code == 422
    assert "wait for each other" in answer.content.decode()
    answer = edited(console, issue, blocked_by="DIG-999")
    assert "There is no issue DIG-999" in answer.content.decode()


def test_a_refused_change_is_said(console, company):
    issue = make.issue(company)
    answer = edited(console, issue, status="in_progress")
    assert answer.status_code == 422
    assert "needs an assignee" in answer.content.decode()


def test_comment(console, issue):
    console.post(f"/issues/{issue.identifier}/comment", {"body": "Hello\r\n@Ada"})
    said = issue.comments.get()
    assert said.body == "Hello\n@Ada" and said.author_user is not None


def test_a_refused_comment_is_kept(console, issue):
    long = "word " * 15_000
    answer = console.post(f"/issues/{issue.identifier}/comment", {"body": long})
    assert answer.status_code == 400
    assert (
        "at most" in answer.content.decode() and long.strip() in answer.content.decode()
    )
    assert not issue.comments.exists()


def test_a_comment_opens_a_closed_issue_again(console, issue):
    issue.change(by=SYSTEM, status="done")
    url = f"/issues/{issue.identifier}/comment"
    console.post(url, {"body": "No.", "reopen": "1"})
    issue.refresh_from_db()
    assert issue.status == "todo"


def test_wake_and_stop_from_the_issue(console, agent, issue):
    console.post(f"/issues/{issue.identifier}/wake")
    run, _token = make.live_run(agent, issue)
    assert str(run.pk) in console.get(f"/issues/{issue.identifier}").content.decode()
    console.post(f"/issues/{issue.identifier}/stop")
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_stop_a_run(console, agent):
    run, _token = make.live_run(agent)
    console.post(f"/runs/{run.pk}/stop")
    run.refresh_from_db()
    assert run.status == "cancelled" and "stopped it" in run.error


def test_stop_everything_and_resume(console, company, agent, issue):
    make.live_run(agent)
    console.post(f"/company/{company.pk}/stop")
    company.refresh_from_db()
    assert company.status == "paused"
    assert not Run.objects.open().filter(company=company).exists()
    assert "is stopped" in console.get("/").content.decode()
    answer = console.post(f"/agents/{agent.pk}/wake", follow=True)
    assert "is stopped" in said(answer)[-1] and not agent.runs.open().exists()
    console.post(f"/company/{company.pk}/resume")
    company.refresh_from_db()
    assert company.status == "active" and not agent.runs.open().exists()


def test_plans_are_made_by_their_verbs(console, company):
    goal = {"title": "Grow", "level": "company", "status": "active"}
    assert console.post("/goals/add/", goal).status_code == 302
    project = {"name": "Garden", "status": "planned"}
    assert console.post("/projects/add/", project).status_code == 302
    label = {"name": "bug", "color": "#ff0000"}
    assert console.post("/labels/add/", label).status_code == 302
    assert console.post("/labels/add/", label).status_code == 422
    made = console.get("/activity/").content.decode().partition(LOG)[2]
    assert "set the goal" in made and "planned the project" in made


@pytest.mark.parametrize("page", ["/", "/issues/", "/board/", "/agents/", "/costs/"])
def test_the_red_button_and_the_banner_are_on_every_page(company, page):
    owner, operator = (
        seen_by(make.operator(company, role)) for role in ("owner", "operator")
    )
    shown = owner.get(page).content.decode()
    assert f'action="/company/{company.pk}/stop"' in shown
    assert 'action="/stop"' in shown and 'action="/resume"' not in shown
    operator.post("/stop", {"next": page})
    for console in (owner, operator):
        shown = console.get(page).content.decode()
        assert "Everything is stopped, in all companies." in shown
        assert 'action="/stop"' not in shown
    assert 'action="/resume"' in owner.get(page).content.decode()
    assert 'action="/resume"' not in operator.get(page).content.decode()
    assert "owner or admin" in said(operator.post("/resume", follow=True))[-1]
    assert said(owner.post("/resume", {"next": page}, follow=True)) == [
        "Agents start again. What was stopped stays stopped."
    ]
    assert "Everything is stopped" not in owner.get(page).content.decode()


def test_an_open_page_learns_of_a_stop_elsewhere(console, company):
    other = seen_by(make.owner_of(make.company("Elsewhere")))
    other.post("/stop")
    part = console.get("/", headers={"HX-Request": "true"}).content.decode()
    assert "Everything is stopped" in part and "<html" not in part
    assert Activity.objects.filter(company=company, action="instance.stopped").exists()


def test_a_viewer_is_shown_no_red_button(viewer):
    assert 'action="/stop"' not in viewer.get("/").content.decode()
    answer = viewer.post("/stop", follow=True)
    assert "To stop everything, ask somebody" in said(answer)[-1]
