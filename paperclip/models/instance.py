from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from paperclip import audit, roles
from paperclip.exceptions import Conflict, NotAllowed
from paperclip.models.company import Company

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.actors import Actor

ONLY = 1


class InstanceQuerySet(models.QuerySet["Instance"]):
    def current(self) -> Instance:
        """The one row. Made when it is first asked for."""
        return self.get_or_create(pk=ONLY)[0]

    def stopped(self) -> Instance | None:
        """The one row while everything is stopped; None otherwise."""
        return self.filter(stopped_at__isnull=False).first()

    def is_stopped(self) -> bool:
        return self.filter(stopped_at__isnull=False).exists()

    def holds(self, company_id: UUID) -> bool:
        """Whether nothing of this company may go on: it is stopped, or everything."""
        active = Company.objects.filter(pk=company_id, status=Company.Status.ACTIVE)
        return self.is_stopped() or not active.exists()


class Instance(models.Model):
    """This installation: one row that no company owns."""

    id = models.PositiveSmallIntegerField(
        primary_key=True, default=ONLY, editable=False
    )
    # While it is set nothing starts, whatever company it is of.
    stopped_at = models.DateTimeField(null=True)
    stopped_by = models.CharField(max_length=150, blank=True)
    # When the sweep last went round: a gap is an outage.
    swept_at = models.DateTimeField(null=True)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("instance")
        constraints = [
            models.CheckConstraint(condition=Q(pk=ONLY), name="one_instance")
        ]

    def __str__(self) -> str:
        return "this instance"

    @transaction.atomic
    def stop(self, *, by: Actor) -> None:
        """No agent of any company starts a run until resume, also of one that is
        founded or resumed meanwhile. Stopped twice, it stays the first one's.

        Anybody who may write in some company may do it: NotAllowed for agents, for
        programs with a person's key in a run, and for people who only look on.
        """
        must_have_somewhere(by, "stop everything")
        running = Instance.objects.filter(pk=self.pk, stopped_at=None)
        if running.update(stopped_at=now(), stopped_by=by.name):
            self._record(by, "instance.stopped")
        self.refresh_from_db()

    @transaction.atomic
    def resume(self, *, by: Actor) -> None:
        """Companies that are not stopped themselves work again. For owners and admins
        of some company: NotAllowed for others, Conflict when nothing is stopped."""
        must_have_somewhere(by, "resume everything")
        stopped = Instance.objects.filter(pk=self.pk, stopped_at__isnull=False)
        if not stopped.update(stopped_at=None, stopped_by=""):
            raise Conflict("Nothing is stopped.")
        self._record(by, "instance.resumed")
        self.refresh_from_db()

    def _record(self, by: Actor, action: str) -> None:
        # Each company's log tells what was done to it.
        for company in Company.objects.all():
            audit.record(by, action, company)


def must_have_somewhere(by: Actor, act: str) -> None:
    """Refuse with 403 unless a person acts whose role in some company allows it, or
    the system."""
    if by.kind == "system":
        return
    if by.user is None or not by.is_person:
        raise NotAllowed(f"Only a person can {act}.")
    if not by.user.may_somewhere(act):
        *others, last = reversed(roles.allowed(act))
        named = ", ".join(others) + f" or {last}"
        raise NotAllowed(f"To {act}, ask somebody who is {named} of a company.")
