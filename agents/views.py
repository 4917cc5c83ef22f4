"""The page of one agent and its buttons."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agents import bindings, org, spending, tool_words
from agents.api.shapes import AgentShape
from agents.form_fields import ADAPTER_NAMES, PERMISSIONS
from agents.models import Agent, ApiKey, Attempt, Session
from agents.spending import Spend
from paperclip.desk import Desk, View, attempt, back, button, page
from paperclip.exceptions import Refused

RUNS, WAKEUPS, SESSIONS = 15, 10, 10


def one(request: HttpRequest, pk: str) -> Any:
    staff = Agent.objects.select_related("company", "reports_to", "reviewer")
    return Desk.of(request).one(staff.with_state(), pk)


def home(agent: Agent) -> str:
    return reverse("admin:agent", args=[agent.pk])


act = partial(button, one, home)


@require_GET
def agent(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


def show(
    request: HttpRequest, agent: Any, *, token: str = "", status: int = 200
) -> HttpResponse:
    clear = Desk.of(request).may(agent.company, "change an agent")
    waiting = agent.runs.open().order_by("-created_at")
    by_status = {run.status: run for run in waiting}
    agent.running, agent.queued = by_status.get("running"), by_status.get("queued")
    sessions = agent.sessions.filter(adapter_type=agent.adapter_type)
    sessions = sessions.select_related("agent")
    return page(
        request,
        "agents/agent.html",
        company=agent.company,
        status=status,
        here=home(agent) if request.method == "POST" else "",
        title=agent.name,
        crumbs=[(_("Agents"), reverse("admin:agents_agent_changelist"))],
        agent=agent,
        config=bindings.in_words(
            agent, AgentShape(context={"clear": clear}).get_adapterConfig(agent)
        ),
        lookalikes=bindings.lookalikes(agent.adapter_config),
        adapter=ADAPTER_NAMES.get(agent.adapter_type, agent.adapter_type),
        token=token,
        spend=spending.of_agents(agent.company).get(agent.pk, Spend()),
        rights=[label for name, label in PERMISSIONS if agent.may(name)],
        tools=[(name, tool_words.of(name).allows) for name in agent.tools],
        runs=agent.runs.defer("stdout_excerpt", "stderr_excerpt")[:RUNS],
        wakeups=agent.wakeups.all()[:WAKEUPS],
        sessions=list(sessions[:SESSIONS]),
        reuse=Session.objects.reuse(agent),
        idle=idle_spell(agent),
        parked=agent.attempts.parked(),
        hours=hours_of(agent),
        reports=agent.reports.employed(),
        keys=agent.api_keys.order_by("-created_at"),
    )


def idle_spell(agent: Agent) -> Any:
    """The record of what its timer skipped, while that is the last that happened."""
    last = agent.wakeups.first()
    return last if last is not None and last.status == last.Status.SKIPPED else None


def hours_of(agent: Agent) -> str:
    """When it may be started, in words; empty around the clock."""
    days = ", ".join(str(WEEKDAYS_ABBR[day]) for day in sorted(agent.active_days))
    span = (
        f"{agent.active_from:%H:%M}-{agent.active_to:%H:%M}" if agent.active_to else ""
    )
    parts = " ".join(filter(None, [days, span]))
    return f"{parts} ({agent.zone})" if parts else ""


@require_GET
def org_chart(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    staff = list(Agent.objects.employed().filter(company=company).with_state())
    return page(
        request,
        "agents/org.html",
        title=_("Org chart"),
        wide=org.wide(staff),
        tall=org.tall(staff),
        svg_url=f"/api/companies/{company.pk}/org.svg",
    )


def wake(agent: Agent, desk: Desk) -> Any:
    desk.actor.must_be_operator(agent.company_id, "wake an agent")
    return agent.wake("on_demand", "manual", by=desk.actor, detail="manual")


def woken(wakeup: Any, agent: Agent) -> str:
    if wakeup.run_id is None:
        return wakeup.note or _("%(agent)s was not woken.") % {"agent": agent}
    words = _("%(agent)s is woken.") % {"agent": agent}
    if wakeup.status == wakeup.Status.COALESCED:
        words = _("%(agent)s was about to wake already.") % {"agent": agent}
    url = reverse("admin:run", args=[wakeup.run_id])
    return format_html(
        '{} <a class="follow" href="{}">{}</a>', words, url, _("Follow the run")
    )


def reset_sessions(agent: Agent, desk: Desk) -> int:
    desk.actor.must_be_operator(agent.company_id, "reset a session")
    return agent.sessions.reset(by=desk.actor)


ACTS: dict[str, View] = {
    "wake": act(wake, woken),
    "pause": act(
        lambda agent, desk: agent.pause(by=desk.actor),
        lambda _none, agent: _("%(agent)s is paused.") % {"agent": agent},
    ),
    "resume": act(
        lambda agent, desk: agent.resume(by=desk.actor),
        lambda _none, agent: _("%(agent)s works again.") % {"agent": agent},
    ),
    "sessions_reset": act(
        reset_sessions,
        lambda many, agent: _("%(agent)s begins everything afresh.") % {"agent": agent},
    ),
    "keep_secrets": act(
        lambda agent, desk: bindings.keep_lookalikes(agent, by=desk.actor),
        lambda _none, agent: _("They are secrets now, and nobody is shown them again."),
    ),
    "terminate": act(
        lambda agent, desk: agent.terminate(by=desk.actor),
        lambda _none, agent: _("%(agent)s is terminated.") % {"agent": agent},
    ),
}


@require_POST
def retry_attempt(request: HttpRequest, pk: str) -> HttpResponse:
    """Try again what was parked."""
    desk = Desk.of(request)
    rows = Attempt.objects.select_related("agent__company")
    row = desk.one(rows, pk)
    done = _("%(agent)s tries it again.") % {"agent": row.agent}
    attempt(request, lambda: row.retry(by=desk.actor), done)
    return back(request, home(row.agent))


@require_POST
def reset_session(request: HttpRequest, pk: str) -> HttpResponse:
    """Forget one session."""
    desk = Desk.of(request)
    row = desk.one(Session.objects.select_related("agent"), pk)
    done = _("%(agent)s begins afresh there next time.") % {"agent": row.agent}
    attempt(request, lambda: row.reset(by=desk.actor), done)
    return back(request, home(row.agent))


@never_cache
@require_POST
def make_key(request: HttpRequest, pk: str) -> HttpResponse:
    """Show the new key on this answer and never again."""
    agent, desk = one(request, pk), Desk.of(request)
    name = request.POST.get("name", "").strip()[:80]
    made: list[str] = []

    def make() -> None:
        made.append(ApiKey.objects.issue_to(agent, name=name, by=desk.actor)[1])

    if attempt(
        request, make, _("The key is made. Copy it now: it is not shown again.")
    ):
        return show(request, agent, token=made[0])
    return show(request, agent, status=Refused.status)


@require_POST
def revoke_key(request: HttpRequest, pk: str, key: str) -> HttpResponse:
    agent, desk = one(request, pk), Desk.of(request)
    row = agent.api_keys.filter(pk=key).select_related("agent").first()
    if row is None:
        raise Http404(_("Key not found"))
    attempt(request, lambda: row.revoke(by=desk.actor), _("The key is revoked."))
    return back(request, home(agent))
