from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, Attempt
from agents.models.base import NO_PROGRESS
from issues.models.base import CLOSED, JOB, IssueBase, Priority, Status
from issues.models.comment import Comment
from issues.models.criterion import Criterion
from issues.models.goal import Goal
from issues.models.relation import Relation
from issues.models.status import StatusMachine
from issues.models.wakes import Wake, send_wakes
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Company, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor

TWIN_WINDOW = timedelta(hours=48)


class IssueQuerySet(ScopedQuerySet):
    def get_for(self, actor: Actor, pk: Any) -> Issue:
        """One visible issue, by its UUID or its identifier (`DIG-1`)."""
        if "-" in str(pk) and str(pk).rpartition("-")[2].isdigit():
            named = self.visible_to(actor).filter(identifier=str(pk).upper())
            pk = named.values_list("pk", flat=True).first() or pk
        issue: Issue = super().get_for(actor, pk)
        return issue

    def open(self) -> Self:
        return self.exclude(status__in=CLOSED)

    def shown(self) -> Self:
        return self.filter(hidden_at=None)

    def inbox_of(self, agent: Agent) -> Self:
        """What the agent may be working on, the most urgent first."""
        mine = self.shown().exclude(origin_kind=JOB)
        mine = mine.filter(
            assignee_agent=agent,
            status__in=["todo", "in_progress", "in_review", "blocked"],
        )
        return mine.order_by("priority", "number")

    def workable(self) -> Self:
        """What its assignee could go on with by itself, now: open and its turn, waiting
        for no other issue and no part of itself, and not parked."""
        under_review = Q(status=Status.IN_REVIEW, executor_agent__isnull=False)
        parts = Issue.objects.open().exclude(status=Status.BACKLOG)
        parked = Attempt.objects.parked().filter(issue_id=OuterRef("pk"))
        theirs = Q(agent=OuterRef("assignee_agent")) | Q(cause=NO_PROGRESS)
        return self.shown().filter(
            under_review | Q(status__in=[Status.TODO, Status.IN_PROGRESS]),
            ~Exists(Relation.objects.unresolved().filter(blocked=OuterRef("pk"))),
            ~Exists(parts.filter(parent=OuterRef("pk"))),
            ~Exists(parked.filter(theirs)),
            Q(project=None) | Q(project__paused_at=None),
            ~Q(origin_kind=JOB),
        )

    def matching(self, text: str) -> Self:
        """Those with the text in their title, description or identifier."""
        return self.filter(
            Q(title__icontains=text)
            | Q(description__icontains=text)
            | Q(identifier__istartswith=text)
        )

    def twin_of(self, company: Company, title: str) -> Issue | None:
        """An open issue of that title, filed in the last 48 hours."""
        recent = self.open().filter(company=company, created_at__gt=now() - TWIN_WINDOW)
        return recent.filter(title__iexact=title.strip()).order_by("number").first()

    @transaction.atomic
    def file(self, company: Company, *, by: Actor, title: str, **fields: Any) -> Issue:
        """A new issue with the next number of the company; its assignee is woken
        unless it is parked in the backlog or blocked by what is not done. Refuses what
        Issue.change refuses."""
        by.must_write(company.pk, "file issues")
        issue = Issue(company=company, title=title.strip())
        issue.name_creator(by)
        issue.origin_run_id = by.run_id
        blockers = fields.pop("blocked_by", [])
        labels = fields.pop("labels", [])
        criteria = fields.pop("criteria", [])
        status = fields.pop("status", Status.BACKLOG)
        issue._check_links(fields, by=by)
        issue._set_assignee(fields, by=by)
        issue._keep_policy(fields, by=by)
        for name, value in fields.items():
            setattr(issue, name, value)
        issue._inherit()
        issue._must_not_be_endless(by)
        issue.number = company.next_issue_number()
        issue.identifier = f"{company.issue_prefix}-{issue.number}"
        issue.save(force_insert=True)
        if blockers:
            issue.block_on(blockers, by=by)
        issue.labels.set(labels)
        for one in criteria:
            Criterion.objects.add(issue, by=by, **one)
        if status != issue.status:
            issue._enter(status, by=by, force=True)
            issue.save()
        audit.record(
            by, "issue.created", issue, identifier=issue.identifier, title=issue.title
        )
        if status != Status.BACKLOG and not issue._is_held_up():
            told = Wake(issue.assignee_agent, "assignment", "issue_assigned", issue)
            send_wakes([told], by=by)
        return issue


class Issue(StatusMachine):
    """A piece of work: what is to be done, who does it, who holds it now."""

    Status = Status
    Priority = Priority

    objects = IssueQuerySet.as_manager()

    class Meta:
        verbose_name = _("issue")
        ordering = ["priority", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "number"], name="one_issue_per_number"
            ),
            models.CheckConstraint(
                condition=Q(assignee_agent=None) | Q(assignee_user=None),
                name="at_most_one_assignee",
            ),
            models.CheckConstraint(
                condition=Q(checkout_run=None) | Q(status="in_progress"),
                name="only_work_in_progress_is_held",
            ),
        ]
        indexes = [
            models.Index(
                fields=["company", "priority", "number"], name="issues_of_company"
            ),
            models.Index(
                fields=["assignee_agent", "status", "priority"], name="issues_of_agent"
            ),
            models.Index(fields=["company", "status"], name="issues_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.identifier} {self.title}"

    @transaction.atomic
    def file_child(self, *, by: Actor, holds_up: bool = False, **fields: Any) -> Issue:
        """A new part of this issue. With `holds_up` this one waits until it is done."""
        # This row before the company's, as in every change.
        Issue.objects.select_for_update(no_key=True).get(pk=self.pk)
        child = Issue.objects.file(self.company, by=by, **{**fields, "parent": self})
        if holds_up:
            edges = Relation.objects.filter(blocked=self).select_related("blocker")
            self.change(by=by, blocked_by=[*(edge.blocker for edge in edges), child])
        return child

    def ancestors(self) -> list[IssueBase]:
        """Its parent, that one's parent, and so on."""
        chain: list[IssueBase] = []
        above = self.parent
        while above is not None:
            chain.append(above)
            above = above.parent
        return chain

    def _inherit(self) -> None:
        """What an issue takes from its parent, its project or its company."""
        if self.parent:
            self.request_depth = self.request_depth or self.parent.request_depth + 1
            self.project = self.project or self.parent.project
            self.goal = self.goal or self.parent.goal
        if self.goal is None:
            project_goal = self.project.goal if self.project else None
            self.goal = project_goal or Goal.objects.default_of(self.company)

    def _must_not_be_endless(self, by: Actor) -> None:
        """Count from how far the run that files it came; Invalid when agents only hand
        work on, each time as a new issue."""
        if by.run is None or by.run.issue_id is None:
            return
        at_work_on = Issue.objects.filter(pk=by.run.issue_id)
        depth = at_work_on.values_list("request_depth", flat=True).first() or 0
        self.request_depth = max(self.request_depth, depth + 1)
        if self.request_depth > settings.LONGEST_CHAIN:
            raise Invalid(
                f"{settings.LONGEST_CHAIN} issues in a row were filed from one"
                " another. Do the work here, or ask a person.",
                code="endless_chain",
            )

    @transaction.atomic
    def comment(
        self,
        body: str,
        *,
        by: Actor,
        reopen: bool = False,
        interrupt: bool = False,
    ) -> Comment:
        """Say something in the thread. The assignee and everyone mentioned are woken,
        never the author. `reopen` puts a closed issue back to do; `interrupt` (people
        only) ends the run that works on it first. BadRequest for an empty body."""
        by.must_write(self.company_id, "comment")
        if interrupt:
            self.interrupt(by=by)
        woken = [Wake(self.assignee_agent, "automation", "issue_commented", self)]
        if reopen and self.is_closed:
            self.change(by=by, status=Status.TODO)
            woken = []  # the reopening has woken it
        elif self.is_closed:
            woken = []
        said = self._post(body, by=by)
        send_wakes(self.mentions(said) + woken, by=by, said=said)
        return said
