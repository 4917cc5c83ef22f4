"""The stages of an issue's review as rows of a form."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models import policy
from paperclip.models import User

if TYPE_CHECKING:
    from issues.models import Issue
    from issues.models.policy import Policy, Stage

PREFIX, SEEN = "stages", "seen"


class StageForm(forms.Form):
    """One stage: who looks at it, and how many of them have to approve."""

    who = forms.MultipleChoiceField(
        label=_("Who looks at it"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose who looks, or take the stage off.")},
    )
    needed = forms.IntegerField(
        label=_("So many of them have to approve"), min_value=1, initial=1
    )
    stage = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, offered: Any, worker: Agent | None, **kw: Any):
        super().__init__(*args, **kw)
        self.worker = worker
        cast(forms.MultipleChoiceField, self.fields["who"]).choices = offered

    def clean_who(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["who"]
        if self.worker and f"agent {self.worker.pk}" in chosen:
            raise forms.ValidationError(
                _("%(worker)s does the work: somebody else looks at it."),
                params={"worker": self.worker},
            )
        return chosen

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        who, needed = found.get("who"), found.get("needed")
        if who and needed and needed > len(who):
            self.add_error("needed", _("There are not so many of them."))
        return found

    def value(self, known: dict[str, Stage]) -> Stage:
        """The stage as it is kept. One that was there is the same one still, and who
        was there is asked first, in the order of before."""
        was = known.get(self.cleaned_data["stage"])
        same = {name: was[name] for name in ("id", "type")} if was else {}
        before = [named(each) for each in of(was)] if was else []
        chosen = self.cleaned_data["who"]
        ordered = [one for one in before if one in chosen]
        ordered += [one for one in chosen if one not in before]
        pairs = [one.split(" ") for one in ordered]
        people = [{"type": kind, f"{kind}Id": pk} for kind, pk in pairs]
        needed = self.cleaned_data["needed"]
        return {**same, "approvalsNeeded": needed, "participants": people}


class StageRows(forms.BaseFormSet):
    seen = ""

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].label = _("Take it off")

    def value(self, issue: Issue) -> Policy | None:
        """The policy that was filled in; None without a stage."""
        now = issue.review_policy or {}
        known = {one["id"]: one for one in now.get("stages", [])}
        filled = [form for form in self.forms if form.cleaned_data.get("who")]
        kept = [one for one in filled if not one.cleaned_data.get("DELETE")]
        stages = [cast(StageForm, form).value(known) for form in kept]
        return {**now, "stages": stages} if stages else None


Rows = forms.formset_factory(
    StageForm,
    formset=StageRows,
    extra=1,
    can_delete=True,
    max_num=policy.MOST_STAGES,
    validate_max=True,
)


def rows(data: Any, issue: Issue) -> StageRows:
    """The stages as they are, or as they were filled in, and room for one more."""
    shown = [
        {
            "stage": one["id"],
            "needed": one["approvalsNeeded"],
            "who": [named(each) for each in of(one)],
        }
        for one in (issue.review_policy or {}).get("stages", [])
    ]
    told = {"offered": offered(issue), "worker": worker_of(issue)}
    made = cast(StageRows, Rows(data, initial=shown, prefix=PREFIX, form_kwargs=told))
    made.seen = mark(issue)
    return made


def mark(issue: Issue) -> str:
    """What tells these stages from those of another time."""
    text = json.dumps(issue.review_policy, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of(stage: Stage) -> list[Any]:
    found: list[Any] = stage["participants"]
    return found


def named(participant: Any) -> str:
    """What a box of the form says of one."""
    return f"{participant['type']} {policy.key_of(participant)}"


def worker_of(issue: Issue) -> Agent | None:
    """Whose work is looked at."""
    return issue.executor_agent or issue.assignee_agent


def offered(issue: Issue) -> list[tuple[str, str]]:
    """Who may look at it, and who is named already."""
    staff = Agent.objects.employed().filter(company=issue.company).order_by("name")
    people = User.objects.filter(memberships__in=issue.company.memberships.working())
    found = {f"user {one.pk}": str(one) for one in people.order_by("username")}
    found |= {f"agent {one.pk}": one.name for one in staff}
    return [*found.items()]


def in_words(issue: Issue) -> list[str]:
    """Each stage: who looks, and how many of them it takes."""
    names = dict(offered(issue))
    said = []
    for one in (issue.review_policy or {}).get("stages", []):
        keys = [named(each) for each in of(one)]
        who = ", ".join(names.get(key, str(_("somebody who left"))) for key in keys)
        few = _("%(n)s of %(who)s") % {"n": one["approvalsNeeded"], "who": who}
        said.append(who if one["approvalsNeeded"] == len(keys) == 1 else str(few))
    return said
