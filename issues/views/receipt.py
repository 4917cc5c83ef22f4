"""The facts of a receipt as people read them."""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy

from issues.models import Evidence
from issues.views.payload import text_of, words
from paperclip.templatetags.console import entries

# In the order in which they are told.
NAMES = {
    "command": gettext_lazy("command"),
    "seconds": gettext_lazy("took, in seconds"),
    "exitCode": gettext_lazy("exit code"),
    "base": gettext_lazy("commit before the change"),
    "bytes": gettext_lazy("size in bytes"),
    "digest": gettext_lazy("digest (SHA-256)"),
    "documentId": gettext_lazy("document"),
    "finalUrl": gettext_lazy("address it was found at"),
    "messageId": gettext_lazy("message"),
    "output": gettext_lazy("what it printed"),
    "outputDigest": gettext_lazy("digest of what it printed (SHA-256)"),
    "ownFiles": gettext_lazy("files from before the change"),
    "stat": gettext_lazy("changes"),
    "status": gettext_lazy("answered with status"),
    "treeDigest": gettext_lazy("digest of the files (SHA-256)"),
    "url": gettext_lazy("address"),
}


class Fact(NamedTuple):
    """Its name in words and its lines; or a text that is shown as it was printed."""

    name: str
    lines: list[str]
    printed: str = ""


def facts_of(receipt: Evidence) -> list[Fact]:
    """What there is to say, without what a failure has told already."""
    order = [*NAMES, *receipt.facts]
    return [
        fact_of(key, value)
        for key, value in sorted(receipt.facts.items(), key=lambda f: order.index(f[0]))
        if value not in (None, "", [], {}) and (key != "output" or receipt.is_good)
    ]


def fact_of(key: str, value: Any) -> Fact:
    name = str(NAMES.get(key) or words(key))
    if key == "output":
        return Fact(name, [], str(value))
    if key == "command" and isinstance(value, list):
        return Fact(name, [shlex.join(map(str, value))])
    if isinstance(value, bool):
        return Fact(name, [text_of(key, value)])
    return Fact(name, entries(value))
