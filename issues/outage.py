"""After an outage nobody is blamed for it, and what was missed does not start in one
burst."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from agents import timers
from agents.models import Run
from paperclip.models import Instance

log = logging.getLogger(__name__)

# When nobody has swept for so long, something was down.
OUTAGE = timedelta(seconds=30)


@transaction.atomic
def notice(at: datetime) -> bool:
    """Write down that the sweep looks now. When it has not for a while, the timers that
    rang meanwhile are spread over a window, and supervisors that outlived the outage
    get their lease once more, so that what they have done is not lost (T-04d)."""
    instance = Instance.objects.current()
    last = instance.swept_at
    Instance.objects.filter(pk=instance.pk).update(swept_at=at)
    if last is None or at - last < OUTAGE:
        return False
    log.warning("nobody has swept since %s: what was missed is spread", last)
    held = Run.objects.expired().filter(lease_expires_at__gt=last)
    held.update(lease_expires_at=at + timedelta(seconds=settings.LEASE_SECONDS))
    timers.spread(at)
    return True
