"""What each role may do: one table. The verbs ask it, the console offers by it, the
page *People* shows it."""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    OWNER = "owner", _("owner")
    ADMIN = "admin", _("admin")
    OPERATOR = "operator", _("operator")
    VIEWER = "viewer", _("viewer")


# A role may do what stands beside it, and whatever those before it may. An act is
# called as its verb calls it in a refusal; what is missing here, no verb can ask for.
TABLE: dict[Role, dict[Any, tuple[str, ...]]] = {
    Role.VIEWER: {
        _("Company"): ("see the company", "leave the company"),
    },
    Role.OPERATOR: {
        _("Issues"): (
            *("file issues", "change issues", "comment", "check out"),
            *("delete a document", "define labels"),
            *("accept a criterion", "accept by hand", "ask for a check"),
        ),
        _("Plans"): (
            *("set goals", "change goals", "plan projects", "change projects"),
            *("pause a project", "resume a project"),
            *("define routines", "manage routines", "run a routine"),
            *("run a job", "switch a job", "edit a post", "change keywords"),
            "write to people outside",
        ),
        _("Decisions"): (
            *("ask for an approval", "resubmit an approval", "withdraw an approval"),
            *("decide an approval", "link approvals", "report costs"),
        ),
        _("Agents"): (
            *("wake an agent", "pause an agent", "resume an agent"),
            *("interrupt a run", "stop a run", "try it again"),
            *("see sessions", "reset a session"),
        ),
        _("Company"): (
            *("stop the company", "resume the company", "stop everything"),
            "found a company",
        ),
    },
    Role.ADMIN: {
        _("Agents"): (
            *("hire", "approve a hire", "change an agent", "terminate an agent"),
            *("see keys", "make keys", "revoke keys", "keep secrets"),
        ),
        _("Money"): (
            *("set a budget", "decide about a budget", "raise a budget"),
            *("keep it paused", "change a provider's account"),
        ),
        _("Rules"): (
            *("change what needs an approval", "change the catalogue of checks"),
            *("say where a repository is", "open a webhook without a signature"),
            *("set the site up", "change who is written to", "keep a mailbox"),
        ),
        _("Company"): (
            *("change the company", "leave the rehearsal", "resume everything"),
            *("see the backups", "take a backup"),
        ),
        _("People"): ("invite people", "change a role", "remove a member"),
    },
    Role.OWNER: {
        _("People"): ("decide about owners", "give a new sign-in link"),
        _("Company"): ("archive the company",),
    },
}
RANK = {role: number for number, role in enumerate(TABLE)}
LEAST = {
    act: role
    for role, areas in TABLE.items()
    for acts in areas.values()
    for act in acts
}
NAMED = {
    Role.OWNER: "an owner",
    Role.ADMIN: "an admin",
    Role.OPERATOR: "an operator",
    Role.VIEWER: "a viewer",
}


def allows(role: str | None, act: str) -> bool:
    """Whether somebody with that role may do it. KeyError for an act that the table
    does not have."""
    least = RANK[LEAST[act]]
    return role in RANK and RANK[Role(role)] >= least


def allowed(act: str) -> list[Role]:
    """The roles that may do it, the least first."""
    return [role for role in TABLE if allows(role, act)]


def refusal(role: str | None, act: str) -> str:
    """Why somebody with that role may not do it, and what to do about it."""
    takes = NAMED[LEAST[act]]
    if not role:
        return f"Only a member can {act}, as {takes} at least."
    who = NAMED[Role(role)].capitalize()
    return f"{who} cannot {act}: that takes {takes}. Ask an owner for another role."


def is_above(role: str, other: str) -> bool:
    return RANK[Role(role)] > RANK[Role(other)]
