"""What an issue has to prove before it is done."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues import parameters
from issues.checkers import CHECKERS, checked_settings, checker_class
from issues.models.check import Check
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid, Missing, NotAllowed
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.issue import Issue
    from paperclip.actors import Actor

MOST = 20


class CriterionQuerySet(ScopedQuerySet):
    def accepted(self) -> Self:
        return self.filter(state=Criterion.State.ACCEPTED)

    @transaction.atomic
    def add(self, issue: Issue, *, by: Actor, **fields: Any) -> Criterion:
        """A new criterion: `check`, the key or the row of the catalogue, with
        `parameters`, or a free one with a `type`, `title` and `settings`.

        What a person adds, and what an agent names from the catalogue for somebody
        else's work, counts at once. A free one of an agent's, and one for its own work,
        is proposed: it counts when a person accepts it. Invalid for what the check does
        not take; Conflict for a closed issue.
        """
        type(issue).objects.select_for_update(no_key=True).get(pk=issue.pk)
        issue.refresh_from_db()
        must_be_open_to(issue, by)
        if self.filter(issue=issue).count() >= MOST:
            raise Invalid(f"An issue has at most {MOST} criteria.")
        criterion = Criterion(issue=issue, company_id=issue.company_id)
        criterion.proposed_by_agent, criterion.proposed_by_user = by.agent, by.user
        criterion._set(fields)
        if not counts_at_once(criterion, issue, by):
            criterion.state = Criterion.State.PROPOSED
        criterion.save(force_insert=True)
        criterion._record("added", by=by, state=criterion.state)
        return criterion

    def default_for(self, issue: Any, worker: Agent | None) -> list[Criterion]:
        """What the role of whoever does the work is checked for, not saved."""
        if worker is None:
            return []
        checks = Check.objects.offered().filter(
            company_id=issue.company_id, roles__contains=[worker.role]
        )
        return [
            Criterion(
                issue=issue,
                company_id=issue.company_id,
                check_of=check,
                type=check.type,
                title=check.title,
                origin=Criterion.Origin.ROLE,
            )
            for check in checks
        ]


def must_be_open_to(issue: Issue, by: Actor) -> None:
    issue.must_be_writable(by)
    if by.agent is not None and not issue.is_steered_by(by.agent):
        raise NotAllowed(
            f"{issue.identifier} is the work of {issue.assignee}: comment instead.",
            code="not_yours",
        )
    if issue.is_closed:
        raise Conflict(f"{issue.identifier} is {issue.status}: open it again first.")


def counts_at_once(criterion: Criterion, issue: Issue, by: Actor) -> bool:
    """Nobody sets the examination for itself, and no agent says what is run here."""
    if by.agent is None:
        # A program with a person's key in a run is its agent's doing.
        return by.is_person or by.kind == "system"
    mine = (issue.assignee_agent_id, issue.executor_agent_id)
    return criterion.check_of_id is not None and by.agent.pk not in mine


class Criterion(Scoped):
    """One thing that is looked at before an issue counts as done."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        ACCEPTED = "accepted", _("accepted")

    class Origin(models.TextChoices):
        ISSUE = "issue", _("of the issue")
        ROLE = "role", _("of the role")
        JOB = "job", _("of a job")

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="criteria")
    check_of = models.ForeignKey(
        Check, models.RESTRICT, null=True, related_name="criteria"
    )
    type = models.CharField(max_length=16, choices=[(name, name) for name in CHECKERS])
    title = models.CharField(max_length=200)
    # Of one from the catalogue.
    parameters = models.JSONField(default=dict)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.ACCEPTED
    )
    origin = models.CharField(
        max_length=8, choices=Origin.choices, default=Origin.ISSUE
    )
    proposed_by_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="+"
    )
    proposed_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True)
    # Of a free one. (Last: the name is another one's above.)
    settings = models.JSONField(default=dict)

    objects = CriterionQuerySet.as_manager()

    class Meta:
        verbose_name = _("criterion")
        verbose_name_plural = _("criteria")
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.title

    # --- questions -----------------------------------------------------------------

    @property
    def told(self) -> dict[str, Any]:
        """The settings its checker gets. Invalid when the catalogue asks for more by
        now than was given here."""
        if self.check_of is None:
            return dict(self.settings)
        values = parameters.filled_in(self.check_of.parameters, self.parameters)
        found: dict[str, Any] = checker_class(self.type).put_in(
            self.check_of.settings, values
        )
        return found

    @property
    def in_words(self) -> str:
        """What is looked at, in a line."""
        try:
            return checker_class(self.type)().in_words(self.told)
        except Invalid as no:
            return str(no)

    @property
    def digest(self) -> str:
        """Another one as soon as anything of what is looked at is another one."""
        try:
            told: Any = self.told
        except Invalid as no:
            told = str(no)
        text = json.dumps([self.type, told], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_by_hand(self) -> bool:
        return checker_class(self.type).by_hand

    def is_of_others(self, worker: Agent) -> bool:
        """Whether somebody else than this agent wants it."""
        return self.proposed_by_agent_id != worker.pk or self.accepted_by_id is not None

    # --- verbs -----------------------------------------------------------------------

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Other parameters, another title or, of a free one, other settings. An agent
        changes what it has proposed itself, and nothing that counts."""
        self._hold(by=by)
        self._set(fields)
        self.save()
        self._record("updated", by=by, changed=sorted(fields))

    @transaction.atomic
    def accept(self, *, by: Actor) -> None:
        """From now on it counts. People only."""
        by.must_be_operator(self.company_id, "accept a criterion")
        if not by.is_person and by.kind != "system":
            raise NotAllowed("Only a person accepts a criterion, not a run.")
        mine = Criterion.objects.filter(pk=self.pk, state=self.State.PROPOSED)
        if mine.update(
            state=self.State.ACCEPTED,
            accepted_by=by.user,
            accepted_at=now(),
            updated_at=now(),
        ):
            self._record("accepted", by=by)
        self.refresh_from_db()

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        """Take it off. An agent takes off what it has proposed itself."""
        self._hold(by=by)
        self._record("removed", by=by)
        self.delete()

    def _hold(self, *, by: Actor) -> None:
        rows = type(self).objects.select_for_update(no_key=True)
        try:
            self.refresh_from_db(from_queryset=rows)
        except type(self).DoesNotExist:
            raise Missing("Criterion not found") from None
        must_be_open_to(self.issue, by)
        own = self.state == self.State.PROPOSED and by.agent is not None
        own = own and self.proposed_by_agent_id == by.agent.pk
        if by.is_person or by.kind == "system" or own:
            return
        raise NotAllowed(
            "What an issue has to prove is changed by people. Propose another"
            " criterion, or comment.",
            code="not_yours",
        )

    def _set(self, fields: dict[str, Any]) -> None:
        check = fields.pop("check", None)
        if isinstance(check, str):
            ours = Check.objects.offered().filter(company_id=self.company_id)
            named = ours.filter(key=check).first()
            if named is None:
                known = ", ".join(ours.values_list("key", flat=True)) or "none"
                raise Invalid(
                    f"There is no check {check} in the catalogue. There are: {known}.",
                    code="unknown_check",
                )
            check = named
        if check is not None:
            self.check_of, self.type = check, check.type
            self.title = self.title or check.title
        for name, value in fields.items():
            setattr(self, name, value)
        self._must_be_whole()

    def _must_be_whole(self) -> None:
        if self.check_of is not None:
            if self.check_of.company_id != self.company_id:
                raise Invalid("The check belongs to another company.")
            if self.settings:
                raise Invalid("A check of the catalogue takes parameters, no settings.")
            parameters.filled_in(self.check_of.parameters, self.parameters)
            return
        if not self.type or not self.title:
            raise Invalid("Name a check of the catalogue, or give a type and a title.")
        if self.parameters:
            raise Invalid("A free criterion has settings, no parameters.")
        if self.type in CHECKERS and checker_class(self.type).of_catalogue:
            raise Invalid(
                f"Where a check of the type {self.type} looks is an operator's to say:"
                " name one of the catalogue.",
                code="of_catalogue",
            )
        self.settings = checked_settings(self.type, self.settings)
        parameters.check([], self.settings)

    def _record(self, act: str, *, by: Actor, **details: Any) -> None:
        audit.record(
            by,
            f"issue.criterion_{act}",
            self.issue,
            identifier=self.issue.identifier,
            criterionId=str(self.pk),
            type=self.type,
            title=self.title,
            **details,
        )
