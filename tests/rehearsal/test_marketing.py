"""The six jobs of a company that rehearses, by production code, in the rehearsal's own
world: each has evidence that it really did what it says, and only while there is some
to be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import imapclient
import pytest
from django.utils.timezone import now

from agents.models import Approval, Run
from marketing import conduct, report, verification
from marketing.jobs import job_class
from marketing.models import (
    Brief,
    IndexNowSubmission,
    JobRun,
    Message,
    PageSnapshot,
    Post,
    Site,
    SubmissionPacket,
)
from marketing.publishing import worlds
from marketing.rehearsal import founding
from marketing.rehearsal.world import World
from marketing.web.client import Unreachable, Web
from marketing.writer import Writer
from paperclip import browsers
from tests import make
from tests.instance import wait_for
from tests.marketing import scene
from tests.marketing.deploys import commits
from tests.rehearsal.server import provider

# The checkers let go of their connection now and then.
pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Played:
    """A company that rehearses, with its world and what its jobs did."""

    site: Any
    world: World
    writer: Writer
    runs: dict[str, JobRun] = field(default_factory=dict)

    @classmethod
    def found(cls, address: str) -> Played:
        company = make.company(rehearsal=True)
        make.agent(company, name="CMO", role="cmo")
        site = founding.found(company, by=make.by(make.owner_of(company)))
        return cls(site, World(worlds(site)), Writer(address, "t"))

    def mail_answers(self) -> bool:
        with suppress(OSError, imapclient.exceptions.IMAPClientError):
            port = self.world.plan.ports["imap"]
            imapclient.IMAPClient("127.0.0.1", port, ssl=False, timeout=5).logout()
            return True
        return False

    def work(self, job: str) -> Any:
        self.site.refresh_from_db()
        # The heartbeat of the last one is over: here nobody else ends it.
        Run.objects.filter(company=self.site.company, status="running").update(
            status="succeeded"
        )
        return scene.work(self.site, job, writer=self.writer)

    def run(self, job: str) -> JobRun:
        row = conduct.conduct(self.work(job))
        row.refresh_from_db()
        row.issue.refresh_from_db()
        self.runs[job] = row
        return row

    def claims(self, job: str) -> list[str]:
        return [one.state for one in report.claims_of(self.runs[job].issue)]

    def counts(self) -> dict[str, int]:
        """What has an effect outside, or is seen there."""
        mine = {"company": self.site.company}
        sent = Message.objects.filter(**mine, state="accepted")
        return {
            "commits": len(commits(worlds(self.site) / "site.git")),
            "live": Post.objects.filter(**mine).live().count(),
            "mails": sent.count(),
            "mails in all": Message.objects.filter(**mine).count(),
            "told": IndexNowSubmission.objects.filter(**mine, state="accepted").count(),
            "packets": SubmissionPacket.objects.filter(**mine).count(),
            "snapshots": PageSnapshot.objects.filter(**mine).count(),
        }


@pytest.fixture
def played() -> Iterator[Played]:
    with provider() as address:
        one = Played.found(address.removesuffix("/v1"))
        one.world.start()
        try:
            wait_for(one.mail_answers, 30, str)
            yield one
        finally:
            one.world.stop()


def test_six_jobs_have_verified_evidence_and_change_nothing_the_second_time(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine without a browser: quicker, and tests/marketing has the other way.
    monkeypatch.setattr(browsers, "find", lambda: "")
    for job in founding.ORDER:
        row = played.run(job)
        # Two of the six rivals are there to be in the way.
        assert row.status == ("partial" if job == "spy" else "ok"), (job, row.note)
        claims = played.claims(job)
        assert claims and set(claims) == {"verified"}, (job, row.lines, row.note)
    done = played.counts()
    assert done == {
        "commits": 2,
        "live": 1,
        "mails": 6,
        "mails in all": 8,
        "told": 4,
        "packets": 1,
        "snapshots": 15,
    }
    waits = Approval.objects.filter(company=played.site.company, status="pending")
    kinds = sorted(waits.values_list("type", flat=True))
    assert kinds == ["request_board_approval", "send", "send"]
    for job in founding.ORDER:
        # A second post would be begun now, and wait for a person.
        Brief.objects.filter(company=played.site.company).update(state="dropped")
        played.run(job)
    assert played.counts() == done


def test_what_cannot_be_seen_is_unverified_until_it_can(played: Played) -> None:
    """The jobs do their work; then a server is away when the checker looks."""
    for job, part in (("blog", "site"), ("content", "site"), ("pr", "mail")):
        work = played.work(job)
        job_class(job)().run(work)
        played.runs[job] = work.job_run
        played.world.stop(part)
        verification.verify_run(work)
        assert set(played.claims(job)) == {"unverified"}, job
        assert work.job_run.finish("ok", by=work.by)
        report.close_issue(work)
        assert work.job_run.issue.status == "in_review"
        played.world.start(part)
    wait_for(played.mail_answers, 30, str)
    for job in ("blog", "content"):
        verification.verify_open(played.site.company.pk, job, now())
        assert set(played.claims(job)) == {"verified"}, job
    # The mail server has forgotten what was sent: nobody can say any more.
    verification.verify_open(played.site.company.pk, "pr", now())
    assert set(played.claims("pr")) == {"unverified"}


def test_the_real_company_has_none_of_it(played: Played) -> None:
    company = make.company()
    with pytest.raises(AssertionError):
        founding.found(company, by=make.by(make.owner_of(company)))
    assert not Site.objects.filter(company=company).exists()


def test_a_rehearsal_never_leaves_this_machine(played: Played) -> None:
    with (
        Web.of(played.site) as web,
        pytest.raises(Unreachable, match="this company rehearses"),
    ):
        web.get("http://192.0.2.1/")
