"""Everybody at once: the red button over all companies, and what undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.timezone import now

from agents import timers
from agents.models import Run
from agents.models.base import STOPPED
from paperclip.actors import SYSTEM
from paperclip.models import Instance

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company


def stop_everything(*, by: Actor) -> Instance:
    """Nothing of any company runs until `resume_everything`: what runs ends within
    seconds, what waits is cancelled. Safe to do again.

    NotAllowed for those who may not (see Instance.stop).
    """
    # Not one transaction: once this is committed no claim can slip past.
    instance = Instance.objects.current()
    instance.stop(by=by)
    carry_through()
    return instance


def carry_through(most: int | None = None) -> None:
    """Cancel what is still open while everything is stopped, at most so many runs: a
    stop that was broken off is a stop all the same."""
    instance = Instance.objects.stopped()
    if instance is None:
        return
    found = Run.objects.open().order_by("-status", "created_at")
    runs = Run.objects.filter(pk__in=list(found.values_list("pk", flat=True)[:most]))
    # In the system's name: they are runs of companies the person may not even see.
    runs.cancel(by=SYSTEM, why=f"{instance.stopped_by} stopped everything.")


@transaction.atomic
def resume_everything(*, by: Actor) -> Instance:
    """Let agents start again. Only what comes from now on starts anything; companies
    that were stopped by themselves stay so.

    NotAllowed for those who may not, Conflict when nothing is stopped.
    """
    instance = Instance.objects.current()
    instance.resume(by=by)
    # What was queued the very moment it was stopped.
    late = Run.objects.filter(status=Run.Status.QUEUED)
    late.cancel(by=SYSTEM, why="It was queued while everything was being stopped.")
    timers.spread(now())
    return instance


def archive_company(company: Company, *, by: Actor) -> None:
    """As Company.archive; what runs ends."""
    # Not one transaction, as for every stop.
    company.archive(by=by)
    runs = Run.objects.open().filter(company=company)
    runs.cancel(by=by, why=f"{by} archived the company.")


@transaction.atomic
def resume_company(company: Company, *, by: Actor) -> None:
    """As Company.resume; its timers that rang meanwhile are spread, and what was queued
    the very moment it was stopped is cancelled."""
    late = Run.objects.filter(company=company, status=Run.Status.QUEUED)
    if company.pause_reason == STOPPED:
        late.cancel_queued(by=SYSTEM, why="It was queued while it was being stopped.")
    company.resume(by=by)
    timers.spread(now(), company.pk)
