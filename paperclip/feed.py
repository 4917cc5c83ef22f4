"""The activity log in plain words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from agents.models import Agent, Approval, Run
from issues.models import Issue
from issues.models.base import Status
from marketing import models as marketing
from paperclip.acts import WORDS
from paperclip.models import Activity, User


class Shown(NamedTuple):
    """What a row is called, and its page: the name of the route, and whose."""

    model: Any
    name: Callable[[Any], Any]
    route: str = ""
    pk: Callable[[Any], Any] = lambda row: row.pk


# The rows of marketing. No name of whoever does not want to be written to is looked up.
SHOWN = {
    "site": Shown(marketing.Site, str, "marketing", lambda row: None),
    "jobrun": Shown(
        marketing.JobRun,
        lambda row: row.get_job_display(),
        "issue",
        lambda row: row.issue_id,
    ),
    "jobschedule": Shown(marketing.JobSchedule, str, "marketing", lambda row: None),
    "keyword": Shown(marketing.Keyword, str, "rank"),
    "keywordcluster": Shown(marketing.KeywordCluster, str),
    "keywordgap": Shown(marketing.KeywordGap, str, "gaps", lambda row: None),
    "brief": Shown(marketing.Brief, str, "posts", lambda row: None),
    "post": Shown(marketing.Post, str, "post"),
    "competitor": Shown(marketing.Competitor, str, "rival"),
    "directory": Shown(marketing.Directory, str, "listing"),
    "submissionpacket": Shown(
        marketing.SubmissionPacket,
        lambda row: row.directory,
        "listing",
        lambda row: row.directory_id,
    ),
    "contact": Shown(marketing.Contact, str, "marketing_contact_change"),
    "template": Shown(
        marketing.Template,
        lambda row: row.get_category_display(),
        "marketing_template_change",
    ),
    "mailbox": Shown(marketing.Mailbox, str, "marketing_mailbox_change"),
    "message": Shown(marketing.Message, lambda row: row.subject, "message"),
}
JOINED = {"submissionpacket": "directory"}
# Where an act says itself what it was done to.
NAMED = ("account", "title", "name", "key", "text", "term", "keyword", "outlet")


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
    """Three look-ups for the names of all of them, and one for each kind of row of the
    marketing that is among them."""
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
    rows = {kind: rows_of(kind, acts) for kind in {a.entity_type for a in acts}}
    return [
        line(act, issues, agents, runs, people, rows[act.entity_type]) for act in acts
    ]


def rows_of(kind: str, acts: list[Activity]) -> dict[Any, Any]:
    if (shown := SHOWN.get(kind)) is None:
        return {}
    ids = {uuid(act.entity_id) for act in acts if act.entity_type == kind} - {None}
    found = shown.model.objects.select_related(*filter(None, [JOINED.get(kind)]))
    return dict(found.in_bulk(ids))


def place_of(kind: str, row: Any) -> tuple[str, str]:
    """Its name and its address."""
    shown = SHOWN[kind]
    if not shown.route:
        return str(shown.name(row)), ""
    pk, route = shown.pk(row), f"admin:{shown.route}"
    if pk is None and shown.route == "issue":
        return str(shown.name(row)), ""
    return str(shown.name(row)), reverse(route, args=[pk] if pk else [])


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
    rows: dict[Any, Any],
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
    elif pk in rows:
        what, url = place_of(kind, rows[pk])
    else:
        what, url = told_by(act, people)
    did = WORDS.get(action)
    words = defaultdict(lambda: "?", details)
    words["status"] = status_label(details.get("status"))
    bare = {"action": act.action.replace("_", " ").replace(".", " ")}
    text = str(did) % words if did else _("did this: %(action)s") % bare
    return Line(act.created_at, who, text, key, what, url, kind)


def told_by(act: Activity, people: dict[Any, Any]) -> tuple[str, str]:
    """The name that the act itself keeps, and the page of what is there still."""
    kind, details = act.entity_type, act.details
    names = (details.get(key) for key in NAMED)
    what = str(next(filter(None, names), ""))
    if kind in ("membership", "invite"):
        person = people.get(uuid(details.get("userId")))
        what = person[0] if person else str(details.get("role", ""))
    page = {"routine": "admin:routine", "secret": "admin:secret"}.get(kind)
    gone = act.action == "secret.deleted"
    return what, reverse(page, args=[act.entity_id]) if page and not gone else ""


def approval_label(kind: Any) -> str:
    known = Approval.Type.values
    return str(Approval.Type(kind).label) if kind in known else str(kind or "")


def status_label(status: Any) -> str:
    return str(Status(status).label) if status in Status.values else str(status or "")
