"""How each credential is tried: as the jobs use it. Nothing is sent, changed or paid by
that, and each server has a few seconds."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.timezone import now

from marketing import deploying, indexnow, keys
from marketing.jobs.base import Blocked
from marketing.models import Mailbox, Site
from marketing.models.site import SECRETS
from marketing.outreach import dns, imap, mail, unsubscribing
from marketing.publishing import Remote
from marketing.ranking import bing, gsc, vendors
from marketing.ranking.base import Envelope, Provider
from marketing.web.addresses import host_of
from marketing.web.client import Web
from paperclip.actors import SYSTEM

PATIENCE = 10.0


class NotSet(Exception):
    """Nobody has said it; the text is the name of the setting."""


def browsing(site: Site, url: str) -> Web:
    return Web.of(site, {host_of(url)}, delay=0.0, seconds=PATIENCE)


# --- of the site --------------------------------------------------------------------


def git(site: Site) -> str:
    if not site.repo_url:
        raise NotSet("Repository")
    remote = Remote.of(site, by=SYSTEM)
    remote.seconds = PATIENCE
    if (head := remote.head()) is None:
        raise Blocked(f"The repository has no branch {site.repo_branch}.")
    # A public one is read without any token: only the first post shows the rest.
    return f"{site.repo_branch} can be read and is at {head[:10]}"


def hook(site: Site) -> str:
    if site.deploy_trigger == Site.Deploy.PUSH:
        return "not needed: the push deploys"
    url = keys.read(site, "deploy_hook", by=SYSTEM)
    if not url:
        raise NotSet(str(SECRETS["deploy_hook"]))
    where = urlsplit(url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise Blocked("It is no address: copy it anew from Vercel.")
    # Vercel's hooks deploy by GET as well.
    return f"kept, of {where.hostname}; not called, because that would deploy"


def vercel(site: Site) -> str:
    if not site.vercel_project:
        raise NotSet("Vercel project")
    token = deploying.token_of(site, by=SYSTEM)
    if not token:
        raise NotSet(str(SECRETS["vercel_token"]))
    rows = deploying.deployments(site, token, seconds=PATIENCE) or []
    last = f", the last is {rows[0].state}" if rows else ""
    return f"{len(rows)} deployments of {site.vercel_project} can be seen{last}"


def key_file(site: Site) -> str:
    if not site.indexnow_key:
        raise NotSet("IndexNow key")
    at = indexnow.key_address(site)
    with browsing(site, at) as web:
        indexnow.must_hold_the_key(site, web)
    return f"{at} holds the key"


def must_have(provider: type[Provider], site: Site) -> None:
    if missing := provider.missing(site):
        raise NotSet(missing)


def google(site: Site) -> str:
    must_have(gsc.SearchConsole, site)
    day = str((now() - timedelta(days=gsc.FINAL_AFTER)).astimezone(gsc.PACIFIC).date())
    envelope = Envelope("gsc", {"first": day, "last": day})
    hosts = gsc.SearchConsole.hosts(site)
    with Web.of(site, hosts, delay=0.0, seconds=PATIENCE) as web:
        token = gsc.token_of(site, web, by=SYSTEM)
        gsc.fetch(site, web, token, envelope, rowLimit=1)
    return f"the service account reads {site.gsc_property}"


def bing_key(site: Site) -> str:
    must_have(bing.BingWebmaster, site)
    key = keys.read(site, "bing_key", by=SYSTEM)
    with browsing(site, site.endpoint("bing")) as web:
        bing.fetch(site, web, key, Envelope("bing"))
    return f"Bing tells of {site.bing_site}"


def vendor(site: Site) -> str:
    kind = vendors.VENDORS.get(site.serp_vendor)
    if kind is None:
        raise NotSet("SERP vendor")
    must_have(kind, site)
    key = keys.read(site, "serp_key", by=SYSTEM)
    with browsing(site, site.endpoint(kind.name)) as web:
        kind.must_know(site, web, key)
    cents = site.serp_monthly_cents
    return f"{kind.title} knows the key; it may spend {cents} cents a month"


def public(site: Site) -> str:
    if not settings.PUBLIC_URL:
        raise NotSet("PAPERCLIP_PUBLIC_URL")
    if base := unsubscribing.public_base(site):
        return f"we are reached at {base}: mails have the one-click header"
    raise Blocked(
        "It is no https address that reaches this installation. Mails name the mail"
        " address alone until it does."
    )


# --- of a mailbox -------------------------------------------------------------------


def must_have_password(box: Mailbox) -> None:
    if keys.bound(box, keys.PASSWORD) is None:
        raise NotSet(f"Password of {box}")


def smtp(box: Mailbox) -> str:
    must_have_password(box)
    with mail.Outbox(box, by=SYSTEM, seconds=PATIENCE):
        return f"{box.smtp_host} lets {box} in"


def inbox(box: Mailbox) -> str:
    must_have_password(box)
    with imap.opened(box, by=SYSTEM, seconds=PATIENCE) as server:
        folder = imap.sent_folder(server)
    if folder is None and box.sent_copy == Mailbox.SentCopy.SERVER:
        raise Blocked(
            f"{box.imap_host} has no folder of what was sent: say in the mailbox that"
            " we put a copy there."
        )
    return f"{box.imap_host} lets {box} in; sent mail is in {folder or 'a new folder'}"


def records(box: Mailbox) -> str:
    if box.company.rehearsal and box.smtp_host in mail.LOOPBACK:
        return "not needed: its mail stays on this machine"
    dns.must_be_believed(box)
    return f"mail from {box.domain} is believed (SPF, DKIM, DMARC)"


def no_box(site: Site) -> str:
    raise NotSet("Mailbox")
