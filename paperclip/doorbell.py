"""Ringing a worker. The row says what is to be done; the message only says "look"."""

from typing import Any

from celery import current_app
from django.db import transaction
from redis import RedisError

from paperclip.live import valkey


def ring(task: str, *args: Any) -> None:
    """Send a task by name once the transaction is committed.

    A broker that is away costs time, not work: the sweep finds the row.
    """
    transaction.on_commit(lambda: current_app.send_task(task, args=args), robust=True)


def waiting(queue: str) -> int:
    """How many messages no worker has taken yet; 0 when the broker does not say."""
    try:
        return int(valkey().llen(queue))
    except RedisError:
        return 0
