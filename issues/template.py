"""A company as a file: who works there, for what, and what it begins with.

A template is a folder with a `company.toml` and one Markdown file of instructions per
agent. Reading one finds every mistake at once; founding a company from it is all or
nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.loop.tools import TOOL_NAMES
from agents.models import Agent, BudgetPolicy
from issues import routine_template
from issues.models import Check, Goal, Issue, Project, routine_criteria
from issues.routine_template import PRIORITIES
from issues.template_forms import CompanyForm
from paperclip.exceptions import Invalid
from paperclip.models import Company

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import User

FILE = "company.toml"
ADAPTER = "litellm"
LONGEST_INSTRUCTIONS = 40_000
NOT_PICKED = "not_picked"


@dataclass(frozen=True)
class Template:
    """A company to be founded, checked."""

    name: str
    content: dict[str, Any]

    @classmethod
    def read(cls, place: Path) -> Template:
        """The template in this folder, or this file. Invalid names every mistake, each
        with its file and field."""
        file = place / FILE if place.is_dir() else place
        try:
            written = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise Invalid(f"{file}: {error.strerror}.") from error
        except ValueError as error:  # not TOML, or not UTF-8
            raise Invalid(f"{file}: {error}") from error
        form = CompanyForm(data=written)
        if not form.is_valid():
            said = said_of(form.errors, written)
            raise Invalid("\n".join(f"{file.name}: {line}" for line in said))
        content = dict(form.validated_data)
        problems = [*misfits(content), *add_instructions(content, file.parent)]
        if problems:
            raise Invalid("\n".join(f"{file.name}: {line}" for line in problems))
        return cls(content["name"], content)

    @property
    def agent_names(self) -> list[str]:
        return [one["name"] for one in self.content["agents"]]

    @transaction.atomic
    def found(
        self,
        *,
        owner: User,
        by: Actor,
        name: str = "",
        prefix: str = "",
        model: str = "",
        api_base: str = "",
        rehearsal: bool = False,
        active: Collection[str] | None = None,
    ) -> Company:
        """The company of this template, at work at once. `model` and `api_base` are for
        agents that name no model of their own; with `active` all others are hired but
        paused. A name that a company of the owner has gets a number. Invalid for a
        name in `active` that nobody has."""
        if unknown := sorted(set(active or ()) - set(self.agent_names)):
            known = ", ".join(self.agent_names)
            raise Invalid(f"Nobody is called {', '.join(unknown)}. There are: {known}.")
        company = Company.objects.found(
            owner=owner,
            by=by,
            name=free_name(name or self.name, owner),
            prefix=prefix,
            description=self.content.get("description"),
            rehearsal=rehearsal,
        )
        if self.content["tokens"]:
            BudgetPolicy.objects.put(
                company,
                by=by,
                scope_type="company",
                scope_id=company.pk,
                metric="tokens",
                amount=self.content["tokens"],
                is_new=True,
            )
        staff = self._hire(company, model, api_base, by=by)
        for agent in staff.values():
            if active is not None and agent.name not in active:
                agent.pause(by=by, reason=NOT_PICKED)
        self._plan(company, staff, by=by)
        return company

    def _hire(
        self, company: Company, model: str, api_base: str, *, by: Actor
    ) -> dict[str, Agent]:
        staff: dict[str, Agent] = {}
        for one in self.content["agents"]:
            staff[one["name"]] = Agent.objects.hire(
                company, by=by, **columns(one, model, api_base, company.rehearsal)
            )
        # Now that everybody is there: a manager may stand below in the file.
        for one in self.content["agents"]:
            links = {
                link: staff[one[link]]
                for link in ("reports_to", "reviewer")
                if link in one
            }
            if links:
                staff[one["name"]].change(by=by, **links)
        return staff

    def _plan(self, company: Company, staff: dict[str, Agent], *, by: Actor) -> None:
        goal = project = None
        for one in self.content.get("checks", []):
            values = {name: value for name, value in one.items() if name != "id"}
            Check.objects.define(company, by=by, key=one["id"], **values)
        if "goal" in self.content:
            goal = Goal.objects.set(
                company, by=by, level="company", status="active", **self.content["goal"]
            )
        if "project" in self.content:
            project = Project.objects.plan(
                company,
                by=by,
                goal=goal,
                status="in_progress",
                **self.content["project"],
            )
        for one in self.content.get("issues", []):
            Issue.objects.file(
                company,
                by=by,
                title=one["title"],
                description=one.get("description"),
                status="todo",
                priority=PRIORITIES[one.get("priority", "medium")],
                project=project,
                assignee_agent=staff.get(one.get("assignee", "")),
                criteria=one.get("criteria", []),
            )
        planned = self.content.get("routines", [])
        routine_template.define(
            company, planned, staff, by=by, project=project, goal=goal
        )


def free_name(name: str, owner: User) -> str:
    """The name, numbered when a company of theirs has it: people choose by name."""
    theirs = Company.objects.filter(memberships__user=owner)
    taken = set(theirs.values_list("name", flat=True))
    numbered = (f"{name} {number}" for number in count(2))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def columns(
    one: dict[str, Any], model: str, api_base: str, rehearsal: bool
) -> dict[str, Any]:
    """What an agent of a template is hired with, but for its colleagues. In a rehearsal
    nobody reaches the world outside."""
    config = {"network": "none" if rehearsal else one["network"]}
    if own := one.get("model") or model:
        config["model"] = own
    if api_base and not one.get("model"):
        config["apiBase"] = api_base
    kept = ("name", "role", "title", "capabilities", "instructions", "tools")
    return {
        **{key: one[key] for key in kept if key in one},
        "adapter_type": ADAPTER,
        "adapter_config": config,
        "heartbeat_enabled": one["wakes_every"] > 0,
        "interval_seconds": one["wakes_every"] * 60,
        "budget_monthly_cents": one["budget"],
        "permissions": {
            "canAssignTasks": one["may_assign_work"],
            "canCreateAgents": one["may_hire"],
            "canConfigureAgents": one["may_configure"],
        },
    }


# --- What can be wrong with one --------------------------------------------------


def said_of(errors: Any, written: Any, where: str = "") -> Iterator[str]:
    """Each message of a form, with the way to its field in the file."""
    if isinstance(errors, list) and not any(isinstance(one, dict) for one in errors):
        yield from (f"{where}{message}" for message in errors)
        return
    for key, below in errors.items() if isinstance(errors, dict) else enumerate(errors):
        inside, name = part_of(written, key)
        yield from said_of(below, inside, f"{where}{name}: ")


def part_of(written: Any, key: Any) -> tuple[Any, str]:
    """The part of a file with this key, and what people find it by."""
    if isinstance(written, dict):
        return written.get(key), str(key)
    if not (isinstance(written, list) and isinstance(key, int)):
        return None, str(key)
    inside = written[key]
    name = isinstance(inside, dict) and (inside.get("name") or inside.get("title"))
    return inside, f"{key + 1} ({name})" if name else str(key + 1)


def misfits(content: dict[str, Any]) -> Iterator[str]:
    """Where parts of the file do not fit one another."""
    names = [one["name"] for one in content["agents"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"agents: {name}: two agents have this name."
    for number, one in enumerate(content["agents"], 1):
        where = f"agents: {number} ({one['name']}): "
        for link in ("reports_to", "reviewer"):
            if one.get(link, names[0]) not in names:
                yield f"{where}{link}: {one[link]} is nobody in this file."
        for tool in sorted(set(one["tools"]) - set(TOOL_NAMES)):
            known = ", ".join(TOOL_NAMES)
            yield f"{where}tools: there is no {tool}. There are: {known}."
    yield from circles({a["name"]: a.get("reports_to") for a in content["agents"]})
    for number, one in enumerate(content.get("issues", []), 1):
        if one.get("assignee", names[0]) not in names:
            where = f"issues: {number} ({one['title']}): assignee: "
            yield f"{where}{one['assignee']} is nobody in this file."
    yield from routine_template.misfits(content.get("routines", []), names)
    yield from twins([one["id"] for one in content.get("checks", [])])
    yield from unproven(content)


def unproven(content: dict[str, Any]) -> Iterator[str]:
    """Criteria that no check of the file stands for."""
    checks = content.get("checks", [])
    offered = {one["id"]: one.get("parameters", []) for one in checks}
    for kind in ("issues", "routines"):
        for number, one in enumerate(content.get(kind, []), 1):
            try:
                routine_criteria.fitting(one.get("criteria", []), offered)
            except Invalid as no:
                yield f"{kind}: {number} ({one['title']}): criteria: {no}"


def twins(keys: list[str]) -> Iterator[str]:
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"checks: {key}: two checks have this id."


def circles(managers: dict[str, str | None]) -> Iterator[str]:
    for name in managers:
        chain = [name]
        while (above := managers.get(chain[-1])) and above not in chain:
            chain.append(above)
        if above == name:
            way = " → ".join([*chain, above])
            yield f"agents: {name}: reports_to: reporting in a circle: {way}."


def add_instructions(content: dict[str, Any], folder: Path) -> Iterator[str]:
    """Put the text of each agent's instructions in the place of its file's name."""
    for number, one in enumerate(content["agents"], 1):
        where = f"agents: {number} ({one['name']}): instructions: {one['instructions']}"
        file = (folder / one["instructions"]).resolve()
        if not file.is_relative_to(folder.resolve()):
            yield f"{where} is outside of the template's folder."
            continue
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            yield f"{where} cannot be read: there must be a text file of that name."
            continue
        if not 0 < len(text) <= LONGEST_INSTRUCTIONS:
            yield f"{where} must have 1 to {LONGEST_INSTRUCTIONS} characters."
        one["instructions"] = text
