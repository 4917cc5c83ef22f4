"""The limit and the once: many processes at the same mails, and processes that are
killed, on a real database and a real mail server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.conf import settings

from marketing.models import Contact, MailEvent, Message
from marketing.outreach import sending, sent
from paperclip.actors import SYSTEM
from paperclip.home import BASE_DIR
from tests.long import long
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import AT
from tests.workers import database_url, eventually

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES, SCALE = 4, 480.0


def sender(company: Any, began: float, scale: float, until: float) -> Any:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.marketing.sender", str(company.pk)),
            *map(str, (began, scale, until)),
        ],
        cwd=BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": database_url(), "REDIS_URL": settings.REDIS_URL}
        | {"PAPERCLIP_HOME": str(settings.HOME)},
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("hours", [2, long(4)])
def test_never_more_than_twenty_in_any_hour_and_nobody_twice(hours: int) -> None:
    site = scene.site()
    with mailworld.scripted() as (script, port):
        box = mailworld.mailbox(site, port, per_day=500)
        for n in range(100):
            one = mailworld.contact(site, n, email=f"e.v.a{n}@paper{n}.example")
            mailworld.message(box, one)
            # The same person again: by another job, and under another address.
            mailworld.message(box, one, job="backlinks")
            if n % 10 == 0:
                alias = mailworld.contact(site, 200 + n)
                alias.is_same_as(one, by=SYSTEM)
                mailworld.message(box, alias)
        began = time.monotonic() + 4
        until = hours * 3600.0
        senders = [sender(site.company, began, SCALE, until) for _ in range(PROCESSES)]
        for one in senders:
            _out, said = one.communicate(timeout=120)
            assert one.returncode == 0, said.decode()[-2000:]
        letters = script.letters
    rows = MailEvent.objects.filter(kind="attempt").order_by("at")
    times = list(rows.values_list("at", flat=True))
    # It is a limit, and no standstill, however slow the machine.
    assert hours * 10 <= len(times) <= hours * 20 + 20
    for first, after in zip(times, times[20:], strict=False):
        assert after - first >= timedelta(hours=1)
    assert all(a < b for a, b in pairwise(times))
    assert len(letters) == len(times) == Message.objects.filter(tries=1).count()
    accepted = Message.objects.filter(state="accepted").select_related("contact")
    people = [one.contact.alias_of_id or one.contact_id for one in accepted]
    assert len(people) == len(set(people)) == len(letters)
    addresses = [one.to for one in accepted]
    assert len(addresses) == len(set(addresses))
    assert Contact.objects.count() > len(people)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_before_or_after_the_text_it_is_sent_at_most_once(moment: str) -> None:
    """Before: the server has not asked for the text yet. After: it has it, and nobody
    hears its answer."""
    site, children = scene.site(), []

    def die() -> str:
        children[0].kill()
        children[0].wait()
        return "250 2.0.0 taken"

    with mailworld.scripted() as (script, port), mailworld.post() as post:
        if moment == "after":
            script.to_data = [die]
        else:
            script.before_data = die
        box = mailworld.mailbox(site, port, post.imap)
        one = mailworld.message(box, mailworld.contact(site))
        began = time.monotonic()
        children.append(sender(site.company, began, 1.0, 60))
        assert children[0].wait(60) == -9
        taken = 1 if moment == "after" else 0
        eventually(lambda: len(script.letters) == taken)
        one.refresh_from_db()
        assert (one.state, one.tries) == ("sending", 1)

        # Another finds it like that, and keeps off.
        other = sender(site.company, began, 1.0, 60)
        assert other.wait(60) == 0
        if taken:
            post.put("Sent", script.letters[0])
        work = scene.work(site, "pr", clock=lambda: AT + timedelta(minutes=30))
        for _again in range(2):
            sent.reconcile(work, box)
        one.refresh_from_db()
        assert one.state == ("accepted" if taken else "unknown")
        with pytest.raises(sending.Held):
            sending.reserve(one, work.clock)
        other = sender(site.company, began, 1.0, 60)
        assert other.wait(60) == 0
        assert len(script.letters) == taken
        assert bool(work.job_run.waiting) is not bool(taken)


def test_killed_between_the_place_and_the_server_it_is_sent_later() -> None:
    """What was only reserved has surely not been sent; the place stays taken."""
    site = scene.site()
    with mailworld.scripted() as (script, port), mailworld.post() as post:
        box = mailworld.mailbox(site, port, post.imap)
        one = mailworld.message(box, mailworld.contact(site))
        sending.reserve(one, lambda: AT - timedelta(minutes=20))
        sent.reconcile(scene.work(site, "pr", clock=lambda: AT), box)
        one.refresh_from_db()
        assert one.state == "approved"
        other = sender(site.company, time.monotonic(), 1.0, 60)
        assert other.wait(60) == 0
        one.refresh_from_db()
        assert (one.state, one.tries, len(script.letters)) == ("accepted", 2, 1)
    assert MailEvent.objects.filter(kind="attempt").count() == 2
