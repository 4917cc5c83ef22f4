"""Doing the same thing at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections


def together(n: int, work: Callable[[int], Any]) -> list[Any]:
    """What work(0) ... work(n - 1) gave, started together in threads of their own.

    An exception is a result like any other. Needs a test with transaction=True.
    """
    barrier = threading.Barrier(n)

    def one(number: int) -> Any:
        try:
            barrier.wait(timeout=30)
            return work(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=n) as pool:
        return list(pool.map(one, range(n)))
