"""What a site says its pages are (sitemaps.org): indexes, gzip and plain text, within
limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import urljoin

from lxml import etree
from w3lib.url import safe_url_string

from marketing.web.addresses import host_of
from marketing.web.client import Unreachable, Web
from marketing.web.robots import Robots

# Of one file, as the protocol has it, packed or not.
LARGEST, MOST_URLS = 50 * 1024 * 1024, 50_000
# Of all of them: an index of indexes is none of the protocol, but there are some.
MOST_FILES, DEEPEST, MOST_PAGES = 200, 3, 100_000
LONGEST = 500
PLACES = ("/sitemap.xml", "/sitemap_index.xml")
GZIP = b"\x1f\x8b"


class Unreadable(Exception):
    """It is no sitemap, or more than one may be."""


@dataclass
class Sitemap:
    """What was found. `pages` is lastmod by address; `problems` say what of it could
    not be read: then a page that is not among them may be there all the same."""

    pages: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    # Hosts of pages and files in it that are none of ours.
    strangers: set[str] = field(default_factory=set)

    @property
    def is_whole(self) -> bool:
        return bool(self.files) and not self.problems


def read_sitemap(
    web: Web, robots: Robots, base: str, known: str = "", *, hosts: set[str]
) -> Sitemap:
    """The pages of the site at `base` that are on `hosts`: by the sitemap at `known`,
    or else those that robots.txt names, or else the usual places."""
    found = Sitemap()
    named = [known] if known else robots.sitemaps(base)
    for url in named:
        read_file(web, url, found, hosts)
    if not named:
        for place in PLACES:
            attempt = Sitemap()
            read_file(web, urljoin(base, place), attempt, hosts)
            if attempt.files:
                return attempt
            found.problems = attempt.problems
    return found


def read_file(
    web: Web, url: str, found: Sitemap, hosts: set[str], depth: int = 1
) -> None:
    """Add what stands in this file, and in those that it names."""
    if url in found.files:
        return
    if host_of(url) not in hosts:
        found.strangers.add(host_of(url))
        return
    if depth > DEEPEST or len(found.files) >= MOST_FILES:
        found.problems.append(f"{url} is one sitemap too many.")
        return
    try:
        kind, entries = parse(fetched(web, url))
    except (Unreachable, Unreadable) as no:
        found.problems.append(str(no) if url in str(no) else f"{url}: {no}")
        return
    found.files.append(url)
    if kind == "sitemapindex":
        for at, _lastmod in entries:
            read_file(web, at, found, hosts, depth + 1)
        return
    ours = {at: said for at, said in entries if host_of(at) in hosts}
    found.strangers |= {host_of(at) for at, _ in entries if at not in ours}
    found.pages |= {at: said for at, said in ours.items() if len(at) <= LONGEST}
    if len(found.pages) > MOST_PAGES:
        found.problems.append(f"There are more than {MOST_PAGES} pages.")
        found.pages = dict(list(found.pages.items())[:MOST_PAGES])


def fetched(web: Web, url: str) -> bytes:
    page = web.get(url, most=LARGEST)
    if not page.is_ok:
        raise Unreachable(f"{url} answers {page.status}.")
    return unpacked(page.body)


def unpacked(body: bytes) -> bytes:
    """Without gzip. Unreadable for a bomb, and for what is cut off."""
    if not body.startswith(GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, LARGEST + 1)
    except zlib.error as error:
        raise Unreadable(f"It is no gzip: {error}.") from None
    if len(plain) > LARGEST:
        raise Unreadable(f"Unpacked it is larger than {LARGEST} bytes.")
    if not unpacker.eof:
        raise Unreadable("Its end is missing.")
    return plain


def parse(body: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The kind of the file (urlset or sitemapindex), and (address, lastmod) of each
    entry. Unreadable for anything else."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "urlset", list(limited(lines_of(body)))
    # Entities stay as they are and nothing is fetched: a file cannot grow by parsing.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False
    )
    try:
        root = etree.parse(BytesIO(body), parser).getroot()
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"It is not XML: {error.msg}.") from None
    kind = etree.QName(root).localname
    if kind not in ("urlset", "sitemapindex"):
        raise Unreadable(f"It is a {kind}, not a sitemap.")
    return kind, list(limited(entries_of(root)))


def entries_of(root: etree._Element) -> Iterator[tuple[str, str]]:
    for entry in root.iterchildren("{*}url", "{*}sitemap"):
        # Some declare no namespace, or another than the protocol's.
        at = (entry.findtext("{*}loc") or "").strip()
        if host_of(at):
            lastmod = (entry.findtext("{*}lastmod") or "").strip()[:40]
            yield str(safe_url_string(at)), lastmod


def lines_of(body: bytes) -> Iterator[tuple[str, str]]:
    """A sitemap in plain text: an address a line."""
    lines = [line.strip() for line in body.decode("utf-8-sig", "replace").splitlines()]
    if not all(line.startswith("http") for line in lines if line):
        raise Unreadable("It is neither XML nor a list of addresses.")
    for line in filter(host_of, lines):
        yield str(safe_url_string(line)), ""


def limited(entries: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for number, entry in enumerate(entries):
        if number == MOST_URLS:
            raise Unreadable(f"It has more than {MOST_URLS} addresses.")
        yield entry
