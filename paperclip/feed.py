"""The activity log in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.models import Agent, Approval, Run
from issues.models import Issue
from issues.models.base import Status
from paperclip.models import Activity, User

WORDS = {
    "company.created": gettext_lazy("founded the company"),
    "company.updated": gettext_lazy("changed the company"),
    "company.paused": gettext_lazy("stopped the company"),
    "membership.created": gettext_lazy("joined the company, by invitation:"),
    "membership.role_changed": gettext_lazy("gave the role of %(role)s to"),
    "membership.removed": gettext_lazy("removed from the company"),
    "membership.link_given": gettext_lazy("gave a new sign-in link to"),
    "membership.left": gettext_lazy("left the company:"),
    "invite.created": gettext_lazy("invited somebody as"),
    "invite.revoked": gettext_lazy("withdrew an invitation as"),
    "company.archived": gettext_lazy("archived the company"),
    "company.restored": gettext_lazy("took the company out of the archive"),
    "company.resumed": gettext_lazy("resumed the company"),
    "audit.broken": gettext_lazy("found that sealed acts were changed"),
    "instance.stopped": gettext_lazy("stopped everything, in all companies"),
    "instance.resumed": gettext_lazy("resumed everything"),
    "agent.created": gettext_lazy("hired"),
    "agent.updated": gettext_lazy("changed"),
    "agent.paused": gettext_lazy("paused"),
    "agent.resumed": gettext_lazy("resumed"),
    "agent.terminated": gettext_lazy("terminated"),
    "agent.session_reset": gettext_lazy("started afresh the session of"),
    "agent.key_created": gettext_lazy("made a key for"),
    "agent.key_revoked": gettext_lazy("revoked a key of"),
    "issue.created": gettext_lazy("filed"),
    "issue.updated": gettext_lazy("changed"),
    "issue.moved": gettext_lazy("moved to “%(status)s”:"),
    "issue.checked_out": gettext_lazy("took up"),
    "issue.checkout_lock_adopted": gettext_lazy("took over from a run that ended:"),
    "issue.released": gettext_lazy("gave back"),
    "issue.comment_added": gettext_lazy("commented on"),
    "issue.blockers_changed": gettext_lazy("changed the blockers of"),
    "issue.review_requested": gettext_lazy("asked for a review of"),
    "issue.approved": gettext_lazy("approved"),
    "issue.changes_requested": gettext_lazy("asked for changes of"),
    "issue.review_decided": gettext_lazy("decided the review of"),
    "issue.check_requested": gettext_lazy("asked for the check of"),
    "issue.checked": gettext_lazy("checked"),
    "issue.criterion_added": gettext_lazy("added a criterion to"),
    "issue.criterion_updated": gettext_lazy("changed a criterion of"),
    "issue.criterion_accepted": gettext_lazy("let a criterion count for"),
    "issue.criterion_removed": gettext_lazy("took a criterion off"),
    "issue.criterion_accepted_by_hand": gettext_lazy("accepted by hand a criterion of"),
    "issue.branch_uploaded": gettext_lazy("handed over the branch of"),
    "issue.branch_merged": gettext_lazy("merged the branch of"),
    "issue.document_created": gettext_lazy("wrote a document of"),
    "issue.document_updated": gettext_lazy("revised a document of"),
    "issue.document_deleted": gettext_lazy("removed a document of"),
    "issue.branch_pushed": gettext_lazy("pushed to its remote the branch of"),
    "issue.branch_push_failed": gettext_lazy("could not push the branch of"),
    "check.created": gettext_lazy("put into the catalogue the check"),
    "check.updated": gettext_lazy("changed in the catalogue the check"),
    "routine.created": gettext_lazy("defined the routine"),
    "routine.updated": gettext_lazy("changed the routine"),
    "routine.paused": gettext_lazy("paused the routine"),
    "routine.resumed": gettext_lazy("resumed the routine"),
    "routine.archived": gettext_lazy("archived the routine"),
    "routine.run_triggered": gettext_lazy("fired the routine"),
    "goal.created": gettext_lazy("set the goal"),
    "goal.updated": gettext_lazy("changed a goal"),
    "project.created": gettext_lazy("planned the project"),
    "project.updated": gettext_lazy("changed a project"),
    "label.created": gettext_lazy("defined the label"),
    "secret.created": gettext_lazy("kept the secret"),
    "secret.updated": gettext_lazy("changed the secret"),
    "secret.rotated": gettext_lazy("gave a new value to the secret"),
    "secret.deleted": gettext_lazy("destroyed the secret"),
    "secret.bound": gettext_lazy("bound to %(to)s the secret"),
    "secret.unbound": gettext_lazy("took away from %(to)s the secret"),
    "secret.read": gettext_lazy("was given, for %(use)s, the secret"),
    "secret.key_rotated": gettext_lazy("enclosed all secrets anew, with a new key"),
    "provider_account.opened": gettext_lazy("opened a provider's account again:"),
    "provider_account.updated": gettext_lazy("changed a provider's account:"),
    "project.paused": gettext_lazy("paused a project"),
    "project.resumed": gettext_lazy("resumed a project"),
    "cost_event.created": gettext_lazy("told of a cost"),
    "budget.policy_created": gettext_lazy("set a budget:"),
    "budget.policy_changed": gettext_lazy("changed a budget:"),
    "budget.soft_threshold_crossed": gettext_lazy("saw a budget nearly spent:"),
    "budget.hard_threshold_crossed": gettext_lazy("stopped for a spent budget:"),
    "budget.incident_resolved": gettext_lazy("let go on what a budget had stopped:"),
    "budget.kept_paused": gettext_lazy("kept paused what a budget stopped:"),
    "attempt.parked": gettext_lazy("parked, after trying in vain,"),
    "attempt.retried": gettext_lazy("let try again"),
    "approval.requested": gettext_lazy("asked for a decision:"),
    "approval.approved": gettext_lazy("approved the request:"),
    "approval.rejected": gettext_lazy("rejected the request:"),
    "approval.revision_requested": gettext_lazy("sent back the request:"),
    "approval.resubmitted": gettext_lazy("asked anew for a decision:"),
    "approval.comment": gettext_lazy("commented on the request:"),
    "approval.cancelled": gettext_lazy("withdrew the request:"),
    "agent.approved": gettext_lazy("approved the hire of"),
    "effect.allowed": gettext_lazy("let have an effect outside:"),
    "effect.pending": gettext_lazy("asked a person about an effect outside of"),
    "effect.refused": gettext_lazy("refused an effect outside of"),
    "company.effect_policy_changed": gettext_lazy("changed what needs an approval"),
    "issue.approval_linked": gettext_lazy("linked an approval to"),
    "issue.approval_unlinked": gettext_lazy("took an approval off"),
    "heartbeat.succeeded": gettext_lazy("finished"),
    "heartbeat.failed": gettext_lazy("failed in"),
    "heartbeat.comment_missing": gettext_lazy("asked twice and got no comment from"),
    "heartbeat.cancelled": gettext_lazy("stopped a run of"),
    "heartbeat.ended": gettext_lazy("was stopped in"),
    "heartbeat.timed_out": gettext_lazy("ran out of time in"),
}


@dataclass(frozen=True)
class Line:
    """One act, ready to be read."""

    at: datetime
    who: str
    did: str
    key: str
    what: str
    url: str
    kind: str


def lines(activities: Iterable[Activity]) -> list[Line]:
    """Three look-ups for the names of all of them."""
    acts = list(activities)
    issues = named(Issue, acts, "issue", "identifier", "title")
    agents = named(Agent, acts, "agent", "name")
    runners = {uuid(a.details.get("agentId")) for a in acts} - {None}
    if missing := runners - set(agents):
        agents |= {pk: (n,) for pk, n in names_of(Agent, missing, "name")}
    runs = set(named(Run, acts, "heartbeat_run"))
    ids = {uuid(act.details.get("userId")) for act in acts} - {None}
    rows = names_of(User, ids, "username") if ids else []
    people = {row[0]: row[1:] for row in rows}
    return [line(act, issues, agents, runs, people) for act in acts]


def named(model: Any, acts: list[Activity], kind: str, *fields: str) -> dict[Any, Any]:
    ids = {uuid(act.entity_id) for act in acts if act.entity_type == kind} - {None}
    return {row[0]: row[1:] for row in names_of(model, ids, *fields)} if ids else {}


def names_of(model: Any, ids: set[Any], *fields: str) -> Any:
    return model.objects.filter(pk__in=ids).values_list("pk", *fields)


def uuid(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def line(
    act: Activity,
    issues: dict[Any, Any],
    agents: dict[Any, Any],
    runs: set[Any],
    people: dict[Any, Any],
) -> Line:
    pk, kind, details = uuid(act.entity_id), act.entity_type, act.details
    who, key, what, url = act.actor_name, "", "", ""
    action = act.action
    if kind == "issue":
        key, what = issues.get(pk, (details.get("identifier", ""), ""))
        url = reverse("admin:issue", args=[pk]) if pk in issues else ""
        action = "issue.moved" if "status" in details else action
        decided = f"issue.{details.get('outcome')}"
        action = decided if decided in WORDS else action
    elif kind == "agent":
        what = agents.get(pk, [details.get("name", "")])[0]
        url = reverse("admin:agent", args=[pk]) if pk in agents else ""
    elif kind == "approval":
        what = approval_label(details.get("type"))
        url = reverse("admin:approval", args=[pk])
    elif kind == "attempt":
        runner = uuid(details.get("agentId"))
        what = agents.get(runner, [""])[0]
        url = reverse("admin:agent", args=[runner]) if runner in agents else ""
    elif kind == "heartbeat_run":
        runner = agents.get(uuid(details.get("agentId")), [""])[0]
        url = reverse("admin:run", args=[pk]) if pk in runs else ""
        what = runner
        if act.actor_type == "system":
            who, what = runner, _("a run")
            action = action.replace("cancelled", "ended")
    else:
        names = (details.get(key) for key in ("account", "title", "name", "key"))
        what = str(next(filter(None, names), ""))
        if kind in ("membership", "invite"):
            person = people.get(uuid(details.get("userId")))
            what = person[0] if person else str(details.get("role", ""))
        page = {"routine": "admin:routine", "secret": "admin:secret"}.get(kind)
        gone = action == "secret.deleted"
        url = reverse(page, args=[pk]) if page and not gone else ""
    did = WORDS.get(action)
    words = {"to": "?", "use": "?", **details}
    words["status"] = status_label(details.get("status"))
    bare = {"action": act.action.replace("_", " ").replace(".", " ")}
    text = str(did) % words if did else _("did this: %(action)s") % bare
    return Line(act.created_at, who, text, key, what, url, kind)


def approval_label(kind: Any) -> str:
    known = Approval.Type.values
    return str(Approval.Type(kind).label) if kind in known else str(kind or "")


def status_label(status: Any) -> str:
    return str(Status(status).label) if status in Status.values else str(status or "")
