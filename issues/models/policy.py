"""The stages that done work goes through before it counts: who looks at it, in which
order. An issue without a policy has one stage, the reviewer of whoever did the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from agents.models import Agent
from paperclip.exceptions import Invalid
from paperclip.models import User

if TYPE_CHECKING:
    from paperclip.models import Company

Policy = dict[str, Any]
Stage = dict[str, Any]
Participant = dict[str, Any]
MODES, TYPES = ("normal", "auto"), ("review", "approval")
REVIEW = "review"
MOST_STAGES, MOST_PARTICIPANTS = 10, 20


def checked(written: Mapping[str, Any], company: Company) -> Policy:
    """The policy as it is kept, every stage and participant with an id.

    Invalid for a participant who is not of the company, for one that is named twice in
    a stage, and for more approvals than there are participants.
    """
    if len(written["stages"]) > MOST_STAGES:
        raise Invalid(f"There are at most {MOST_STAGES} stages.", code="bad_policy")
    stages = [stage_of(one, company) for one in written["stages"]]
    ids = [stage["id"] for stage in stages]
    if len({*ids}) < len(ids):
        raise Invalid("Two stages have the same id.", code="bad_policy")
    return {
        "mode": written.get("mode", MODES[0]),
        "commentRequired": written.get("commentRequired", True),
        "stages": stages,
    }


def stage_of(one: Mapping[str, Any], company: Company) -> Stage:
    if len(one["participants"]) > MOST_PARTICIPANTS:
        said = f"A stage has at most {MOST_PARTICIPANTS} participants."
        raise Invalid(said, code="bad_policy")
    people = [participant_of(each, company) for each in one["participants"]]
    keys = [key_of(each) for each in people]
    if len({*keys}) < len(keys):
        raise Invalid("Somebody is named twice in a stage.", code="bad_policy")
    needed = one.get("approvalsNeeded", 1)
    if not 1 <= needed <= len(people):
        raise Invalid(
            f"A stage with {len(people)} participants can have 1 to {len(people)}"
            f" approvals, not {needed}.",
            code="bad_policy",
        )
    return {
        "id": str(one.get("id") or uuid4()),
        "type": one.get("type", REVIEW),
        "approvalsNeeded": needed,
        "participants": people,
    }


def participant_of(one: Mapping[str, Any], company: Company) -> Participant:
    agent_id, user_id = one.get("agentId"), one.get("userId")
    if bool(agent_id) == bool(user_id) or one["type"] != (
        "agent" if agent_id else "user"
    ):
        raise Invalid(
            "A participant is an agent with an agentId, or a user with a userId.",
            code="bad_policy",
        )
    if agent_id:
        staff = Agent.objects.employed().filter(company=company, pk=agent_id)
        known = staff.exists()
    else:
        known = company.memberships.filter(user_id=str(user_id)).exists()
    if not known:
        who = agent_id or user_id
        raise Invalid(f"{who} does not work here.", code="unknown_reference")
    return {
        "id": str(one.get("id") or uuid4()),
        "type": one["type"],
        "agentId": str(agent_id) if agent_id else None,
        "userId": str(user_id) if user_id else None,
    }


def key_of(participant: Participant) -> str:
    return str(participant["agentId"] or participant["userId"])


def of_reviewer(reviewer: Agent) -> Policy:
    """The policy of an issue without one: its worker's reviewer looks at it."""
    pk = str(reviewer.pk)
    person = {"id": pk, "type": "agent", "agentId": pk, "userId": None}
    stage = {"id": REVIEW, "type": REVIEW, "approvalsNeeded": 1}
    return {
        "mode": MODES[0],
        "commentRequired": True,
        "stages": [{**stage, "participants": [person]}],
    }


def those_left(
    stage: Stage, company: Company, without: Iterable[UUID | None]
) -> list[Agent | User]:
    """The participants of a stage who can look at it now, in its order: still here, and
    not among those who did the work or have decided."""
    gone = {str(pk) for pk in without}
    keys = [key_of(one) for one in stage["participants"] if key_of(one) not in gone]
    staff = Agent.objects.employed().filter(company=company, pk__in=keys)
    people = User.objects.filter(
        pk__in=[key_of(p) for p in stage["participants"] if p["userId"]],
        memberships__in=company.memberships.working(),
        is_active=True,
    )
    found: dict[str, Agent | User] = {str(one.pk): one for one in staff}
    found |= {str(one.pk): one for one in people}
    return [found[key] for key in keys if key in found]
