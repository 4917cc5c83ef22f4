"""The clock: Celery Beat and the worker of its queue, in one process.

    python -m paperclip.clock worker -Q clock ...

Beat alone would hold the whole program in memory a second time to send a message twice
a second.
"""

import logging
import os
import sys
import threading

import django
from celery.beat import Service

from paperclip.celery import app

log = logging.getLogger(__name__)
MAX_INTERVAL = 1  # seconds until an edited row of the schedule counts


def tick() -> None:
    """Beat, as long as the process lives. A clock that stands still is worth nothing:
    when beat fails the process ends, and the supervisor starts both again."""
    try:
        scheduler = app.conf.beat_scheduler
        Service(app, max_interval=MAX_INTERVAL, scheduler_cls=scheduler).start()
    except BaseException:
        log.exception("Beat failed.")
    finally:
        logging.shutdown()
        os._exit(1)


if __name__ == "__main__":
    django.setup()
    threading.Thread(target=tick, name="beat", daemon=True).start()
    app.worker_main(sys.argv[1:])
