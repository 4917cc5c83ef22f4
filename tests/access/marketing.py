"""A row of each kind that the marketing of a company keeps."""

from __future__ import annotations

from typing import Any

from django.utils.timezone import now

from agents.models import Agent
from marketing.models import (
    Competitor,
    Contact,
    CountryPolicy,
    Directory,
    JobRun,
    JobSchedule,
    Keyword,
    KeywordGap,
    Mailbox,
    Message,
    Post,
    Site,
    Suppression,
    Template,
)
from paperclip.models import Company
from tests import make


def site(company: Company, agent: Agent) -> JobRun:
    """A site whose jobs this agent does: a run of one that ended."""
    Site.objects.create(
        company=company, name="Us", base_url="https://us.example/", agent=agent
    )
    JobSchedule.objects.seed(company.sites.get())
    return JobRun.objects.create(
        company=company,
        job="spy",
        status="ok",
        tick_at=now(),
        finished_at=now(),
        issue=make.issue(company),
    )


def outside(company: Company) -> dict[str, Any]:
    of: dict[str, Any] = {"company": company}
    rival = Competitor.objects.create(**of, name="Rival", base_url="https://r.example/")
    box = Mailbox.objects.create(
        **of, name="Us", address="us@us.example", smtp_host="x", imap_host="x"
    )
    contact = Contact.objects.create(
        **of, outlet="Press", category="eu", email="a@press.example"
    )
    mail = Message.objects.create(
        **of,
        mailbox=box,
        contact=contact,
        identity="a@press.example",
        domain="press.example",
        job="pr",
        to="a@press.example",
        message_id=f"{company.pk}@us.example",
        unsubscribe_token=company.pk.hex,
        subject="A pitch",
        body="Hello",
    )
    return {
        "rival": rival,
        "mailbox": box,
        "contact": contact,
        "mail": mail,
        "gap": KeywordGap.objects.create(
            **of,
            term="term",
            stem_key="term",
            score=1,
            kind="missing",
            priority="low",
            first_seen_at=now(),
            last_seen_at=now(),
        ),
        "post": Post.objects.create(**of, keyword="word", slug="word"),
        "keyword": Keyword.objects.create(**of, text="word", stem_key="word"),
        "directory": Directory.objects.create(**of, name="D", url="https://d.example/"),
        "template": Template.objects.create(
            **of, category="eu", subject="S", body="{pitch}"
        ),
        "policy_of_country": CountryPolicy.objects.create(
            **of, country="PT", rule="ask"
        ),
        "suppression": Suppression.objects.create(
            **of, value="b@press.example", reason="manual"
        ),
    }
