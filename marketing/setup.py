"""Setting a site up: what it says of itself, proposed for a person to confirm, and what
they confirmed, checked and put in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agents.models import Agent
from marketing import profile, starters
from marketing.crawl import discovery
from marketing.crawl.sight import Sight
from marketing.models import Competitor, JobSchedule, Keyword, Site
from marketing.web.addresses import host_of, joined, normal, with_www
from marketing.web.client import LOCAL_DELAY, Page, Unreachable, Web
from marketing.web.document import Document
from marketing.web.robots import Robots
from marketing.web.sitemap import Sitemap, read_sitemap
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company

# Between two requests to the operator's own site, and the pages that are read of it.
DELAY, MOST_PAGES = 0.5, 12
TELLING = re.compile(
    r"about|sobre|company|empresa|services?|servic|solutions|pricing|precos|work|cases?"
    r"|clients?|products?|team|why|blog",
    re.I,
)
LISTS = ("hosts", "languages", "countries", "topics", "brands")
OURS = ("agent", "project", "goal")
FIELDS = {
    *("name", "base_url", "tone", "author", "facts", "sitemap_url", "feed_url"),
    *("indexnow_key", "indexnow_key_url", "repo_url", "repo_branch", "post_path"),
    *("post_url", "deploy_trigger", "vercel_project", "max_posts_per_day"),
    *("writer_model", "gsc_property", "bing_site", "serp_vendor", "phone"),
    *("serp_monthly_cents", *LISTS, *OURS),
}
KEY = re.compile(r"[A-Za-z0-9-]{8,128}")


@dataclass
class Proposal:
    """What a site seems to be. `fields` are those of the site, `rivals` {name,
    base_url, why}; `read` the addresses that it is from, `problems` what could not be
    read. Nothing of it is stored."""

    fields: dict[str, Any]
    keywords: list[str]
    rivals: list[dict[str, str]]
    read: list[str]
    problems: list[str] = field(default_factory=list)


def propose(company: Company, url: str) -> Proposal:
    """Read the site at this address: robots.txt, sitemap, feed and some pages; it takes
    up to a minute. Invalid when its first page cannot be read."""
    base = address_of(url)
    hosts = with_www(host_of(base))
    delay = LOCAL_DELAY if company.rehearsal else DELAY
    with Web(base, hosts, local=company.rehearsal, delay=delay) as web:
        home = first_page(web, base)
        base, robots = home.url, Robots(web)
        sitemap = read_sitemap(web, robots, base, hosts=hosts)
        documents, problems = [home], list(sitemap.problems)
        for at in worth_reading(home, sitemap, hosts):
            try:
                if robots.may_read(at):
                    documents += html_of(web.get(at))
            except Unreachable as no:
                problems.append(str(no))
        feed, posts = read_feed(web, home)
    return proposal_of(documents, sitemap, feed, posts, problems)


def address_of(url: str) -> str:
    """The address as a site's. Invalid for what is none."""
    text = url.strip()
    text = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname
        port = parts.port
    except ValueError:
        good, port = False, None
    if not good or parts.username or " " in text or len(text) > 300:
        raise Invalid(f"“{url}” is no address of a site, as https://example.com is.")
    if "." not in str(parts.hostname) and port is None:
        raise Invalid(f"“{url}” is no address of a site, as https://example.com is.")
    return normal(text)


def first_page(web: Web, base: str) -> Document:
    try:
        page = web.get(base)
    except Unreachable as no:
        raise Invalid(f"The site cannot be read: {no}") from None
    found = html_of(page)
    if not found:
        raise Invalid(f"{base} answers {page.status} and is no page to read.")
    return found[0]


def html_of(page: Page) -> list[Document]:
    if not page.is_ok or "html" not in page.headers.get("content-type", "html"):
        return []
    return [Document(page.text, page.url)]


def worth_reading(home: Document, sitemap: Sitemap, hosts: set[str]) -> list[str]:
    """Pages that may say what the site is: those whose address says so, short ones
    first."""
    links = {
        joined(home.url, node.attributes.get("href") or "")
        for node in home.tree.css("a[href]")
    }
    found = {one for one in {*links, *sitemap.pages} if host_of(one) in hosts}
    found -= {normal(home.url)}

    def rank(at: str) -> tuple[bool, int, int, str]:
        path = urlsplit(at).path
        return not TELLING.search(path), path.strip("/").count("/"), len(path), at

    return sorted(found, key=rank)[: MOST_PAGES - 1]


def read_feed(web: Web, home: Document) -> tuple[str, list[str]]:
    """The address of the feed, and the titles in it."""
    sight = Sight(home.html.encode(), home.url, is_rendered=True)
    found = discovery.feed(sight, web.get)
    if found is None:
        return "", []
    return found.page.asked, [one["title"] for one in found.posts]


def proposal_of(
    documents: list[Document],
    sitemap: Sitemap,
    feed: str,
    posts: list[str],
    problems: list[str],
) -> Proposal:
    home = documents[0]
    name = profile.name_of(home)
    brands = profile.brands_of(name, host_of(home.url))
    languages = profile.languages_of(documents)
    terms = profile.terms_of(documents, posts, brands, languages[0])
    fields = {
        "name": name,
        "base_url": home.url,
        "hosts": [],
        "languages": languages,
        "tone": profile.tone_of(documents),
        "topics": profile.topics_of(terms, languages[0]),
        "facts": profile.facts_of(documents, brands),
        "brands": brands,
        "phone": profile.phone_of(home),
        "sitemap_url": sitemap.files[0] if sitemap.files else "",
        "feed_url": feed,
    }
    return Proposal(
        fields=fields,
        keywords=terms[: profile.MOST_KEYWORDS],
        rivals=profile.rivals_of(documents, brands),
        read=[one.url for one in documents],
        problems=problems,
    )


# --- what was confirmed ---------------------------------------------------------------


def fill(site: Site, fields: dict[str, Any]) -> None:
    """Put the fields into the row. Invalid, with its name, for one that does not
    fit."""
    if unknown := sorted(set(fields) - FIELDS):
        raise Invalid(f"A site has no {', '.join(unknown)}.")
    for name, value in fields.items():
        setattr(site, name, checked(site, name, value))
    if not site.name or not site.base_url:
        raise Invalid("A site needs a name and an address.")
    site.languages = site.languages or ["en"]
    site.indexnow_key = site.indexnow_key or token_hex(16)
    if not KEY.fullmatch(site.indexnow_key):
        raise Invalid("An IndexNow key is 8 to 128 letters, digits and hyphens.")
    if site.agent is None and "agent" not in fields:
        cmos = Agent.objects.employed().filter(company=site.company, role="cmo")
        site.agent = cmos.order_by("created_at").first()


def checked(site: Site, name: str, value: Any) -> Any:
    if name == "base_url":
        return address_of(str(value))
    if name == "facts":
        return list(facts_of(value))
    if name in LISTS:
        return texts_of(name, value)
    if name in OURS and value is not None and value.company_id != site.company_id:
        raise Invalid(f"{name}: there is none like that in this company.")
    return value.strip() if isinstance(value, str) else value


def texts_of(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Invalid(f"{name}: it is a list of texts.")
    texts = [" ".join(one.split())[:200] for one in value]
    return list(dict.fromkeys(text for text in texts if text))


def facts_of(value: Any) -> Iterator[dict[str, str]]:
    """Facts with an id each; those that had one keep it."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Invalid("facts: it is a list of {id, text, source_url}.")
    taken = {str(one.get("id") or "") for one in value}
    free = (f"f{n}" for n in range(1, len(value) * 2 + 2))
    seen: set[str] = set()
    for one in value:
        text = " ".join(str(one.get("text") or "").split())
        if not text:
            raise Invalid("facts: one of them says nothing.")
        known = str(one.get("id") or "")
        known = known or next(name for name in free if name not in taken)
        if known in seen:
            raise Invalid(f"facts: there are two with the id {known}.")
        seen.add(known)
        yield {"id": known, "text": text, "source_url": str(one.get("source_url", ""))}


def seed(
    site: Site,
    keywords: Iterable[str],
    rivals: Iterable[dict[str, str]],
    *,
    by: Actor,
) -> None:
    """What comes with a site: its jobs' lines, its starters, keywords and rivals."""
    JobSchedule.objects.seed(site)
    starters.sow(site, by=by)
    for text in keywords:
        Keyword.objects.enter(site.company, text, by=by, language=site.language)
    for one in rivals:
        base = address_of(str(one.get("base_url") or ""))
        name = " ".join(str(one.get("name") or host_of(base)).split())[:120]
        Competitor.objects.get_or_create(
            company=site.company, base_url=base, defaults={"name": name}
        )
