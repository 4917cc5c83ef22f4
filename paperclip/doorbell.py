"""Ringing a worker. The row says what is to be done; the message only says "look"."""

import logging
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError
from redis import RedisError

from paperclip.celery import app
from paperclip.live import valkey

log = logging.getLogger(__name__)


def ring(task: str, *args: Any) -> None:
    """Send a task by name once the transaction is committed."""
    transaction.on_commit(lambda: _send(task, args), robust=True)


def _send(task: str, args: tuple[Any, ...]) -> None:
    try:
        app.send_task(task, args=args)
    except (OperationalError, RedisError) as error:
        # It costs time, not work: the sweep finds the row.
        log.warning("The broker does not answer (%s): the sweep will start it.", error)


def waiting(queue: str) -> int:
    """How many messages no worker has taken yet; 0 when the broker does not say."""
    try:
        return int(valkey().llen(queue))
    except RedisError:
        return 0
