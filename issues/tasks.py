"""Doorbells: each task looks at the database and calls one verb."""

from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils.timezone import now

from agents import retention
from issues import checking, mailing, remotes, routines
from issues import heartbeat as heart
from issues import sweep as broom
from paperclip import checkpoints, verification
from paperclip.backups import nightly


@shared_task
def heartbeat(run_id: str) -> None:
    # The id is for who reads the queue: whose turn it is says the database.
    heart.beat_on()


@shared_task
def sweep() -> None:
    broom.sweep()


@shared_task
def wake_waiting() -> None:
    broom.wake_waiting()


@shared_task
def reap() -> None:
    broom.aside(broom.reap)


@shared_task
def push_branches() -> None:
    remotes.push_waiting()


@shared_task
def check_claims() -> None:
    checking.check_on()


@shared_task
def fire_routines() -> None:
    routines.fire_due(now())


@shared_task
def mail_waiting() -> None:
    mailing.mail_waiting(now())


@shared_task
def retain() -> None:
    retention.retain(until=heart.leaving.is_set)
    checking.clear_up()


@shared_task
def back_up() -> None:
    nightly.run()


@shared_task
def sign_acts() -> None:
    checkpoints.sign_all()


@shared_task
def verify_acts() -> None:
    broom.aside(verification.verify_all)


@worker_shutting_down.connect
def leave(**kwargs: Any) -> None:
    heart.leaving.set()
