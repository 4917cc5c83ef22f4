"""The forms of an issue: writing one, and its properties on its page."""

from __future__ import annotations

import re
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models import Goal, Issue, Label, Project
from paperclip.actors import Actor
from paperclip.admin import ConsoleForm
from paperclip.models import Company

NOBODY, ME = "", "me"


class AssigneeField(forms.ChoiceField):
    """Nobody, me, an agent, or the person who has it now."""

    def offer(self, company: Company, actor: Actor, issue: Issue | None) -> None:
        agents = Agent.objects.employed().filter(company=company)
        choices: list[tuple[str, Any]] = [(NOBODY, _("nobody")), (ME, _("me"))]
        choices += [(str(agent.pk), agent.name) for agent in agents]
        other = issue.assignee_user if issue else None
        if other is not None and other != actor.user:
            choices.append((f"user:{other.pk}", str(other)))
        self.choices = choices

    @staticmethod
    def key_of(issue: Issue, actor: Actor) -> str:
        if issue.assignee_agent_id:
            return str(issue.assignee_agent_id)
        if issue.assignee_user is None:
            return NOBODY
        return (
            ME
            if issue.assignee_user == actor.user
            else f"user:{issue.assignee_user.pk}"
        )


def assignee(key: str, company: Company, actor: Actor) -> dict[str, Any]:
    """What a choice means to the verbs."""
    if key == ME:
        return {"assignee_user": actor.user}
    if not key:
        return {"assignee_agent": None}
    return {"assignee_agent": Agent.objects.get(company=company, pk=UUID(key))}


class IssueForm(ConsoleForm):
    """Its words and what it belongs to."""

    class Meta:
        model = Issue
        fields = ["title", "description", "project", "goal", "parent", "labels"]
        widgets = {"description": forms.Textarea(attrs={"rows": 8})}
        help_texts = {"description": _("Markdown.")}

    priority = forms.TypedChoiceField(
        label=_("Priority"),
        choices=Issue.Priority.choices,
        coerce=int,
        initial=Issue.Priority.MEDIUM,
    )
    parent = forms.CharField(
        label=_("Part of"), required=False, help_text=_("The number of an issue.")
    )
    labels = forms.ModelMultipleChoiceField(
        Label.objects.all(),
        label=_("Labels"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["priority"] = self.instance.priority
            above = self.instance.parent
            self.initial["parent"] = above.identifier if above else ""

    def clean_parent(self) -> Issue | None:
        name = self.cleaned_data["parent"].strip().upper()
        if not name:
            return None
        above = Issue.objects.filter(company=self.company, identifier=name).first()
        if above is None:
            raise forms.ValidationError(
                _("There is no issue %(name)s."), params={"name": name}
            )
        return above


class NewIssueForm(IssueForm):
    """A new issue also says who does it and whether it starts now."""

    assignee = AssigneeField(label=_("Assignee"), required=False)
    start = forms.ChoiceField(
        label=_("Start"),
        choices=[
            (Issue.Status.TODO, _("now: wake the assignee")),
            (Issue.Status.BACKLOG, _("later: keep it in the backlog")),
        ],
    )

    def offer(self, actor: Actor) -> None:
        cast(AssigneeField, self.fields["assignee"]).offer(self.company, actor, None)


class PropertiesForm(forms.Form):
    """What changes most, beside the thread. Only what was changed is sent on, so that a
    page left open does not undo what happened meanwhile."""

    status = forms.ChoiceField(
        label=_("Status"), choices=Issue.Status.choices, show_hidden_initial=True
    )
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        choices=Issue.Priority.choices,
        coerce=int,
        show_hidden_initial=True,
    )
    assignee = AssigneeField(
        label=_("Assignee"), required=False, show_hidden_initial=True
    )
    project = forms.ModelChoiceField(
        Project.objects.none(),
        label=_("Project"),
        required=False,
        show_hidden_initial=True,
    )
    blocked_by = forms.CharField(
        label=_("Blocked by"), required=False, show_hidden_initial=True
    )

    def __init__(self, data: Any, *, issue: Issue, actor: Actor) -> None:
        blockers = issue.blocked_by.values_list("blocker__identifier", flat=True)
        now = {
            "status": issue.status,
            "priority": issue.priority,
            "assignee": AssigneeField.key_of(issue, actor),
            "project": issue.project_id,
            "blocked_by": ", ".join(blockers),
        }
        super().__init__(data, initial=now, prefix="is")
        self.issue, self.actor = issue, actor
        cast(AssigneeField, self.fields["assignee"]).offer(issue.company, actor, issue)
        ours = Project.objects.filter(company=issue.company)
        cast(forms.ModelChoiceField, self.fields["project"]).queryset = ours
        self.fields["blocked_by"].widget.attrs["placeholder"] = (
            f"{issue.company.issue_prefix}-1, {issue.company.issue_prefix}-2"
        )

    def clean_blocked_by(self) -> list[Issue]:
        names = {
            n.upper() for n in re.split(r"[\s,]+", self.cleaned_data["blocked_by"]) if n
        }
        ours = Issue.objects.filter(company=self.issue.company)
        found = list(ours.filter(identifier__in=names))
        if missing := names - {issue.identifier for issue in found}:
            raise forms.ValidationError(
                _("There is no issue %(name)s."),
                params={"name": ", ".join(sorted(missing))},
            )
        return found

    def values(self) -> dict[str, Any]:
        values = {name: self.cleaned_data[name] for name in self.changed_data}
        if "assignee" in values:
            values |= assignee(values.pop("assignee"), self.issue.company, self.actor)
        return values


class GoalForm(ConsoleForm):
    class Meta:
        model = Goal
        fields = ["title", "description", "level", "status", "parent", "owner"]


class ProjectForm(ConsoleForm):
    class Meta:
        model = Project
        fields = [
            "name",
            "description",
            "status",
            "goal",
            "lead",
            "target_date",
            "repo_url",
            "default_branch",
        ]
        help_texts = {
            "repo_url": _(
                "Leave it empty to keep the work here. Otherwise https://host/path or"
                " git@host:path; what it asks for is in secrets/git-credentials of"
                " the home, or is the ssh key of the user that Paperclip runs as."
            ),
            "default_branch": _("What approved work is merged into."),
        }
        widgets = {"target_date": forms.DateInput(attrs={"type": "date"})}

    default_branch = forms.CharField(
        label=_("Default branch"),
        required=False,
        max_length=100,
        help_text=_("Where approved work goes. Empty: main."),
    )

    def clean_default_branch(self) -> str:
        return self.cleaned_data["default_branch"] or "main"


class LabelForm(ConsoleForm):
    class Meta:
        model = Label
        fields = ["name", "color"]
        widgets = {"color": forms.TextInput(attrs={"type": "color"})}
