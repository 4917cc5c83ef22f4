"""Sitemaps of others, read no further than agreed: neither bombs nor mazes."""

from __future__ import annotations

import zlib

from lxml import etree

LARGEST = 5_000_000
MOST_URLS = 5_000
PARSER = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "recover": True,
}


class Unreadable(Exception):
    """It is no sitemap, or more of one than is read: the text says so."""


def read(body: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """The pages, each with its `lastmod`, and the further sitemaps that it names."""
    try:
        root = etree.fromstring(unpacked(body), etree.XMLParser(**PARSER))
    except etree.XMLSyntaxError as no:
        raise Unreadable(f"It is no XML: {no}") from None
    if root is None or not isinstance(root.tag, str):
        raise Unreadable("It is no sitemap.")
    kind = etree.QName(root).localname
    if kind not in ("urlset", "sitemapindex"):
        raise Unreadable(f"It is a <{kind}>, and no sitemap.")
    told = [(text(one, "loc"), text(one, "lastmod")) for one in root[:MOST_URLS]]
    found = [(url, when) for url, when in told if url]
    if kind == "urlset":
        return found, []
    return [], [url for url, _when in found]


def unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    machine = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = machine.decompress(body, LARGEST)
    except zlib.error as no:
        raise Unreadable(f"It cannot be unpacked: {no}") from None
    if machine.unconsumed_tail:
        raise Unreadable(f"It unpacks to more than {LARGEST} bytes.")
    return plain


def text(node: etree._Element, name: str) -> str:
    # A comment among the entries has no children to look at.
    for child in node if isinstance(node.tag, str) else ():
        if isinstance(child.tag, str) and etree.QName(child).localname == name:
            return (child.text or "").strip()
    return ""
