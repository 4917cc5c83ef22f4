"""Addresses of pages: their hosts, and one spelling of each."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from url_normalize import url_normalize
from w3lib.url import canonicalize_url, url_query_cleaner

TRACKING = [
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"),
    *("gclid", "fbclid", "msclkid", "mc_cid", "mc_eid", "ref"),
]


def host_of(url: str) -> str:
    """Its host; empty for what is no address of a page."""
    try:
        parts = urlsplit(url)
        # Whether there is such a port is found out by asking for it.
        good = parts.scheme in ("http", "https") and parts.port != 0
        return (parts.hostname or "").lower() if good else ""
    except ValueError:
        return ""


def bare_host(url: str) -> str:
    """Its host without `www.`, which is the same site."""
    return host_of(url).removeprefix("www.")


def netloc_of(url: str) -> str:
    """Its host with the port, if it names one."""
    return urlsplit(url).netloc.lower()


def with_www(host: str) -> set[str]:
    """The names that a site has: with `www.` and without."""
    bare = host.removeprefix("www.")
    return {bare, f"www.{bare}"}


def absolute(base: str, href: str) -> str:
    """Where a link leads, as it is written; empty for what leads to no page."""
    try:
        url = urljoin(base, href.strip()) if href.strip() else ""
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def joined(base: str, href: str) -> str:
    """Where a link leads, in one spelling; empty for what leads nowhere."""
    try:
        return normal(urljoin(base, href.strip())) if href.strip() else ""
    except ValueError:
        return ""


def normal(url: str) -> str:
    """One spelling of an address: case, ports, dots, order and tracking parameters."""
    clean = url_query_cleaner(
        str(url_normalize(url)), TRACKING, remove=True, unique=False
    )
    return str(canonicalize_url(clean, keep_fragments=False))
