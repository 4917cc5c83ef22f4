"""Secrets out of texts, by their value, however a program may have written it: as it
is, percent-encoded once or twice, in hexadecimal, in JSON, HTML, SQL or quotes of a
shell, with letters composed or not, in base64 with whatever stands around it, with
either alphabet, broken into lines, and cut into chunks anywhere.

Text and secrets are folded alike before they are compared, which makes one of many
encodings; what is left is looked for byte by byte.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import IO, Any
from urllib.parse import quote

MASK = "***"
SHORTEST = 8  # what is shorter is a number or a word
# A line of a secret of many is taken for one of its own from here on: a private key is
# printed with its lines indented, too.
SHORTEST_LINE = 16
# What programs put between the parts of a value: line ends, spaces, escapes; and the
# NULs of UTF-16.
JUNK = b" \t\r\n\v\f\0\\"
# Base64's two alphabets are one here, and so are hexadecimal digits of either size.
FOLD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_", b"abcdefghijklmnopqrstuvwxyz+/")
# The end of a line in JSON, however deep: where `base64` breaks a value.
LINE_END = re.compile(rb"\\+[nrt]")
# The same in a value: keys are kept on one line, and printed on many.
LINES = re.compile(r"(?:\\+[nrt])+")
# What encoders of JSON write as numbers: of what a page may hold, and .NET more.
IN_NUMBERS = ("&<>", "&<>'+\"")
# A quote, as HTML, shells and SQL write it.
MARKED_UP = {"'": ("'", "&#x27;", "&#39;", "&apos;"), '"': ('"', "&quot;", "&#34;")}
QUOTED = ("'\\''", "'\"'\"'", "''")
# Characters that encoders leave as they are, beside letters, numbers and _.-~
SAFE = ("", "/", "*", "!'()*", "!'()*;/?:@&=+$,#")
# Characters of base64 that hold nothing of what comes before, by where it begins.
SKIPPED = (0, 2, 3)
HEAD = 4
BLOCK = 1 << 20

Span = tuple[int, int]


class Scrubber:
    """Takes these values out of texts. Those shorter than eight characters, spaces not
    counted, stay."""

    def __init__(self, values: Iterable[str]) -> None:
        self._forms = forms_of(values)
        self.longest = max(map(len, self._forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        """The text with a mask in place of each secret."""
        data = text.encode("utf-8", "surrogatepass")
        spans = self.spans(data)
        if not spans:
            return text
        out, at = [], 0
        for start, end in spans:
            out += [data[at:start], MASK.encode()]
            at = end
        return b"".join([*out, data[at:]]).decode("utf-8", "replace")

    def json(self, value: Any) -> Any:
        """The same for every text in a JSON value, names included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(one) for one in value]
        if isinstance(value, dict):
            return {self.text(name): self.json(one) for name, one in value.items()}
        return value

    def finds(self, text: str | bytes) -> bool:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return bool(self.spans(data))

    def finds_in(self, file: IO[bytes]) -> bool:
        """The same for all that follows in a file, however large it is."""
        end = b""
        while block := file.read(BLOCK):
            if self.finds(end + block):
                return True
            end = (end + block)[-self._reach :]
        return False

    def spans(self, data: bytes) -> list[Span]:
        """Where secrets are, in order and without overlaps."""
        found = self._spans(data)
        if (blank := without_line_ends(data)) is not data:
            found += self._spans(blank)
        return merged(found) if len(found) > 1 else found

    def _spans(self, data: bytes) -> list[Span]:
        text = data.translate(FOLD, JUNK)
        # One search for each is several times as fast as one pattern of all of them.
        hits = [hit for form in self._forms for hit in every(form, text)]
        if not hits:
            return []
        places = [at for at, byte in enumerate(data) if byte not in JUNK]
        return [(places[start], places[end - 1] + 1) for start, end in hits]

    @property
    def _reach(self) -> int:
        """How long a secret may be with all that stands between its parts."""
        return 2 * self.longest + 256

    def open_from(self, data: bytes) -> tuple[int, int]:
        """Where the end begins that more text could make a secret of, and how many
        characters of one it has."""
        sure = max(0, len(data) - self._reach)  # no flood of spaces is kept
        end = data[sure:]
        at, wanted = self._begun(end)
        if (blank := without_line_ends(end)) is not end:
            at, wanted = min((at, wanted), self._begun(blank))
        return sure + at, wanted

    def _begun(self, data: bytes) -> tuple[int, int]:
        at, left = len(data), (wanted := self._open(data))
        while left and at:
            at -= 1
            left -= data[at] not in JUNK
        return at, wanted

    def _open(self, data: bytes) -> int:
        """How many of the last characters are the beginning of a secret."""
        folded = data.translate(FOLD, JUNK)
        for size in range(min(len(folded), self.longest - 1), 0, -1):
            at = len(folded) - size
            for form in self._heads.get(folded[at : at + HEAD], ()):
                if len(form) > size and form.startswith(folded[at:]):
                    return size
        return 0

    @cached_property
    def _heads(self) -> dict[bytes, list[bytes]]:
        """The forms by how they begin: by one, two, three and four characters."""
        heads: dict[bytes, list[bytes]] = {}
        for form in self._forms:
            for size in range(1, HEAD + 1):
                heads.setdefault(form[:size], []).append(form)
        return heads


class Flow:
    """A stream of bytes on its way through a scrubber."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        # What may be the beginning of a secret, how much of it is out already, and
        # whether that ends in a mask.
        self._kept, self._done, self._is_masked = b"", 0, False

    def take(self, data: bytes, final: bool = False) -> bytes:
        """What can be shown by now. An end that may be the beginning of a secret is
        kept back until more is known, but for the first characters of one at the end
        of a line: people wait for whole lines."""
        data = self._kept + data
        keep, begun = (len(data), 0) if final else self._scrubber.open_from(data)
        is_line = begun < HEAD and data.endswith(b"\n")
        until = max(self._done, len(data) if is_line else keep)
        out, at = [], self._done
        for start, end in self._scrubber.spans(data):
            if end > at and start < until:
                goes_on = self._is_masked and start < at == self._done
                out += [data[at:start], b"" if goes_on else MASK.encode()]
                at, self._is_masked = end, True
        if at < until:
            out.append(data[at:until])
            self._is_masked = False
        self._kept, self._done = data[keep:], max(at, until) - keep
        return b"".join(out)


def forms_of(values: Iterable[str]) -> set[bytes]:
    """Every folded form in which these may be written."""
    whole = {value for value in values if len(folded(value)) >= SHORTEST}
    lines = {line for value in whole for line in lines_of(value)}
    whole |= {line for line in lines if len(folded(line)) >= SHORTEST_LINE}
    return {folded(form) for value in whole for form in written(value)}


def lines_of(value: str) -> list[str]:
    return [part for line in value.splitlines() for part in LINES.split(line)]


def written(value: str) -> set[str]:
    """The value as different programs write it."""
    data = value.encode()
    based = {in_base64(data, at) for at in range(3)}
    alike = {unicodedata.normalize(form, value) for form in ("NFC", "NFD")}
    alike |= {value.replace("'", quote) for quote in QUOTED}
    alike |= {ascii(value)[1:-1], repr(data)[2:-1], data.hex()}
    quoted = percent_encoded({value, *based})
    return {value, *alike, *quoted, *in_json(value), *marked_up(value), *based}


def percent_encoded(values: Iterable[str]) -> set[str]:
    """Once, and what is an address in an address twice."""
    once = {quote(value, safe) for value in values for safe in SAFE}
    once |= {form.replace("%20", "+") for form in once}
    once |= {form.replace("~", "%7E") for form in once}
    return once | {quote(form, safe) for form in once for safe in ("", "/")}


def in_json(value: str) -> set[str]:
    found = {json.dumps(value, ensure_ascii=only)[1:-1] for only in (True, False)}
    for characters in IN_NUMBERS:
        found |= {in_numbers(form, characters) for form in found}
    return found


def in_numbers(text: str, characters: str) -> str:
    for each in characters:
        text = text.replace(json.dumps(each)[1:-1], f"\\u{ord(each):04x}")
    return text


def marked_up(value: str) -> set[str]:
    text = html.escape(value, quote=False)
    return {
        text.replace("'", one).replace('"', other)
        for one in MARKED_UP["'"]
        for other in MARKED_UP['"']
    }


def in_base64(data: bytes, at: int) -> str:
    """The characters that stand for it and nothing else, so many bytes after the start
    of a group of three."""
    whole = b64encode(bytes(at) + data).decode()
    return whole[SKIPPED[at] : (at + len(data)) * 8 // 6]


def folded(text: str) -> bytes:
    return text.encode().translate(FOLD, JUNK)


def without_line_ends(data: bytes) -> bytes:
    """With spaces in place of escaped ends of lines."""
    if not LINE_END.search(data):
        return data
    return LINE_END.sub(lambda found: b" " * len(found[0]), data)


def every(form: bytes, text: bytes) -> Iterator[Span]:
    """Wherever it is, in itself too."""
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)


def merged(spans: list[Span]) -> list[Span]:
    """In order, those that overlap as one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
