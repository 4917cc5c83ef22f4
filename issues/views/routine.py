"""The list of routines, the page of one, and their buttons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agents.models import Secret
from issues import variables
from issues.models import Routine, RoutineRun, RoutineTrigger
from issues.models.routine_trigger import SCHEDULE, WEBHOOK
from issues.routine_form import CATCH_UP, CONCURRENCY, in_a_line
from issues.run_form import RunForm
from paperclip.desk import Desk, View, attempt, back, button, page
from paperclip.exceptions import Invalid, Refused

RUNS, MOST = 30, 200
SIGNING = [
    ("bearer", gettext_lazy("a secret in the Authorization header")),
    ("hmac_sha256", gettext_lazy("a signature over time and body (HMAC SHA-256)")),
    ("github_hmac", gettext_lazy("a signature as GitHub makes it")),
    ("none", gettext_lazy("nothing: whoever knows the address may call it")),
]
HOW_TO_CALL = {
    "bearer": gettext_lazy("Send it in the header Authorization: Bearer SECRET."),
    "hmac_sha256": gettext_lazy(
        "Send the Unix time as X-Paperclip-Timestamp and, as X-Paperclip-Signature, the"
        " HMAC SHA-256 in hex of that time, a dot and the body."
    ),
    "github_hmac": gettext_lazy(
        "Put both into a webhook of your repository, with the content type"
        " application/json."
    ),
    "none": gettext_lazy(
        "Whoever knows the address can start it: keep it to yourself."
    ),
}


def one(request: HttpRequest, pk: Any) -> Routine:
    rows = Routine.objects.select_related(
        "company", "assignee_agent", "project", "goal", "parent_issue"
    )
    found: Routine = Desk.of(request).one(rows, pk)
    return found


def home(routine: Routine) -> str:
    return reverse("admin:routine", args=[routine.pk])


act = partial(button, one, home)


@require_GET
def routines(request: HttpRequest) -> HttpResponse:
    """All that are not archived, or with ?archived=1 those that are."""
    company, shown = Desk.of(request).company, request.GET.get("archived") == "1"
    ours = Routine.objects.filter(company=company).select_related("assignee_agent")
    archived = ours.filter(status=Routine.Status.ARCHIVED)
    rows = archived if shown else ours.exclude(status=Routine.Status.ARCHIVED)
    return page(
        request,
        "issues/routines.html",
        title=_("Routines"),
        routines=Routine.objects.tell(rows.order_by("title", "id")[:MOST]),
        archived=shown,
        any_archived=archived.exists(),
    )


@require_GET
def routine(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


def show(
    request: HttpRequest,
    routine: Routine,
    *,
    made: Sequence[tuple[RoutineTrigger, str]] = (),
    refusal: Refused | None = None,
    run_form: RunForm | None = None,
) -> HttpResponse:
    """The page; with the addresses and secrets of webhooks that were just made, or what
    was filled in wrong to run it."""
    (told,) = Routine.objects.tell([routine])
    return page(
        request,
        "issues/routine.html",
        company=routine.company,
        status=refusal.status if refusal else 422 if run_form else 200,
        here=home(routine) if request.method == "POST" else "",
        title=routine.title,
        crumbs=[(_("Routines"), reverse("admin:issues_routine_changelist"))],
        routine=told,
        undeclared=variables.undeclared(
            f"{routine.title} {routine.description or ''}", routine.variables
        ),
        schedules=[times(t) for t in told.triggers.all() if t.kind == SCHEDULE],
        hooks=[t for t in told.triggers.all() if t.kind == WEBHOOK],
        runs=routine.runs.select_related("linked_issue")[:RUNS],
        revisions=routine.revisions.select_related("author_agent", "author_user")[:10],
        concurrency=dict(CONCURRENCY)[routine.concurrency_policy],
        catch_up=dict(CATCH_UP)[routine.catch_up_policy],
        criteria=[in_a_line(one) for one in routine.criteria],
        signing=signing_for(request, routine),
        proofs=dict(SIGNING),
        secrets=Secret.objects.filter(company=routine.company),
        made=[(hook, s, HOW_TO_CALL[hook.signing_mode or "none"]) for hook, s in made],
        refusal=refusal,
        run_form=run_form or RunForm(routine),
    )


def signing_for(request: HttpRequest, routine: Routine) -> list[tuple[str, Any]]:
    """The proofs that this person may choose for a webhook."""
    company = routine.company
    may = Desk.of(request).may(company, "open a webhook without a signature")
    return [one for one in SIGNING if may or one[0] != "none"]


def times(trigger: RoutineTrigger) -> dict[str, Any]:
    """A schedule in words, with its next times as clocks there show them."""
    nexts = [f"{one:%a %-d %b %Y, %H:%M %Z}" for one in trigger.next_times()]
    return {"words": str(trigger), "nexts": nexts, "trigger": trigger}


@require_POST
def run_now(request: HttpRequest, pk: str) -> HttpResponse:
    """Fire it with the values that were filled in. What is wrong with one is said
    beside it, and the others are kept."""
    row, desk = one(request, pk), Desk.of(request)
    form = RunForm(row, request.POST)
    if desk.may_write(row.company) and not form.is_valid():
        return show(request, row, run_form=form)

    def fire() -> RoutineRun:
        desk.actor.must_be_operator(row.company_id, "run a routine")
        return row.fire(
            by=desk.actor,
            source=RoutineRun.Source.MANUAL,
            at=now(),
            values=form.cleaned_data,
        )

    attempt(request, fire, came)
    return back(request, home(row))


def came(run: RoutineRun) -> str:
    if run.linked_issue is None:
        return run.result
    url = reverse("admin:issue", args=[run.linked_issue.identifier])
    see = _("See the issue")
    return format_html('{} <a class="follow" href="{}">{}</a>', run.result, url, see)


ACTS: dict[str, View] = {
    "run": run_now,
    "pause": act(
        lambda routine, desk: routine.pause(by=desk.actor),
        lambda _none, routine: _("“%(it)s” is paused.") % {"it": routine},
    ),
    "resume": act(
        lambda routine, desk: routine.resume(by=desk.actor),
        lambda _none, routine: _("“%(it)s” is active again.") % {"it": routine},
    ),
    "archive": act(
        lambda routine, desk: routine.archive(by=desk.actor),
        lambda _none, routine: _("“%(it)s” is archived.") % {"it": routine},
    ),
}


# --- webhooks ------------------------------------------------------------------------


def trigger_of(routine: Routine, pk: Any) -> RoutineTrigger:
    found: RoutineTrigger | None = routine.triggers.filter(pk=pk, kind=WEBHOOK).first()
    if found is None:
        raise Http404(_("Webhook not found"))
    found.routine = routine
    return found


def secret_of(routine: Routine, name: str) -> Secret | None:
    """The company's secret of that name; None for no name. Invalid for what is gone."""
    ours = Secret.objects.filter(company=routine.company, name=name)
    found: Secret | None = ours.first()
    if name and found is None:
        raise Invalid(_("There is no secret %(name)s any more.") % {"name": name})
    return found


@never_cache
@require_POST
def add_hook(request: HttpRequest, pk: str) -> HttpResponse:
    """Show the new secret on this answer and never again."""
    row, desk = one(request, pk), Desk.of(request)
    try:
        hook, secret, _revision = RoutineTrigger.objects.add(
            row,
            by=desk.actor,
            kind=WEBHOOK,
            label=request.POST.get("label", "").strip()[:120] or None,
            signing_mode=request.POST.get("signing_mode", ""),
            company_secret=secret_of(row, request.POST.get("secret", "")),
        )
    except Refused as no:
        return show(request, one(request, pk), refusal=no)
    return show(request, one(request, pk), made=[(hook, secret)])


@never_cache
@require_POST
def rotate_hook(request: HttpRequest, pk: str, trigger: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    hook = trigger_of(row, trigger)
    try:
        secret, _revision = hook.rotate_secret(by=desk.actor)
    except Refused as no:
        return show(request, one(request, pk), refusal=no)
    return show(request, one(request, pk), made=[(hook, secret)])


@require_POST
def remove_hook(request: HttpRequest, pk: str, trigger: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    hook = trigger_of(row, trigger)
    gone = _("The webhook is gone: its address answers no more.")
    attempt(request, lambda: hook.remove(by=desk.actor), gone)
    return redirect(home(row))


HOOK_ACTS: dict[str, View] = {"rotate": rotate_hook, "remove": remove_hook}
