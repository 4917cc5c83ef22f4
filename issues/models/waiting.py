"""What an issue waits for: its blockers and its children. Never in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db.models import Exists, OuterRef

from issues.models.base import CLOSED, IssueBase, Status
from issues.models.relation import Relation, RelationQuerySet
from issues.models.wakes import Wake
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Company

if TYPE_CHECKING:
    from collections.abc import Collection

    from paperclip.actors import Actor

BLOCKERS_DONE = "issue_blockers_resolved"
BLOCKER_CANCELLED = "issue_blocker_cancelled"
CHILDREN_DONE = "issue_children_completed"


class Waiting(IssueBase):
    class Meta:
        abstract = True

    def block_on(self, blockers: Collection[Self], *, by: Actor) -> None:
        """Wait for exactly these issues from now on; none lets it go.

        Invalid for one of another company, for itself, and, naming the circle, for one
        that waits for this one, also through parents.
        """
        self._lock_graph()
        wanted = {blocker.pk: blocker for blocker in blockers}
        edges = Relation.objects.filter(blocked_id=self.pk)
        had = set(edges.values_list("blocker_id", flat=True))
        edges.exclude(blocker__in=wanted).delete()
        for pk in wanted.keys() - had:
            blocker = wanted[pk]
            if blocker.company_id != self.company_id:
                raise Invalid("A blocker belongs to another company.")
            self.must_not_wait_in_circle(waits_for=blocker)
            Relation.objects.create(
                company_id=self.company_id, blocker_id=pk, blocked_id=self.pk
            )
        if had != set(wanted):
            audit.record(
                by,
                "issue.blockers_changed",
                self,
                identifier=self.identifier,
                blockedBy=sorted(b.identifier for b in wanted.values()),
            )

    def _lock_graph(self) -> None:
        # One change to the graph of a company at a time: edges that each look fine
        # could together close a circle. The weaker lock lets others insert rows that
        # point here.
        Company.objects.select_for_update(no_key=True).get(pk=self.company_id)

    def must_not_wait_in_circle(
        self, *, waits_for: Self | None = None, child_of: Self | None = None
    ) -> None:
        """Refuse an edge that closes a circle: a parent waits for its children, a
        blocked issue for its blockers."""
        self._lock_graph()
        start, end = (waits_for, self) if waits_for else (self, child_of)
        assert start is not None and end is not None  # noqa: S101 (for the type checker)
        if path := self._path(start.pk, end.pk):
            names = dict(
                type(self)
                ._default_manager.filter(pk__in=path)
                .values_list("pk", "identifier")
            )
            first = names.get(end.pk, end.identifier)
            circle = " → ".join([first, *(names.get(pk, "?") for pk in path)])
            raise Invalid(f"They would wait for each other: {circle}.", code="cycle")

    def _path(self, start: UUID, end: UUID) -> list[UUID]:
        """How `start` comes to wait for `end`; empty when it does not."""
        came_from: dict[UUID, UUID | None] = {start: None}
        edge = [start]
        while edge and end not in came_from:
            blockers = Relation.objects.filter(blocked__in=edge)
            children = type(self)._default_manager.filter(parent__in=edge)
            steps = [
                *blockers.values_list("blocked_id", "blocker_id"),
                *children.values_list("parent_id", "pk"),
            ]
            fresh = {to: source for source, to in steps if to not in came_from}
            came_from |= fresh
            edge = list(fresh)
        path: list[UUID] = []
        step: UUID | None = end if end in came_from else None
        while step is not None:
            path.append(step)
            step = came_from[step]
        return path[::-1]

    def freed_by_end(self) -> list[Wake]:
        """Whose work can go on now that this issue is closed, and who has to decide
        what it means that a blocker was cancelled."""
        # Of two that close at once, the later one sees the other's end.
        self._lock_graph()
        issues = (
            type(self)
            ._default_manager.exclude(status__in=[*CLOSED, Status.BACKLOG])
            .select_related("assignee_agent__company")
        )
        waits = Relation.objects.filter(blocker_id=self.pk).values("blocked")
        waiting, reason = issues.filter(pk__in=waits), BLOCKER_CANCELLED
        if self.status == Status.DONE:
            left = Relation.objects.unresolved().filter(blocked=OuterRef("pk"))
            waiting, reason = waiting.filter(~Exists(left)), BLOCKERS_DONE
        freed = [
            Wake(issue.assignee_agent, "automation", reason, issue) for issue in waiting
        ]
        above = type(self)._default_manager.filter(pk=self.pk).values("parent")
        children = type(self)._default_manager.filter(parent=OuterRef("pk"))
        freed += [
            Wake(parent.assignee_agent, "automation", CHILDREN_DONE, parent)
            for parent in issues.filter(
                ~Exists(children.exclude(status__in=CLOSED)), pk__in=above
            )
        ]
        return freed

    def _is_held_up(self) -> bool:
        return self._unresolved().exists()

    def _unresolved(self) -> RelationQuerySet:
        return Relation.objects.filter(blocked_id=self.pk).unresolved()

    def must_be_unblocked(self) -> None:
        """Invalid (422), naming them, while blockers are unfinished."""
        if left := self._unresolved().select_related("blocker"):
            names = ", ".join(edge.blocker.identifier for edge in left)
            raise Invalid(
                f"{self.identifier} waits for {names}.",
                code="unresolved_blockers",
                unresolvedBlockerIssueIds=[str(edge.blocker_id) for edge in left],
            )
