"""The form a limit is set with."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, BudgetIncident, BudgetPolicy
from issues.models import Issue, Project
from paperclip.exceptions import Invalid
from paperclip.models import Company

MOST_OFFERED = 200
LARGEST = 10**12


class BudgetForm(forms.Form):
    scope = forms.ChoiceField(label=_("For"))
    metric = forms.ChoiceField(
        label=_("What is limited"), choices=BudgetPolicy.Metric.choices
    )
    amount = forms.DecimalField(
        label=_("At most"),
        min_value=0,
        max_value=LARGEST,
        decimal_places=2,
        help_text=_("US dollars, tokens, runs or minutes. 0 takes the limit away."),
    )
    window_kind = forms.ChoiceField(
        label=_("In what time"),
        choices=[
            ("", _("a month; for ever for projects, issues")),
            *BudgetPolicy.Window.choices,
        ],
        required=False,
    )
    warn_percent = forms.IntegerField(
        label=_("Warn when so many per cent are used"),
        min_value=1,
        max_value=100,
        initial=80,
    )
    hard_stop = forms.BooleanField(
        label=_("Stop what is at work when it is spent"), required=False, initial=True
    )

    def __init__(self, data: Any = None, *, company: Company) -> None:
        super().__init__(data)
        field: Any = self.fields["scope"]
        field.choices = scopes_of(company)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        amount, metric = found.get("amount"), found.get("metric")
        whole = metric == BudgetPolicy.Metric.CENTS or amount == (amount or 0) // 1
        if amount is not None and not whole:
            self.add_error("amount", _("Write a whole number."))
        return found

    def values(self) -> dict[str, Any]:
        values = dict(self.cleaned_data)
        kind, _colon, pk = values.pop("scope").partition(":")
        amount = in_units(values.pop("amount"), values["metric"])
        return {**values, "scope_type": kind, "scope_id": pk, "amount": amount}

    @staticmethod
    def amount_of(posted: Any, incident: BudgetIncident) -> int:
        """What a person raises it to, as they wrote it; Invalid for what is none."""
        try:
            amount = Decimal(posted.get("amount", "").strip())
        except InvalidOperation:
            raise Invalid(str(_("Write a number."))) from None
        units = in_units(amount, incident.metric) if 0 <= amount <= LARGEST else 0
        if not units:
            said = _("Write a number above 0. To have no limit, remove it below.")
            raise Invalid(str(said))
        return units


def in_units(amount: Decimal, metric: str) -> int:
    return int(amount * 100 if metric == BudgetPolicy.Metric.CENTS else amount)


def scopes_of(company: Company) -> list[Any]:
    """What can be limited, by kind; of issues those that are open, newest first."""
    agents = Agent.objects.employed().filter(company=company).order_by("name")
    projects = Project.objects.filter(company=company).order_by("name")
    issues = Issue.objects.shown().open().filter(company=company).order_by("-number")
    return [
        (f"company:{company.pk}", _("the whole company")),
        (_("Agents"), [(f"agent:{one.pk}", one.name) for one in agents]),
        (_("Projects"), [(f"project:{one.pk}", one.name) for one in projects]),
        (
            _("Open issues"),
            [
                (f"issue:{one.pk}", f"{one.identifier} {one.title}")
                for one in issues[:MOST_OFFERED]
            ],
        ),
    ]
