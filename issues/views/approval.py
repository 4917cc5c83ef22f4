"""What waits for a person's decision: the list, one approval, and the rules that say
what is asked for."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents.models import Agent, Approval, ApprovalEvent, EffectPolicy
from agents.models.policy import Effect, Rule, default_rule
from issues.models import ApprovalLink
from issues.views import payload
from issues.views.work import lines_of
from paperclip.api.views import is_uuid
from paperclip.desk import Desk, View, attempt, back, page
from paperclip.exceptions import Invalid

DECIDED = 50
RELATED = (
    "company",
    "requested_by_agent",
    "requested_by_user",
    "decided_by_user",
)
EVERYTHING = 1_000_000  # lines around a change: all of them


def rows() -> Any:
    links = ApprovalLink.objects.select_related("issue")
    return Approval.objects.select_related(*RELATED).prefetch_related(
        Prefetch("issue_links", links)
    )


def one(request: HttpRequest, pk: str) -> Approval:
    found: Approval = Desk.of(request).one(rows(), pk)
    return found


def home(approval: Approval) -> str:
    return reverse("admin:approval", args=[approval.pk])


@require_GET
def approvals(request: HttpRequest) -> HttpResponse:
    """What is pending, what is being revised, and what was decided last."""
    company = Desk.of(request).company
    again = ApprovalEvent.objects.filter(approval=OuterRef("pk"), kind="resubmitted")
    ours = rows().filter(company=company).annotate(revised=Exists(again))
    return page(
        request,
        "approvals/list.html",
        title=_("Approvals"),
        pending=[shown(each) for each in ours.filter(status="pending")],
        revised=ours.filter(status="revision_requested"),
        decided=ours.exclude(status__in=Approval.OPEN).order_by("-updated_at")[
            :DECIDED
        ],
    )


@require_GET
def approval(request: HttpRequest, pk: str) -> HttpResponse:
    row = one(request, pk)
    return page(
        request,
        "approvals/approval.html",
        company=row.company,
        title=str(row),
        short_title=row.title,
        crumbs=[(_("Approvals"), reverse("admin:approvals"))],
        approval=shown(row),
        diff=diff_of(row),
        events=row.events.select_related("by_agent", "by_user"),
    )


def shown(row: Any) -> Any:
    """With its payload as people read it."""
    row.facts = payload.of(row)
    row.lines = payload.lines_of(row.payload)
    return row


def diff_of(row: Approval) -> list[Any] | None:
    """What is asked for now against what was sent back; None when nothing was."""
    again = row.events.filter(kind="resubmitted").last()
    if again is None or again.payload_before is None:
        return None
    was, now = (
        payload.lines_of(before) for before in (again.payload_before, row.payload)
    )
    return list(lines_of(unified_diff(was, now, lineterm="", n=EVERYTHING)))


@require_POST
def decide(request: HttpRequest, pk: str) -> HttpResponse:
    """One of the buttons: approved, rejected, an option of a question, or back."""
    row, by = one(request, pk), Desk.of(request).actor
    verdict = request.POST.get("verdict", "")
    note = request.POST.get("note", "").replace("\r\n", "\n").strip()
    seen = request.POST.get("seen", "")

    def do() -> None:
        must_wait_still(row, verdict)
        if verdict == "revision_requested":
            if not note:
                raise Invalid(_("Write in the note what should be different."))
            row.request_revision(by=by, note=note)
        elif verdict == "rejected":
            row.decide("rejected", by=by, note=note, seen=seen)
        elif verdict.startswith("approved"):
            choice = verdict.partition(":")[2]
            row.decide("approved", by=by, note=note, choice=choice, seen=seen)
        else:
            raise Invalid(_("There is no such decision."))

    sent_back = verdict == "revision_requested"
    done = _("It is sent back.") if sent_back else _("It is decided.")
    if attempt(request, do, f"{done} {_('Who asked is told.')}"):
        return redirect("admin:approvals")
    return back(request, home(row))


def must_wait_still(row: Approval, verdict: str) -> None:
    """Invalid when somebody has decided otherwise meanwhile."""
    if not row.is_open and row.status != verdict.partition(":")[0]:
        raise Invalid(
            _("It is decided already: %(status)s by %(who)s. Nothing was changed.")
            % {
                "status": row.get_status_display(),
                "who": row.decided_by_user or "Paperclip",
            }
        )


@require_POST
def comment(request: HttpRequest, pk: str) -> HttpResponse:
    row, by = one(request, pk), Desk.of(request).actor
    body = request.POST.get("body", "").replace("\r\n", "\n")
    attempt(request, lambda: row.comment(body, by=by), _("Who asked is told."))
    return redirect(home(row) + "#comment")


# --- the rules -----------------------------------------------------------------------


def rules(request: HttpRequest) -> HttpResponse:
    """What each effect outside needs, for the company or for one agent."""
    desk = Desk.of(request)
    company = desk.company
    staff = Agent.objects.employed().filter(company=company)
    named = request.POST.get("agent") or request.GET.get("agent") or ""
    agent = staff.filter(pk=named).first() if is_uuid(named) else None
    if request.method == "POST":
        attempt(
            request,
            lambda: save_rules(desk, agent, request.POST),
            _("The rules are saved."),
        )
        where = f"?agent={agent.pk}" if agent else ""
        return redirect(reverse("admin:approval_rules") + where)
    mine = EffectPolicy.objects.filter(company=company, agent=agent)
    said = dict(mine.values_list("effect", "rule"))
    wider = {
        effect: EffectPolicy.objects.rule(company, None, effect)
        if agent
        else default_rule(company, effect)
        for effect in Effect
    }
    return page(
        request,
        "approvals/rules.html",
        title=_("What needs an approval"),
        crumbs=[(_("Approvals"), reverse("admin:approvals"))],
        staff=staff,
        agent=agent,
        choices=Rule.choices,
        effects=[
            (effect, effect.label, said.get(effect, ""), Rule(wider[effect]).label)
            for effect in Effect
        ],
    )


def save_rules(desk: Desk, agent: Agent | None, posted: Any) -> None:
    company = desk.company
    rows = EffectPolicy.objects.filter(company=company, agent=agent)
    said = dict(rows.values_list("effect", "rule"))
    for effect in Effect:
        rule = posted.get(effect, "")
        if rule != said.get(effect, ""):
            EffectPolicy.objects.put(company, effect, rule, by=desk.actor, agent=agent)
    if agent is None:
        company.change(
            by=desk.actor,
            ask_after_outside_text="ask_after_outside_text" in posted,
            require_approval_for_hires="require_approval_for_hires" in posted,
        )


ACTS: dict[str, View] = {"decide": decide, "comment": comment}
