"""What a company that rehearses begins its marketing with. Everything is in rows and
files of its own: the real company that follows has none of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.timezone import now

from agents.models import Secret
from issues.models import Goal
from marketing import keys
from marketing.models import (
    Brief,
    Contact,
    CountryPolicy,
    Directory,
    JobName,
    JobSchedule,
    Keyword,
    KeywordCluster,
    Mailbox,
    Prospect,
    Site,
    Template,
)
from marketing.models.keyword import WEEK
from marketing.rehearsal import keypair, story
from marketing.rehearsal.plan import MAIL_USER, RIVALS, Plan
from marketing.rehearsal.services import PLACES
from marketing.rehearsal.site import make_repository
from marketing.rehearsal.web import HOST
from marketing.rehearsal.world import PROJECT
from paperclip import audit, home

if TYPE_CHECKING:
    from marketing.rehearsal.story import Outlet
    from paperclip.actors import Actor
    from paperclip.models import Company

# The order in which the jobs run for the first time: what is published and read first
# is there for those that come later. The first begins so soon, and then one by one.
ORDER = (
    *(JobName.BLOG, JobName.SPY, JobName.RANKS),
    *(JobName.CONTENT, JobName.PR, JobName.BACKLINKS),
)
SOON, APART = timedelta(seconds=30), timedelta(seconds=8)
# A rehearsal's mail and posts leave this machine never, so most go without a look; of
# the others a person sees how an approval is.
WHY = "Rehearsal: its mail goes to this machine alone."
UNASKED = ("pt_tech", "eu", "ai")


@transaction.atomic
def found(company: Company, *, by: Actor) -> Site:
    """The site and all that its six jobs need, on this machine; they run by themselves
    in a moment. For a company that rehearses, once."""
    assert company.rehearsal  # noqa: S101 (nothing of it may get among real rows)
    pair = keypair.made()
    plan = Plan.made(pair.public)
    place = home.directory("worlds", str(company.pk))
    repository = make_repository(place, plan)
    site = Site.objects.set_up(
        company,
        by=by,
        keywords=story.KEYWORDS,
        rivals=[
            {"name": name.capitalize(), "base_url": plan.url(name)} for name in RIVALS
        ],
        **fields_of(company, plan, repository),
    )
    site.endpoints = {name: plan.url("services", path) for name, path in PLACES.items()}
    site.save(update_fields=["endpoints", "updated_at"])
    keep_keys(site, plan, pair.credentials, by=by)
    keep_mailbox(site, plan, by=by)
    write_to(site, plan)
    be_listed(site, plan)
    want_first(site, by=by)
    if site.agent is not None:
        # Its jobs do not wait for the story, nor the story for them.
        site.agent.change(by=by, max_concurrent_runs=2)
    ring_soon(company, now())
    audit.record(by, "site.set_up", site, rehearsal=True)
    # Last: from now on the world is served.
    plan.write(place)
    return site


def fields_of(company: Company, plan: Plan, repository: Path) -> dict[str, Any]:
    return {
        "name": story.SITE_NAME,
        "base_url": plan.url("site"),
        "languages": ["en"],
        "countries": ["PT", "IE"],
        "tone": "plain, friendly and exact",
        "topics": list(story.TOPICS),
        "facts": list(story.FACTS_OF_US),
        "brands": [story.SITE_NAME],
        "author": "Ana Silva",
        "sitemap_url": plan.url("site", "/sitemap.xml"),
        "indexnow_key": plan.indexnow_key,
        "repo_url": f"file://{repository}",
        "vercel_project": PROJECT,
        # One goes out at once; a second one waits for a person.
        "max_posts_per_day": 2,
        "gsc_property": "sc-domain:digiton.example",
        "bing_site": "https://digiton.example/",
        "serp_vendor": "serper",
        "serp_monthly_cents": 100,
        "goal": Goal.objects.filter(company=company).first(),
    }


def keep_keys(site: Site, plan: Plan, credentials: str, *, by: Actor) -> None:
    values = {
        "vercel_token": plan.vercel_token,
        "gsc_credentials": credentials,
        "bing_key": plan.bing_key,
        "serp_key": plan.serp_key,
    }
    for path, value in values.items():
        keep(site, path, f"REHEARSAL_{path.upper()}", value, by=by)


def keep(owner: Site | Mailbox, path: str, name: str, value: str, *, by: Actor) -> None:
    secret = Secret.objects.keep(owner.company, by=by, name=name, value=value)
    keys.bind(owner, path, secret, by=by)


def keep_mailbox(site: Site, plan: Plan, *, by: Actor) -> None:
    box = Mailbox.objects.create(
        company=site.company,
        name="Ana Silva",
        address=MAIL_USER,
        user=MAIL_USER,
        smtp_host=HOST,
        smtp_port=plan.ports["smtp"],
        smtp_security=Mailbox.Security.NONE,
        imap_host=HOST,
        imap_port=plan.ports["imap"],
        imap_security=Mailbox.Security.NONE,
        sent_copy=Mailbox.SentCopy.APPEND,
        postal_address="Rua do Ensaio 1\n1200-001 Lisboa",
    )
    keep(box, keys.PASSWORD, "REHEARSAL_MAIL_PASSWORD", plan.mail_password, by=by)


def write_to(site: Site, plan: Plan) -> None:
    """Whom the jobs may write to, and to whom without a look at each mail."""
    mine = {"company": site.company_id}
    for one in story.OUTLETS:
        contact_of(site, one, plan.url("press", f"/papers/{one.slug}/"))
    named = {one.country for one in (*story.OUTLETS, story.LINKER)}
    rules = CountryPolicy.objects.filter(**mine, country__in=named)
    rules.update(rule=CountryPolicy.Rule.ALLOW, why=WHY)
    unasked = Template.objects.filter(**mine, category__in=UNASKED)
    unasked.update(auto_approve=True)


def contact_of(site: Site, one: Outlet, at: str) -> Contact:
    row: Contact = Contact.objects.create(
        company=site.company,
        name=one.editor,
        email=one.email,
        outlet=one.name,
        outlet_url=at,
        feed_url=f"{at}feed.xml" if one.category != "link" else "",
        category=one.category,
        country=one.country,
        language=one.language,
        source_url=at,
        lawful_basis=WHY,
        is_on=True,
    )
    return row


def be_listed(site: Site, plan: Plan) -> None:
    """Directories of this world in place of the real ones, and a page that could link
    to us."""
    Directory.objects.filter(company=site.company_id).delete()
    for one in story.REGISTERS:
        at = plan.url("press", f"/directories/{one.slug}/")
        Directory.objects.create(
            company=site.company,
            name=one.name,
            url=at,
            terms_url=f"{at}terms",
            categories=["Marketing"],
            fit=one.fit,
            profile_url=f"{at}digiton" if one.listed else "",
        )
    at = plan.url("press", f"/lists/{story.LINKER.slug}")
    Prospect.objects.create(
        company=site.company,
        url=at,
        title=story.LINKER.title,
        kind=Prospect.Kind.RESOURCE,
        contact=contact_of(site, story.LINKER, at),
    )


def want_first(site: Site, *, by: Actor) -> None:
    """The first post: its group may go out without a person, all others may not."""
    company = site.company
    cluster = KeywordCluster.objects.create(
        company=company, name=story.FIRST, auto_approve=True
    )
    keyword, _made = Keyword.objects.enter(company, story.FIRST, by=by, language="en")
    Keyword.objects.filter(pk=keyword.pk).update(cluster=cluster)
    Brief.objects.create(
        company=company,
        cluster=cluster,
        week=f"{now():{WEEK}}",
        state=Brief.State.APPROVED,
        primary=story.FIRST,
        facts=list(site.facts),
        why="Rehearsal: the founder wants this one first.",
    )


def ring_soon(company: Company, at: datetime) -> None:
    """Let the clock believe that each job ran almost its whole interval ago: so it
    runs for the first time in a moment, and as often as it says from then on."""
    rows = {
        one.job: one
        for one in JobSchedule.objects.filter(company=company).select_related("task")
    }
    for number, job in enumerate(ORDER):
        one = rows[job]
        one.task.last_run_at = at - one.every + SOON + number * APART
        one.task.save()
