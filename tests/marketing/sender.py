"""A program that sends what was approved, for tests that start many or kill one.

    python -m tests.marketing.sender COMPANY BEGAN SCALE UNTIL

Its clock is AT and SCALE times what the machine's clock has gone on since BEGAN.
"""

from __future__ import annotations

import os
import random
import sys
import time
from datetime import timedelta

import django


def main(company: str, began: float, scale: float, until: float) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paperclip.settings")
    django.setup()
    from marketing.models import Mailbox, Message
    from marketing.outreach import mail, sending
    from paperclip.actors import SYSTEM
    from tests.marketing.mailworld import AT

    def clock():
        return AT + timedelta(seconds=(time.monotonic() - began) * scale)

    ready = Message.objects.filter(company=company, state__in=("approved", "deferred"))
    box = Mailbox.objects.get(company=company)
    with mail.Outbox(box, by=SYSTEM) as outbox:
        while (clock() - AT).total_seconds() < until:
            rows = list(ready.select_related("mailbox", "contact", "company")[:30])
            if not rows:
                break
            try:
                sending.send(random.choice(rows), outbox, clock=clock, by=SYSTEM)
            except (sending.Held, mail.Away):
                time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
