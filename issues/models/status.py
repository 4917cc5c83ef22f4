"""The status machine of an issue: one door for every change, and what follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.timezone import now

from agents.models import Agent, Run
from issues.models.base import CLOSED, Status
from issues.models.fix import FIX
from issues.models.review import Review
from issues.models.routine_run import RoutineRun
from issues.models.thread import must_be_sayable
from issues.models.verified import Verified
from issues.models.wakes import Wake, send_wakes
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed

if TYPE_CHECKING:
    from issues.models.comment import Comment
    from paperclip.actors import Actor
    from paperclip.models import User


# Where an agent may move an issue. Operators may move it anywhere; in_progress is
# entered by checkout.
MOVES = {
    Status.BACKLOG: {Status.TODO, Status.IN_PROGRESS, Status.CANCELLED},
    Status.TODO: {
        Status.BACKLOG,
        Status.IN_PROGRESS,
        Status.IN_REVIEW,
        Status.BLOCKED,
        Status.DONE,
        Status.CANCELLED,
    },
    Status.IN_PROGRESS: {
        Status.TODO,
        Status.IN_REVIEW,
        Status.BLOCKED,
        Status.DONE,
        Status.CANCELLED,
    },
    Status.IN_REVIEW: {
        Status.TODO,
        Status.IN_PROGRESS,
        Status.DONE,
        Status.CANCELLED,
    },
    Status.BLOCKED: {Status.TODO, Status.IN_PROGRESS, Status.CANCELLED},
    Status.DONE: {Status.TODO},
    Status.CANCELLED: {Status.TODO},
}
STAMPS = {Status.DONE: "completed_at", Status.CANCELLED: "cancelled_at"}
# Text and numbers that have no rule of their own.
PLAIN = {
    "title",
    "description",
    "priority",
    "work_mode",
    "billing_code",
    "request_depth",
    "hidden_at",
    "project",
    "goal",
    "parent",
}
# What an agent may change of its own issues, and not of everybody's.
STEERING = {
    *("status", "assignee_agent", "assignee_user", "hidden_at"),
    *("review_policy", "evidence"),
    # Out of a stopped project, or into one with more money.
    "project",
}


class StatusMachine(Verified):
    class Meta:
        abstract = True

    @transaction.atomic
    def change(
        self,
        *,
        by: Actor,
        comment: str = "",
        reopen: bool = False,
        interrupt: bool = False,
        **fields: Any,
    ) -> Comment | None:
        """Change any field at once, with a comment if one is given.

        Conflict when another live run holds the issue or the status cannot follow;
        Invalid for two assignees, an unfinished blocker, a link to another company or
        in a circle; NotAllowed for an agent without a run or without the right to
        assign. Everyone whom it concerns is woken, each at most once.
        """
        must_be_sayable(comment)
        reviewed = self._lock(fields)
        self._must_be_changeable(by, {*fields, "status"} if reopen else {*fields})
        if interrupt:
            self.interrupt(by=by)
        old = (self.status, self.assignee_agent_id)
        changed = sorted(fields)
        if reopen and self.is_closed:
            fields.setdefault("status", Status.TODO)
        routed = self._route(fields, by=by, comment=comment)
        self._set(fields, by=by)
        # Last of all that may refuse: a merge is not taken back.
        asked = fields.get("status", self.status)
        if (status := self._merged(asked, by=by, routed=routed)) != self.status:
            self._enter(status, by=by, force=routed or status != asked)
        self._must_be_startable()
        self.save()
        if "project" in fields:
            open_runs = Run.objects.open().filter(issue_id=self.pk)
            open_runs.update(project_id=self.project_id)
        said = self._say(comment, by=by)
        self._record_change(changed, old[0], by=by)
        if self.is_closed and old[0] not in CLOSED:
            RoutineRun.objects.issue_closed(self)
            if reviewed is not None:
                reviewed.return_to_review(self, by=by)
        send_wakes(self._consequences(*old) + self.mentions(said), by=by, said=said)
        return said

    def _record_change(self, changed: list[str], was: str, *, by: Actor) -> None:
        moved = {"status": self.status, "was": was} if self.status != was else {}
        if changed or moved:
            audit.record(
                by,
                "issue.updated",
                self,
                identifier=self.identifier,
                changed=changed,
                **moved,
            )

    def _say(self, comment: str, *, by: Actor) -> Comment | None:
        said = self._post(comment, by=by) if comment.strip() else None
        if self._remark:
            self._post(self._remark, by=SYSTEM)
            self._remark = ""
        return said

    def _lock(self, fields: dict[str, Any]) -> Review | None:
        """Hold the row until the commit; the issue under review that a fix is for, too.
        In one order for everybody: issues, the company's graph, agents."""
        rows = type(self)._default_manager.select_for_update(no_key=True)
        self.refresh_from_db(from_queryset=rows)
        reviewed: Review | None = None
        if self.origin_kind == FIX and self.parent is not None:
            reviewed = rows.filter(pk=self.parent.pk).first()
        if {"parent", "blocked_by"} & set(fields) or fields.get("status") in CLOSED:
            self._lock_graph()
        return reviewed

    def _set(self, fields: dict[str, Any], *, by: Actor) -> None:
        """Everything but the status."""
        self._check_links(fields, by=by)
        self._set_assignee(fields, by=by)
        for name in PLAIN & set(fields):
            setattr(self, name, fields[name])
        if "labels" in fields:
            self.labels.set(fields["labels"])
        if "blocked_by" in fields:
            self.save()  # circles are looked for in the tables
            self.block_on(fields["blocked_by"], by=by)

    def _must_be_changeable(self, by: Actor, names: set[str]) -> None:
        self.must_be_writable(by)
        if by.agent is None or not STEERING & names or self.is_steered_by(by.agent):
            return
        raise NotAllowed(
            f"{self.identifier} is the work of {self.assignee_agent or 'a person'}."
            " Comment instead, or ask its manager.",
            code="not_yours",
        )

    def is_steered_by(self, agent: Agent) -> bool:
        """Whether the issue is the agent's own, filed by it, nobody's, or the work of
        somebody whom it reviews or manages."""
        worker = self.assignee_agent
        if worker is None:
            return self.assignee_user_id is None or self.created_by_agent_id == agent.pk
        near = (worker.pk, worker.reviewer_id, self.created_by_agent_id)
        return agent.pk in near or agent in worker.chain_of_command()

    def _enter(self, status: str, *, by: Actor, force: bool = False) -> None:
        if by.agent is not None and not force:
            if status not in MOVES[Status(self.status)]:
                allowed = ", ".join(sorted(MOVES[Status(self.status)]))
                raise Conflict(
                    f"An agent cannot move {self.identifier} from {self.status} to"
                    f" {status}. It can become: {allowed}."
                )
            if status == Status.IN_PROGRESS:
                self.save()  # a checkout reads the row afresh
                self.check_out(by.agent, by.run, [self.status], by=by)
                return
        if self.status == Status.IN_PROGRESS:
            self.let_go(by=by)
        self.status = status
        self.completed_at = self.cancelled_at = None
        if status == Status.IN_PROGRESS:
            self.started_at = self.started_at or now()
        elif stamp := STAMPS.get(Status(status)):
            setattr(self, stamp, now())
        self._must_be_startable()

    def _must_be_startable(self) -> None:
        if self.status != Status.IN_PROGRESS:
            return
        if self.assignee_agent_id is None and self.assignee_user_id is None:
            raise Invalid("Work in progress needs an assignee: assign it first.")
        self.must_be_unblocked()

    def _set_assignee(self, fields: dict[str, Any], *, by: Actor) -> None:
        if not {"assignee_agent", "assignee_user"} & set(fields):
            return
        agent = fields.pop("assignee_agent", None)
        user = fields.pop("assignee_user", None)
        if agent and user:
            raise Invalid("An issue has one assignee: an agent or a person.")
        new = (agent.pk if agent else None, user.pk if user else None)
        if new == (self.assignee_agent_id, self.assignee_user_id):
            return
        self._check_assignee(agent, user, by=by)
        if self.checkout_run_id:
            self.let_go(by=by)
        self.assignee_agent, self.assignee_user = agent, user

    def _check_assignee(
        self, agent: Agent | None, user: User | None, *, by: Actor
    ) -> None:
        if by.agent is not None:
            gives_away = agent is not None and agent.pk != by.agent.pk
            if gives_away and not by.agent.may("canAssignTasks"):
                raise NotAllowed(f"{by.agent} has no right to assign work to others.")
        if agent:
            if agent.company_id != self.company_id:
                raise Invalid("The assignee works for another company.")
            if agent.status in (Agent.Status.TERMINATED, Agent.Status.PENDING):
                raise Invalid(f"{agent} is {agent.status}: nothing can be assigned.")
        if user and not user.memberships.filter(company=self.company_id).exists():
            raise Invalid(f"{user} is not a member of this company.")

    def _check_links(self, fields: dict[str, Any], *, by: Actor) -> None:
        for name in ("project", "goal", "parent"):
            other = fields.get(name)
            if other is not None and other.company_id != self.company_id:
                raise Invalid(f"The {name} belongs to another company.")
        if any(
            label.company_id != self.company_id for label in fields.get("labels", [])
        ):
            raise Invalid("A label belongs to another company.")
        if fields.get("parent"):
            self.must_not_wait_in_circle(child_of=fields["parent"])

    def _consequences(self, was: str, had: object) -> list[Wake]:
        """Whom the change concerns, and why."""
        if self.is_closed:
            return self.freed_by_end() if was not in CLOSED else []
        if self.status == Status.BACKLOG or self._is_held_up():
            return []
        if self.assignee_agent_id != had:
            source, reason = "assignment", "issue_assigned"
        elif was in CLOSED:
            source, reason = "automation", "issue_reopened_via_comment"
        elif was == Status.BACKLOG:
            source, reason = "automation", "issue_status_changed"
        else:
            return []
        return [Wake(self.assignee_agent, source, reason, self)]
