"""The form of a routine, for people who do not know cron."""

from __future__ import annotations

import shlex
from datetime import time
from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from agents.fields import LinesField
from issues import cron, variable_form
from issues.cron import LAST_DAY, WEEKDAYS, Rhythm, Schedule
from issues.models import Check, Issue, Routine
from issues.models.routine_trigger import SCHEDULE
from paperclip.admin import ConsoleForm
from paperclip.models import Company

CRON = "cron"
MOST_NAMED = 12
EVERY = [
    ("", _("only by hand, or when something calls it")),
    ("day", _("every day")),
    ("weekday", _("Monday to Friday")),
    ("week", _("every week")),
    ("month", _("every month")),
    (CRON, _("at other times (a cron line)")),
]
# Monday first, as people plan.
DAYS = [(str(n % 7), WEEKDAYS[n % 7]) for n in range(1, 8)]
DATES = [*((str(n), str(n)) for n in range(1, 32)), (LAST_DAY, _("the last day"))]
REGIONS = {
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia"),
    *("Europe", "Indian", "Pacific"),
}
WHEN = {"every", "at", "weekday", "date", "cron", "time_zone"}
CONCURRENCY = [
    ("coalesce_if_active", _("Nothing new is filed: this time joins the open issue.")),
    ("skip_if_active", _("Nothing new is filed: this time is left out.")),
    ("always_enqueue", _("Another issue is filed each time.")),
]
CATCH_UP = [
    ("skip_missed", _("Once, however many times were missed.")),
    ("enqueue_missed_with_cap", _("Once for each missed time, the last 25 at most.")),
    ("drop_missed", _("Not at all: it goes on with the next time.")),
]


def zones(now: str) -> list[tuple[str, Any]]:
    """Time zones by region. One that is in use is offered, whatever it is called."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, _slash, city = name.partition("/")
        if city and region in REGIONS:
            regions.setdefault(region, []).append((name, city.replace("_", " ")))
    plain = [(name, name) for name in sorted({"UTC", now}) if name]
    listed = {name for cities in regions.values() for name, _city in cities}
    first = [pair for pair in plain if pair[0] not in listed]
    return [*first, *regions.items()]


class CriteriaField(LinesField):
    """A check of the catalogue on each line, with its parameters: `key name=value`."""

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in str(value or "").splitlines()]
        return [criterion(line) for line in lines if line]

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        return "\n".join(map(in_a_line, value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (self.prepare_value(initial) or "").split() != (data or "").split()


def criterion(line: str) -> dict[str, Any]:
    try:
        key, *pairs = shlex.split(line)
        values = dict(pair.split("=", 1) for pair in pairs)
    except ValueError:
        raise forms.ValidationError(
            _("Write the key of a check and name=value, not %(line)s."),
            params={"line": line},
        ) from None
    return {"check": key, "parameters": values}


def in_a_line(one: dict[str, Any]) -> str:
    pairs = [f"{name}={value}" for name, value in one["parameters"].items()]
    return shlex.join([one["check"], *pairs])


def offered(company: Company) -> str:
    """What may be written there, from the company's catalogue."""
    checks = Check.objects.offered().filter(company=company)
    lines = [
        " ".join([one.key, *(f"{told['name']}=…" for told in one.parameters)])
        for one in checks.order_by("key")[:MOST_NAMED]
    ]
    if not lines:
        return str(_("The catalogue of checks is empty: define one under Checks."))
    said = _("One check of the catalogue on each line. There is: %(checks)s")
    return str(said % {"checks": "; ".join(lines)})


class RoutineForm(ConsoleForm):
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        choices=Issue.Priority.choices,
        coerce=int,
        initial=Issue.Priority.MEDIUM,
    )
    every = forms.ChoiceField(label=_("How often"), choices=EVERY, required=False)
    at = forms.TimeField(
        label=_("At"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    weekday = forms.ChoiceField(label=_("On"), choices=DAYS, required=False)
    date = forms.ChoiceField(
        label=_("On day"),
        choices=DATES,
        required=False,
        help_text=_("A month without that day is left out; the last day is always."),
    )
    cron = forms.CharField(
        label=_("Cron line"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "0 9 * * 1"}),
        help_text=_(
            "Minute, hour, day of the month, month, weekday: */15 * * * * is every 15"
            " minutes."
        ),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("Summer time is kept to: 09:00 stays 09:00."),
    )
    concurrency_policy = forms.ChoiceField(
        label=_("While the issue of the time before is still open"),
        choices=CONCURRENCY,
        widget=forms.RadioSelect,
        initial="coalesce_if_active",
    )
    catch_up_policy = forms.ChoiceField(
        label=_("Make up for times at which Paperclip was not running"),
        choices=CATCH_UP,
        widget=forms.RadioSelect,
        initial="skip_missed",
    )

    criteria = CriteriaField(
        label=_("What its issues have to prove"),
        rows=2,
    )

    class Meta:
        model = Routine
        fields = ["title", "description", "assignee_agent", "project", "goal"]
        labels = {"assignee_agent": _("Who does it")}
        widgets = {"description": forms.Textarea(attrs={"rows": 6})}
        help_texts = {
            "title": _("Of the issue that is filed each time. {{date}} is the day."),
            "description": _("What is to be done, and how one sees that it is done."),
            "assignee_agent": _(
                "Woken each time. Nobody: the issue waits on the board."
            ),
        }

    more = "issues/_variables.html"
    folded = _("Fine tuning")
    sections = [
        (_("What is to be done"), ["title", "description", "assignee_agent"]),
        (_("When"), ["every", "weekday", "date", "at", "cron", "time_zone"]),
        (
            folded,
            [
                *("criteria", "priority", "project", "goal"),
                *("concurrency_policy", "catch_up_policy"),
            ],
        ),
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        who: Any = self.fields["assignee_agent"]
        who.queryset = who.queryset.employed()
        who.empty_label = _("nobody")
        self.initial = {**self._now(), **self.initial}
        # A form that says nothing of variables leaves them as they are.
        told = self.data if f"{variable_form.PREFIX}-TOTAL_FORMS" in self.data else None
        self.variables = variable_form.rows(told, self.instance.variables)
        self.fields["criteria"].help_text = offered(self.company)
        choices = zones(self.initial["time_zone"])
        cast(forms.ChoiceField, self.fields["time_zone"]).choices = choices

    def _now(self) -> dict[str, Any]:
        """When it is due now; of a new one, what most people will want."""
        shown: dict[str, Any] = {
            "every": "week",
            "weekday": "1",
            "date": "1",
            "at": time(9),
            "time_zone": settings.TIME_ZONE,
        }
        if self.instance._state.adding:
            return shown
        row = self.instance
        shown |= {
            "every": "",
            "priority": row.priority,
            "criteria": row.criteria,
            "concurrency_policy": row.concurrency_policy,
            "catch_up_policy": row.catch_up_policy,
        }
        schedules = row.triggers.filter(kind=SCHEDULE).order_by("created_at", "id")
        trigger = schedules.first()
        if trigger is None:
            return shown
        shown |= {"time_zone": trigger.time_zone, "cron": trigger.cron_expression}
        rhythm = Rhythm.of(trigger.cron_expression)
        if rhythm is None:
            return {**shown, "every": CRON}
        on = {"week": "weekday", "month": "date"}.get(rhythm.every)
        return {
            **shown,
            "every": rhythm.every,
            "at": time(rhythm.hour, rhythm.minute),
            **({on: rhythm.on} if on else {}),
        }

    def clean_criteria(self) -> list[dict[str, Any]]:
        """With numbers where the catalogue asks for some."""
        found: list[dict[str, Any]] = self.cleaned_data["criteria"]
        checks = Check.objects.filter(company=self.company)
        asked = {one.key: one.parameters for one in checks}
        for one in found:
            values = one["parameters"]
            for told in asked.get(one["check"], []):
                text = values.get(told["name"], "")
                if told["type"] == "number" and text.isascii() and text.isdigit():
                    values[told["name"]] = int(text)
        return found

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        every = found.get("every")
        if every == CRON:
            if problem := cron.problem_of(found.get("cron") or ""):
                self.add_error("cron", problem)
        elif every and found.get("at") is None and "at" not in self.errors:
            self.add_error("at", _("Say at what time."))
        if self.variables.is_bound and not self.variables.is_valid():
            self.add_error(None, _("What is asked each time is not right yet."))
        return found

    def schedule(self) -> Schedule | None:
        """When it is due, of what was chosen."""
        chosen = self.cleaned_data
        every, zone = chosen["every"], chosen["time_zone"] or settings.TIME_ZONE
        if not every:
            return None
        if every == CRON:
            return Schedule(" ".join(chosen["cron"].split()), zone)
        on = {"week": chosen["weekday"], "month": chosen["date"]}.get(every, "")
        rhythm = Rhythm(every, chosen["at"].hour, chosen["at"].minute, on)
        return Schedule(rhythm.expression, zone)

    def values(self) -> dict[str, Any]:
        found = {n: v for n, v in super().values().items() if n not in WHEN}
        if self.instance._state.adding or WHEN & set(self.changed_data):
            found["schedule"] = self.schedule()
        if self.variables.is_bound and self.variables.has_changed():
            found["variables"] = self.variables.values()
        return found
