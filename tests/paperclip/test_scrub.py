"""Secrets are found however they are written and wherever the text is cut."""

from __future__ import annotations

import base64
import html
import json
import re
import string
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paperclip.scrub import MASK, Flow, Scrubber

CANARY = "Kanarie+/nvogel '24?\"ü"
Way = Callable[[str], str]


def in_based(before: int, after: int, *, urlsafe: bool = False) -> Way:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return lambda value: encode(b"x" * before + value.encode() + b"y" * after).decode()


def lower_hex(quoted: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), quoted)


def in_unicode(characters: str, *, ascii_only: bool) -> Way:
    """As encoders of JSON do that leave a text safe inside of HTML."""

    def encode(value: str) -> str:
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        for each in characters:
            text = text.replace(json.dumps(each)[1:-1], f"\\u{ord(each):04x}")
        return text

    return encode


WAYS: dict[str, Way] = {
    "raw": str,
    "upper": lambda value: value if "ü" in value else value.upper(),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "hex in groups": lambda value: value.encode().hex(" ", 2),
    "url": lambda value: quote(value, safe=""),
    "url, slashes kept": quote,
    "url, lower hex": lambda value: lower_hex(quote(value, safe="")),
    "form": quote_plus,
    "encodeURIComponent": lambda value: quote(value, safe="!'()*"),
    "json": json.dumps,
    "json with its characters": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json in json": lambda value: json.dumps(json.dumps(json.dumps(value))),
    "html": html.escape,
    "html by numbers": lambda value: (
        html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "json of Go": in_unicode("&<>", ascii_only=False),
    "json in a page": in_unicode("&<>", ascii_only=True),
    "json of .NET": in_unicode("&<>'+\"", ascii_only=True),
    "url twice": lambda value: quote(quote(value, safe=""), safe=""),
    "url twice, slashes kept": lambda value: quote(quote(value)),
    "form twice": lambda value: quote_plus(quote_plus(value)),
    "base64 in an address": lambda value: quote(in_based(0, 0)(value), safe=""),
    "quoted by bash": lambda value: value.replace("'", "'\\''"),
    "quoted by dash": lambda value: value.replace("'", "'\"'\"'"),
    "in SQL": lambda value: value.replace("'", "''"),
    "bytes of Python": lambda value: repr(value.encode())[2:-1],
    "decomposed": lambda value: unicodedata.normalize("NFD", value),
    "base64 with line ends": lambda value: base64.encodebytes(
        b"z" * 50 + value.encode()
    ).decode(),
    "that in json": lambda value: json.dumps(
        base64.encodebytes(b"z" * 50 + value.encode()).decode()
    ),
    "without padding": lambda value: in_based(0, 0)(value).rstrip("="),
    **{f"base64 +{n}+{m}": in_based(n, m) for n in range(3) for m in range(3)},
    **{f"url64 +{n}": in_based(n, 1, urlsafe=True) for n in range(3)},
}
# The quotes around it.
REST = 18


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "value", [CANARY, "s3cr3t-0123456789", "a~b_c.d-e/f+g=h&", "???>>>~~~key"]
)
def test_it_is_found_however_it_is_written(way: str, value: str) -> None:
    text = WAYS[way](value)
    shown = Scrubber([value]).text(f"before {text} after")
    assert MASK in shown and shown.startswith("before ") and shown.endswith(" after")
    assert "".join(shown.split()).count(MASK) == 1
    if "base64" not in way and "url64" not in way and way != "that in json":
        assert len(shown) <= len("before  after") + REST


def test_other_text_stays_as_it_is() -> None:
    text = 'He said: "no \\n secret", 100 % of it; c2VjcmV0\n\tü \ud83d'
    assert Scrubber([CANARY, "s3cr3t-0123456789"]).text(text) == text


def test_what_is_short_stays() -> None:
    scrubber = Scrubber(["short", "", "a b c d e f", "1234567"])
    assert not scrubber
    assert scrubber.text("short 1234567 a b c d e f") == "short 1234567 a b c d e f"


def test_a_key_of_several_lines_is_found_by_each_of_them() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG", "0wBAQEF="]
    scrubber = Scrubber(["\n".join(lines)])
    assert scrubber.text("\r\n  ".join(lines)) == MASK
    shown = scrubber.text(f"> {lines[0]}\n> {lines[1]}\n")
    assert lines[1] not in shown


def test_a_key_on_one_line_is_found_on_its_own_lines() -> None:
    """So keys are kept in variables, and in the files of service accounts."""
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhki", "wBAQEFAASCBKcwggSj"]
    pem = "\n".join([*lines, "-----END PRIVATE KEY-----", ""])
    file = json.dumps({"type": "service_account", "private_key": pem})
    for kept in (pem.replace("\n", "\\n"), file, json.dumps(file)):
        shown = Scrubber([kept]).text(f"the key:\n{pem}\n")
        assert lines[1] not in shown and lines[2] not in shown


def test_names_and_values_of_json_are_scrubbed() -> None:
    told = {CANARY: [f"is {CANARY}", 7, None, {"deep": CANARY}], "n": True}
    shown = Scrubber([CANARY]).json(told)
    assert shown == {MASK: [f"is {MASK}", 7, None, {"deep": MASK}], "n": True}


# --- Streams -----------------------------------------------------------------------

values = st.text(string.ascii_letters + string.digits + "+/-_=. \"\\%ü'", min_size=8)
values = values.filter(lambda value: bool(Scrubber([value])))
fillers = st.text(string.printable.replace("\0", "") + "ü", max_size=80)


def passed(scrubber: Scrubber, data: bytes, cuts: list[int]) -> bytes:
    flow, out = Flow(scrubber), b""
    borders = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(borders):
        out += flow.take(data[start:end])
    return out + flow.take(b"", final=True)


@given(
    secrets=st.lists(values, min_size=1, max_size=3),
    parts=st.lists(
        st.tuples(fillers, st.sampled_from(sorted(WAYS)), st.integers(0, 2)), max_size=5
    ),
    cuts=st.lists(st.integers(0, 10_000), max_size=30),
)
@example(secrets=["aaaaaaaa"], parts=[("a" * 70, "raw", 0)] * 3, cuts=list(range(99)))
@example(secrets=["00000000"], parts=[("", "that in json", 0)], cuts=[79])
@example(secrets=["abcdefgh", "efghijkl"], parts=[("abcdefghijkl", "raw", 0)], cuts=[6])
def test_no_border_of_chunks_lets_one_through(
    secrets: list[str], parts: list[tuple[str, str, int]], cuts: list[int]
) -> None:
    scrubber = Scrubber(secrets)
    text = "".join(
        filler + WAYS[way](secrets[number % len(secrets)])
        for filler, way, number in parts
    )
    data = text.encode()
    rest, at = passed(scrubber, data, cuts), 0
    # Everything that is no secret is there, and between two pieces of it masks;
    # at the very most the first characters of a secret, at the end of a line.
    for start, end in [*scrubber.spans(data), (len(data), len(data))]:
        where = rest.find(data[at:start])
        assert where >= 0 and is_masked(rest[:where])
        rest, at = rest[where + start - at :], end
    assert is_masked(rest)


def is_masked(shown: bytes) -> bool:
    return len(shown.replace(MASK.encode(), b"")) <= 4


@given(data=st.binary(max_size=500), cuts=st.lists(st.integers(0, 500)))
def test_what_holds_none_passes_unchanged(data: bytes, cuts: list[int]) -> None:
    scrubber = Scrubber([CANARY, "s3cr3t-0123456789"])
    assert passed(scrubber, data, cuts) == data


def test_a_line_is_shown_at_once_and_what_follows_is_still_found() -> None:
    flow = Flow(Scrubber(["abcdefghijklmnop"]))
    assert flow.take(b"the letters abc\n") == b"the letters abc\n"
    assert flow.take(b"defghijklmnop!") == b"***!"


def test_a_flood_of_spaces_is_not_kept() -> None:
    flow = Flow(Scrubber(["abcdefghijklmnop"]))
    shown = flow.take(b"abcd" + b" " * 100_000)
    assert len(shown) > 99_000
