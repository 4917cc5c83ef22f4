"""A company as a file: founded whole, or refused with every mistake named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from agents.models import Agent
from issues.models import Criterion, Issue
from issues.template import Template
from paperclip import first_start
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.first_start import DIGITON, leave_rehearsal, rehearse
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db

SMALL = """
name = "Acme"
[[agents]]
name = "Boss"
title = "The boss"
role = "ceo"
instructions = "boss.md"
tools = ["inbox"]
"""


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*first_start.MODELS, "PAPERCLIP_MODEL"):
        monkeypatch.delenv(name, raising=False)


def written(place: Path, text: str = SMALL) -> Path:
    (place / "company.toml").write_text(text)
    (place / "boss.md").write_text("# Boss\n\nLead.")
    return place


def refusal(place: Path, text: str) -> str:
    with pytest.raises(Invalid) as caught:
        Template.read(written(place, text))
    return str(caught.value)


def digiton(**options: object) -> Company:
    return Template.read(DIGITON).found(owner=make.operator(), by=SYSTEM, **options)


def test_the_shipped_company_has_its_seven_agents() -> None:
    company = digiton()
    staff = {agent.name: agent for agent in company.agents.all()}
    managers = {name: str(one.reports_to or "") for name, one in staff.items()}
    assert managers == {
        "CEO": "",
        "CTO": "CEO",
        "CMO": "CEO",
        "Designer": "CEO",
        "Dev": "CTO",
        "QA": "CTO",
        "DevOps": "CTO",
    }
    assert staff["Dev"].reviewer == staff["QA"]
    assert staff["CMO"].interval_seconds == 3600
    for agent in staff.values():
        assert agent.instructions.startswith(f"# {agent.name}\n")
        assert agent.budget_monthly_cents > 0 and agent.tools
        assert agent.next_heartbeat_at and agent.adapter_type == "litellm"
    issue = Issue.objects.get(company=company)
    assert (issue.assignee_agent, issue.status) == (staff["CEO"], "todo")
    assert issue.goal and issue.project
    assert staff["CEO"].runs.filter(issue_id=issue.pk).exists()


def test_its_weekly_report_is_a_routine() -> None:
    company = digiton()
    routine = company.routines.get()
    assert (routine.title, str(routine.assignee_agent)) == ("Weekly report", "CEO")
    assert routine.project and routine.goal and routine.origin_kind == "template"
    (trigger,) = routine.triggers.all()
    assert str(trigger) == "every Monday at 09:00, UTC"
    assert trigger.next_run_at and trigger.next_run_at > now()
    assert not routine.runs.exists()


def test_routines_of_a_file(tmp_path: Path) -> None:
    text = (
        SMALL
        + """
[[routines]]
title = "Look around"
assignee = "Boss"
priority = "high"
schedule = "30 7 * * 1-5"
time_zone = "Europe/Lisbon"
concurrency_policy = "skip_if_active"
catch_up_policy = "drop_missed"
[[routines]]
title = "By hand"
"""
    )
    template = Template.read(written(tmp_path, text))
    company = template.found(owner=make.operator(), by=SYSTEM)
    one = company.routines.get(title="Look around")
    assert (one.priority, one.concurrency_policy) == (1, "skip_if_active")
    assert one.catch_up_policy == "drop_missed"
    assert str(one.triggers.get()) == "Monday to Friday at 07:30, Europe/Lisbon"
    other = company.routines.get(title="By hand")
    assert other.assignee_agent is None and not other.triggers.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'schedule = "0 25 * * *"',
            "schedule: The hour '25' of a cron line is not 0 to 23",
        ),
        ('schedule = "daily"', "schedule: A cron line has five fields"),
        ('time_zone = "Lisbon"', "time_zone: There is no time zone Lisbon"),
        ('assignee = "Eve"', "assignee: Eve is nobody in this file"),
        ('priority = "huge"', "priority: .*huge"),
        ('catch_up_policy = "x"', "catch_up_policy: .*x"),
        ('every = "day"', "every: Unknown field"),
    ],
)
def test_a_mistake_in_a_routine_is_named_with_its_place(
    tmp_path: Path, line: str, said: str
) -> None:
    text = f'{SMALL}[[routines]]\ntitle = "Go"\n{line}\n'
    found = refusal(tmp_path, text)
    assert re.search(rf"company\.toml: routines: 1 \(Go\): {said}", found)


PROVEN = """
[[checks]]
id = "document"
type = "file"
title = "The document is written"
settings.document = "{key}"
parameters = [{ name = "key", type = "word" }]
[[checks]]
id = "seen"
type = "human"
title = "A person has looked at it"
roles = ["ceo"]
[[issues]]
title = "Write it"
assignee = "Boss"
criteria = [{ check = "document", parameters = { key = "plan" } }]
[[routines]]
title = "Write it again"
assignee = "Boss"
criteria = [{ check = "document", parameters = { key = "report" } }, { check = "seen" }]
"""


def test_criteria_of_a_file_count_at_once(tmp_path: Path) -> None:
    template = Template.read(written(tmp_path, SMALL + PROVEN))
    company = template.found(owner=make.operator(), by=SYSTEM)
    first = Issue.objects.get(company=company).criteria.get()
    assert (first.check_of.key, first.state) == ("document", "accepted")
    assert first.parameters == {"key": "plan"} and company.checks.count() == 2
    routine = company.routines.get()
    by = make.working(company.agents.get())
    issue = routine.fire(by=by, source="manual", at=now()).linked_issue
    told = [(one.check_of.key, one.state) for one in issue.criteria.all()]
    assert told == [("document", "accepted"), ("seen", "accepted")]
    # Whoever does the work cannot take them off.
    with pytest.raises(NotAllowed, match="said by people"):
        routine.change(by=by, criteria=[])
    assert routine.revisions.get().snapshot["routine"]["criteria"] == routine.criteria


@pytest.mark.parametrize(
    ("was", "instead", "said"),
    [
        (
            'check = "seen"',
            'check = "tests"',
            "routines: 1 .*: There is no check tests",
        ),
        ('key = "plan"', 'name = "plan"', "issues: 1 .*: Parameter name: there is no"),
        (', parameters = { key = "report" }', "", "Parameter key: it is missing"),
        ('roles = ["ceo"]', 'roles = ["king"]', "checks: 2 .*king"),
        ('{ check = "seen" }', '{ type = "http" }', "criteria: 2: .*Unknown field"),
    ],
)
def test_a_criterion_that_nothing_stands_for_is_named(
    tmp_path: Path, was: str, instead: str, said: str
) -> None:
    assert was in PROVEN
    assert re.search(said, refusal(tmp_path, SMALL + PROVEN.replace(was, instead, 1)))


def test_the_shipped_company_proves_its_work() -> None:
    company = digiton()
    dev = company.agents.get(name="Dev")
    issue = make.issue(company, assignee_agent=dev)
    (default,) = Criterion.objects.default_for(issue, dev)
    assert default.title == "Its branch is handed over"
    routine = company.routines.get()
    assert [one["check"] for one in routine.criteria] == ["document"]
    run = routine.fire(by=SYSTEM, source="manual", at=now())
    assert run.linked_issue and run.linked_issue.criteria.get().is_by_hand is False


def test_variables_of_a_routine_come_along(tmp_path: Path) -> None:
    text = (
        SMALL
        + """
[[routines]]
title = "Review {{pr}}"
variables = [
    { name = "pr", label = "Pull request", type = "number", required = true },
    { name = "kind", type = "select", options = ["fast", "slow"], default = "slow" },
    { name = "until", type = "date", default = 2026-11-30 },
]
[[routines]]
title = "Look at {{site}}"
schedule = "0 9 * * *"
[[routines.variables]]
name = "site"
default = "shop.example"
required = true
"""
    )
    template = Template.read(written(tmp_path, text))
    company = template.found(owner=make.operator(), by=SYSTEM)
    pr, kind, until = company.routines.get(title="Review {{pr}}").variables
    assert pr == {
        "name": "pr",
        "label": "Pull request",
        "type": "number",
        "required": True,
    }
    assert (kind["default"], kind["options"]) == ("slow", ["fast", "slow"])
    assert until["default"] == "2026-11-30"
    run = company.routines.get(title="Look at {{site}}").fire(
        by=SYSTEM, source="manual", at=now()
    )
    assert run.linked_issue and run.linked_issue.title == "Look at shop.example"


def test_it_is_another_company_under_another_name() -> None:
    digiton()
    company = digiton(name="Acme", prefix="ACM", model="openai/gpt-5-mini")
    assert str(company) == "Acme"
    assert Issue.objects.get(company=company).identifier == "ACM-1"
    agent = company.agents.get(name="Dev")
    assert agent.adapter_config == {"network": "none", "model": "openai/gpt-5-mini"}


def test_a_file_of_ones_own_founds_a_company(tmp_path: Path) -> None:
    make.operator()
    call_command("import_company", str(written(tmp_path) / "company.toml"))
    assert Company.objects.get(name="Acme").agents.get().instructions.endswith("Lead.")


@pytest.mark.parametrize(
    ("was", "instead", "said"),
    [
        ("[[agents]]", 'colour = "red"\n[[agents]]', "colour: Unknown field"),
        ('role = "ceo"', 'role = "king"', r"agents: 1 \(Boss\): role: .*king"),
        (
            '"inbox"',
            '"inbox", "fly"',
            r"1 \(Boss\): tools: there is no fly\. There are",
        ),
        ('"inbox"', "7", r"1 \(Boss\): tools: 1: Not a valid string"),
        ("boss.md", "lord.md", r"1 \(Boss\): instructions: lord.md cannot be read"),
        ("boss.md", "../boss.md", r"1 \(Boss\): instructions: .* outside"),
        ('title = "The boss"', "", r"1 \(Boss\): title: This field is required"),
        ('"ceo"', '"ceo"\nreports_to = "Eve"', "reports_to: Eve is nobody"),
        ('"ceo"', '"ceo"\nreports_to = "Boss"', "in a circle: Boss → Boss"),
        ('"ceo"', '"ceo"\nbudget = "much"', r"budget: A valid integer"),
        ("name = ", "name : ", "line 2"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, was: str, instead: str, said: str
) -> None:
    assert was in SMALL
    assert re.search(said, refusal(tmp_path, SMALL.replace(was, instead, 1)))
    assert not Company.objects.exists()


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    wrong = SMALL.replace("boss.md", "lord.md").replace("inbox", "fly")
    wrong += '[[issues]]\ntitle = "Go"\nassignee = "Eve"\n'
    said = refusal(tmp_path, wrong).splitlines()
    assert len(said) == 3 and all(line.startswith("company.toml: ") for line in said)
    assert "issues: 1 (Go): assignee: Eve is nobody in this file." in said[1]


def test_nothing_is_left_of_a_company_that_could_not_be_founded(tmp_path: Path) -> None:
    two = SMALL + SMALL.split("\n", 2)[2].replace('"Boss"', '"boss"')
    with pytest.raises(Conflict, match="already has an agent"):
        template = Template.read(written(tmp_path, two))
        template.found(owner=make.operator(), by=SYSTEM)
    assert not Company.objects.exists() and not Agent.objects.exists()


def test_without_a_key_the_first_company_rehearses(no_keys: None, settings) -> None:
    settings.FIRST_COMPANY = "digiton"
    said = first_start.first_start()[1]
    company = Company.objects.get()
    assert (company.name, company.issue_prefix) == ("Digiton rehearsal", "REH")
    assert company.rehearsal and "so this is a rehearsal" in said
    models = {one.adapter_config["model"] for one in company.agents.all()}
    assert models == {"rehearsal/1"}
    # Nothing of a rehearsal reaches the world outside.
    networks = {one.adapter_config["network"] for one in company.agents.all()}
    assert networks == {"none"}
    assert first_start.first_start()[1] == said and Company.objects.count() == 1


def test_with_a_key_it_works_for_real(no_keys: None, settings, monkeypatch) -> None:
    settings.FIRST_COMPANY = "digiton"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert first_start.first_start()[1] == ""
    company = Company.objects.get()
    assert (str(company), company.issue_prefix) == ("Digiton", "DIG")
    assert not company.rehearsal
    agent = company.agents.get(name="CEO")
    assert agent.adapter_config["model"] == first_start.MODELS["OPENAI_API_KEY"]


def test_the_rehearsal_is_left_in_one_step(no_keys: None, monkeypatch) -> None:
    owner = make.operator()
    by = make.by(owner)
    played = rehearse(owner=owner, by=by, seed=3)
    with pytest.raises(Conflict, match="no model to work with"):
        leave_rehearsal(played, agents=["CEO"], by=by)
    monkeypatch.setenv("GEMINI_API_KEY", "test")
    assert "manage.py rehearse --leave" in first_start.first_start()[1]
    with pytest.raises(Invalid, match="Nobody is called Eve"):
        leave_rehearsal(played, agents=["CEO", "Eve"], by=by)
    with pytest.raises(Invalid, match="at least one"):
        leave_rehearsal(played, agents=[], by=by)
    assert Company.objects.count() == 1
    real = leave_rehearsal(played, agents=["CEO", "CMO"], by=by)
    at_work = real.agents.exclude(status="paused").values_list("name", flat=True)
    assert sorted(at_work) == ["CEO", "CMO"] and real.agents.count() == 7
    assert not real.rehearsal and real.issue_prefix == "DIG"
    assert not any("model" in one.adapter_config for one in real.agents.all())
    played.refresh_from_db()
    assert played.status == "paused" and first_start.first_start()[1] == ""
    assert not played.runs.open().exists() and real.runs.open().count() == 1
    with pytest.raises(Conflict, match="is no rehearsal"):
        leave_rehearsal(real, agents=["CEO"], by=by)


def test_a_viewer_cannot_leave_it(no_keys: None) -> None:
    played = rehearse(owner=make.operator(), by=SYSTEM, seed=1)
    viewer = make.by(make.operator(played, role="viewer"))
    with pytest.raises(Exception, match="A viewer cannot leave the rehearsal"):
        leave_rehearsal(played, agents=["CEO"], by=viewer, model="openai/x")


def test_the_commands_say_what_they_did(no_keys: None, capsys) -> None:
    call_command("rehearse", "--seed", "2")
    assert "Digiton rehearsal (REH) plays its story." in capsys.readouterr().out
    with pytest.raises(CommandError, match="no model to work with"):
        call_command("rehearse", "--leave", "CEO")
    call_command("rehearse", "--leave", "CEO", "QA", "--model", "openai/x")
    assert "Digiton (DIG) is at work, with CEO, QA." in capsys.readouterr().out
    call_command("import_company", str(DIGITON), "--name", "Acme")
    assert "There is no model key yet" in capsys.readouterr().out


def test_the_api_says_which_company_is_a_rehearsal() -> None:
    owner = make.operator()
    rehearse(owner=owner, by=SYSTEM, seed=1)
    listed = make.client_of(owner).get("/api/companies").json()
    assert [one["rehearsal"] for one in listed] == [True]
