"""The page of one issue: what it says, its thread, and the buttons of its operator."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from agents import spending
from agents.models import Agent, Approval, Attempt, Run, Session
from issues import stage_form
from issues.forms import PropertiesForm
from issues.models import Comment, Issue
from issues.views.criteria import criteria_of, decisions_of
from issues.why import waiting_messages, why
from paperclip.api.views import is_uuid
from paperclip.desk import Desk, View, button, page
from paperclip.exceptions import BadRequest, Conflict, Invalid, Refused
from paperclip.models import Activity
from paperclip.pages import Pages

RUNS, CHILDREN, COMMENTS, DEPTH = 10, 50, 50, 3
NEWEST_FIRST = Pages(("-created_at", "-id"))
RELATED = (
    "company",
    "project",
    "goal",
    "parent",
    "assignee_agent__company",
    "assignee_user",
    "executor_agent",
    "created_by_agent",
    "created_by_user",
)


def one(request: HttpRequest, pk: str) -> Issue:
    found: Issue = Desk.of(request).one(Issue.objects.select_related(*RELATED), pk)
    return found


def home(issue: Issue) -> str:
    return reverse("admin:issue", args=[issue.identifier])


act = partial(button, one, home)


def thread(issue: Issue, before: str) -> tuple[list[Comment], Comment | None]:
    """What was said last, or last before that comment, in the order it was said; and
    the first of it when something was said even before."""
    said = issue.comments.select_related("author_agent", "author_user")
    begin = said.filter(pk=before).first() if is_uuid(before) else None
    if begin:
        said = said.filter(NEWEST_FIRST.after(begin))
    found = list(said.order_by(*NEWEST_FIRST.order)[: COMMENTS + 1])
    shown = found[:COMMENTS][::-1]
    return shown, shown[0] if len(found) > COMMENTS else None


@require_GET
def issue(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


def show(
    request: HttpRequest,
    issue: Issue,
    *,
    form: PropertiesForm | None = None,
    draft: str = "",
    refusal: Refused | None = None,
    answering: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The page, with what was typed when the verb refused it."""
    actor = Desk.of(request).actor
    before = request.GET.get("before", "")
    said, oldest = thread(issue, before)
    return page(
        request,
        "issues/issue.html",
        company=issue.company,
        status=status,
        here=home(issue) if request.method == "POST" else "",
        title=f"{issue.identifier} {issue.title}",
        short_title=issue.identifier,
        crumbs=[(_("Issues"), reverse("admin:issues_issue_changelist"))],
        issue=issue,
        form=form or PropertiesForm(None, issue=issue, actor=actor),
        draft=draft,
        refusal=refusal,
        answering=answering,
        thread=said,
        older=oldest,
        before=before,
        **state_of(issue),
        **criteria_of(issue),
        **family_of(issue),
    )


def state_of(issue: Issue) -> dict[str, Any]:
    """Who has it, what it waits for, what came out and what it cost."""
    question = question_of(issue)
    runs = Run.objects.filter(issue_id=issue.pk).select_related("agent")
    return {
        "holder": issue.live_holder(),
        "why": why(issue),
        "alerts": alerts(issue),
        "unread": waiting_messages(issue),
        "review": review_of(issue),
        "decisions": decisions_of(issue),
        "stages": stage_form.in_words(issue),
        "approved_by": issue.approved_by(),
        "question": question,
        "asker": had_by(issue, question) if issue.assignee_user else None,
        "colleagues": Agent.objects.employed().filter(company=issue.company),
        "approvals": Approval.objects.filter(issue_links__issue=issue),
        "documents": issue.documents.defer("body"),
        "products": issue.work_products.all(),
        "spend": spending.of_issues([issue.pk]),
        "runs": runs.defer("stdout_excerpt", "stderr_excerpt")[:RUNS],
        "sessions": Session.objects.filter(issue_id=issue.pk).select_related("agent"),
    }


def alerts(issue: Issue) -> Any:
    """What was tried in vain here, or keeps its assignee from everything."""
    here = Q(issue_id=issue.pk) | Q(agent=issue.assignee_agent, whole_agent=True)
    return Attempt.objects.parked().filter(here).select_related("agent")


def family_of(issue: Issue) -> dict[str, Any]:
    """Its parts, and the issues that wait for it or that it waits for."""
    parts = issue.children.select_related("assignee_agent")
    blockers = issue.blocked_by.select_related("blocker")
    return {
        "children": with_parts(list(parts[:CHILDREN])),
        "more_children": parts[CHILDREN:].exists(),
        "blockers": blockers,
        "waits": any(edge.blocker.status != Issue.Status.DONE for edge in blockers),
        "blocking": issue.blocking.select_related("blocked"),
        "labels": issue.labels.all(),
    }


def with_parts(children: list[Any]) -> list[Any]:
    """Each with its own parts, and theirs, as `parts`: one query a level."""
    level: dict[Any, Any] = {child.pk: child for child in children}
    for _level in range(DEPTH):
        for each in level.values():
            each.parts = []
        below = Issue.objects.filter(parent__in=level).select_related("assignee_agent")
        found = list(below[:CHILDREN])
        for part in found:
            level[part.parent_id].parts.append(part)
        level = {part.pk: part for part in found}
    return children


def review_of(issue: Issue) -> str:
    """Where it stands with its review, in a sentence."""
    failed = ngettext(
        "%(n)s review failed before.",
        "%(n)s reviews failed before.",
        issue.failed_reviews,
    ) % {"n": issue.failed_reviews}
    tail = f" {failed}" if issue.failed_reviews else ""
    if issue.is_under_review and not issue.is_closed:
        said = _("Waits for %(who)s's review of what %(worker)s did.")
        names = {"who": issue.assignee, "worker": issue.executor_agent}
        return said % names + tail
    return tail.strip() if not issue.is_closed else ""


def question_of(issue: Issue) -> Comment | None:
    """What an agent said last, while the issue waits for a person."""
    if issue.assignee_user is None or issue.is_closed:
        return None
    by_agents = issue.comments.exclude(author_agent=None).select_related("author_agent")
    said: Comment | None = by_agents.order_by(*NEWEST_FIRST.order).first()
    return said


def had_by(issue: Issue, question: Comment | None) -> Agent | None:
    """The agent that had it before the person who has it now: who did the work that is
    under review, else who took it up last, else who filed it; when no agent ever had
    it, the one that asked."""
    if issue.executor_agent:
        return issue.executor_agent
    acts = Activity.objects.filter(entity_type="issue", entity_id=str(issue.pk))
    taken = acts.filter(action="issue.checked_out").exclude(agent_id=None)
    worker = taken.values_list("agent_id", flat=True).first()
    found = Agent.objects.employed().filter(pk=worker).first() if worker else None
    asker = question.author_agent if question else None
    return found or issue.created_by_agent or asker


def colleague(issue: Issue, pk: str) -> Agent:
    ours = Agent.objects.filter(company=issue.company)
    found: Agent | None = ours.filter(pk=pk).first() if is_uuid(pk) else None
    if found is None:
        raise Invalid(_("Choose who gets it back."))
    return found


@require_POST
def answer(request: HttpRequest, pk: str) -> HttpResponse:
    """Say what the agent asked about and give the issue back to it."""
    row, actor = one(request, pk), Desk.of(request).actor
    body = request.POST.get("body", "").replace("\r\n", "\n")
    try:
        if not body.strip():
            raise BadRequest(_("Write an answer first: the agent acts on it."))
        if request.POST.get("approve"):
            row.change(by=actor, comment=body, status=Issue.Status.DONE)
            messages.success(request, _("It is approved."))
            return redirect(home(row))
        to = colleague(row, request.POST.get("to", ""))
        row.change(by=actor, comment=body, status=Issue.Status.TODO, assignee_agent=to)
    except Refused as no:
        again = one(request, pk)
        return show(
            request, again, draft=body, refusal=no, answering=True, status=no.status
        )
    messages.success(request, _("%(who)s has it back.") % {"who": row.assignee})
    return redirect(home(row))


@require_POST
def change(request: HttpRequest, pk: str) -> HttpResponse:
    row, actor = one(request, pk), Desk.of(request).actor
    form = PropertiesForm(request.POST, issue=row, actor=actor)
    if not form.is_valid():
        return show(request, row, form=form, status=422)
    values = form.values()
    try:
        if values:
            row.change(by=actor, **values)
    except Refused as no:
        form.add_error(None, str(no))
        return show(request, one(request, pk), form=form, status=no.status)
    messages.success(request, _("%(issue)s is changed.") % {"issue": row.identifier})
    return redirect(home(row))


@require_POST
def comment(request: HttpRequest, pk: str) -> HttpResponse:
    row, actor = one(request, pk), Desk.of(request).actor
    # A browser sends \r\n, the API does not.
    body = request.POST.get("body", "").replace("\r\n", "\n")
    chosen = {name: bool(request.POST.get(name)) for name in ("reopen", "interrupt")}
    try:
        row.comment(body, by=actor, **chosen)
    except Refused as no:
        again = one(request, pk)
        return show(request, again, draft=body, refusal=no, status=no.status)
    return redirect(home(row) + "#reply")


def wake(issue: Issue, desk: Desk) -> None:
    desk.actor.must_be_operator(issue.company_id, "wake an agent")
    if issue.assignee_agent is None:
        raise Conflict(_("Assign it to an agent first: then there is one to wake."))
    issue.assignee_agent.wake(
        "on_demand", "manual", by=desk.actor, issue_id=issue.pk, detail="manual"
    )


ACTS: dict[str, View] = {
    "change": change,
    "comment": comment,
    "answer": answer,
    "wake": act(wake, lambda _none, issue: _("Its agent is woken.")),
    "stop": act(
        lambda issue, desk: issue.interrupt(by=desk.actor),
        lambda _none, issue: _("The work on it is stopped."),
    ),
}
