"""The page of the log of acts: what happened, by whom, and whether that is as it was
sealed."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from agents.models import Agent
from issues.models import Issue
from paperclip import checkpoints, feed, sealing
from paperclip.acts import WORDS
from paperclip.desk import Desk, page
from paperclip.models import Activity, Chain, Company, Unsealed

PER_PAGE = 50
KINDS = {
    "": gettext_lazy("Everything"),
    "issue": gettext_lazy("Issues"),
    "agent": gettext_lazy("Agents"),
    "heartbeat_run": gettext_lazy("Runs"),
    "company": gettext_lazy("Company"),
}
# What the acts of the log are about, where the code does not say it.
AREAS = {
    "membership": gettext_lazy("People"),
    "invite": gettext_lazy("Invitations"),
    "audit": gettext_lazy("The log itself"),
    "instance": gettext_lazy("All companies"),
    "provider_account": gettext_lazy("Model providers"),
    "cost_event": gettext_lazy("Costs"),
    "attempt": gettext_lazy("What was tried in vain"),
    "effect": gettext_lazy("Effects outside"),
    "heartbeat": gettext_lazy("Runs"),
    "job": gettext_lazy("Marketing jobs"),
    "keyword_cluster": gettext_lazy("Groups of keywords"),
    "gap": gettext_lazy("Keyword gaps"),
    "packet": gettext_lazy("Entries in directories"),
    "country_policy": gettext_lazy("Countries"),
    "suppression": gettext_lazy("Never written to"),
    "template": gettext_lazy("Mail templates"),
    "message": gettext_lazy("Mails"),
    "mail": gettext_lazy("Copies of mails"),
}
PLACE = re.compile(r"%\(\w+\)s")
DAY = forms.DateInput(attrs={"type": "date"})


class ActivityFilter(forms.Form):
    """What of the log to show; everything that is given has to fit."""

    kind = forms.CharField(required=False, widget=forms.HiddenInput)
    act = forms.IntegerField(required=False, widget=forms.HiddenInput)
    actor = forms.ChoiceField(label=gettext_lazy("Who"), required=False)
    agent = forms.ChoiceField(label=gettext_lazy("For agent"), required=False)
    action = forms.ChoiceField(label=gettext_lazy("Did"), required=False)
    issue = forms.CharField(label=gettext_lazy("Issue"), required=False)
    run = forms.UUIDField(label=gettext_lazy("Run"), required=False)
    since = forms.DateField(
        label=gettext_lazy("From"),
        required=False,
        widget=DAY,
        help_text=settings.TIME_ZONE,
    )
    until = forms.DateField(
        label=gettext_lazy("To"),
        required=False,
        widget=DAY,
        help_text=settings.TIME_ZONE,
    )

    def __init__(self, data: Any, company: Company) -> None:
        super().__init__(data)
        self.company = company
        agents = [
            (str(pk), name)
            for pk, name in Agent.objects.filter(company=company)
            .order_by("name")
            .values_list("pk", "name")
        ]
        members = company.memberships.order_by("user__username")
        people = members.values_list("user_id", "user__username")
        self.choices("agent", agents)
        self.fields["action"].choices = acts_offered()  # type: ignore[attr-defined]
        self.choices(
            "actor",
            [
                ("system", "Paperclip"),
                *((f"user {pk}", name) for pk, name in people),
                *((f"agent {pk}", name) for pk, name in agents),
            ],
        )
        self.fields["issue"].widget.attrs["placeholder"] = f"{company.issue_prefix}-1"

    def choices(self, name: str, offered: list[tuple[str, str]]) -> None:
        self.fields[name].choices = [("", _("Anybody")), *offered]  # type: ignore[attr-defined]

    def clean_issue(self) -> UUID | None:
        key = self.cleaned_data["issue"].strip().upper()
        if not key:
            return None
        pk = (
            Issue.objects.filter(company=self.company, identifier=key)
            .values_list("pk", flat=True)
            .first()
        )
        if pk is None:
            raise forms.ValidationError(_("There is no issue %(key)s.") % {"key": key})
        return pk

    def rows(self) -> Any:
        """The acts that fit, the newest first; none while the filter is wrong."""
        if not self.is_valid():
            return Activity.objects.none()
        given = {name: value for name, value in self.cleaned_data.items() if value}
        fits = [FITS[name](value) for name, value in given.items()]
        return Activity.objects.filter(*fits, company=self.company)

    @property
    def is_used(self) -> bool:
        """Whether anything is filled in that the tabs above do not say."""
        return any(self.data.get(name) for name in self.fields if name != "kind")


def acts_offered() -> list[Any]:
    """What one may have done, in words, by what it was done to."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for code, said in WORDS.items():
        area = code.partition(".")[0]
        bare = PLACE.sub("…", str(said)).rstrip(":, ")
        groups.setdefault(area, []).append((code, bare))
    found: list[Any] = [("", _("Anything"))]
    for area, acts in groups.items():
        name = str(AREAS.get(area, area.replace("_", " ").capitalize()))
        every = (f"{area}.", _("%(area)s: anything") % {"area": name})
        found.append((name, [every, *acts]))
    return found


def by_actor(value: str) -> Q:
    kind, _space, pk = value.partition(" ")
    return Q(actor_type=kind, actor_id=pk) if pk else Q(actor_type=kind)


def begin_of(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=get_current_timezone())


FITS: dict[str, Any] = {
    "kind": lambda kind: Q(entity_type=kind),
    "act": lambda seq: Q(seq=seq),
    "actor": by_actor,
    "agent": lambda pk: Q(agent_id=pk),
    "action": lambda action: Q(action__startswith=action.strip()),
    "issue": lambda pk: Q(entity_type="issue", entity_id=str(pk)),
    "run": lambda pk: Q(run_id=pk) | Q(entity_type="heartbeat_run", entity_id=str(pk)),
    "since": lambda day: Q(created_at__gte=begin_of(day)),
    "until": lambda day: Q(created_at__lt=begin_of(day + timedelta(days=1))),
}


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """The log of acts, newest first, page by page."""
    company = Desk.of(request).company
    form = ActivityFilter(request.GET, company)
    acts = form.rows()
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        acts = acts.filter(seq__lt=int(before[:18]))
    shown = list(acts[: PER_PAGE + 1])
    older = request.GET.copy()
    if len(shown) > PER_PAGE:
        older["before"] = str(shown[PER_PAGE - 1].seq)
    return page(
        request,
        "console/activity.html",
        title=_("Activity"),
        activity=feed.lines(shown[:PER_PAGE]),
        kinds=KINDS.items(),
        kind=request.GET.get("kind", ""),
        form=form,
        older=older.urlencode() if len(shown) > PER_PAGE else "",
        is_first=not before,
        here=reverse("admin:activity"),
        seals=state_of(company),
    )


def state_of(company: Company) -> dict[str, Any]:
    """How far the log is sealed, signed and verified, and what was found wrong."""
    chain = Chain.objects.filter(pk=company.pk).first() or Chain(company=company)
    late = Unsealed.objects.filter(company=company).late().count()
    place = checkpoints.file_of(company.pk)
    guarded = {"unguarded": sealing.unguarded()}
    return {"chain": chain, "late": late, "place": place, **guarded}
