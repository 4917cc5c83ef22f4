"""Who looks whether work is done: a table, one class each, one way to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from paperclip.api.forms import must_fit

if TYPE_CHECKING:
    from issues.checkers.base import Checker

CHECKERS: dict[str, str] = {
    "command": "issues.checkers.command.Command",
    "http": "issues.checkers.http.Http",
    "git": "issues.checkers.git.Git",
    "file": "issues.checkers.file.File",
    "mail": "issues.checkers.mail.Mail",
    "children": "issues.checkers.children.Children",
    "human": "issues.checkers.human.Human",
}
# What the programs of jobs claim, and no person or agent can ask for. The names are
# dotted, so that the floor above can be named without being imported.
CLAIMS: dict[str, str] = {
    "indexnow": "marketing.checkers.indexnow.IndexNow",
    "post": "marketing.checkers.post.Post",
    "sent": "marketing.checkers.sent.Sent",
    "crawl": "marketing.checkers.crawl.Crawl",
    "link": "marketing.checkers.link.Link",
    "rank": "marketing.checkers.rank.Rank",
}


def checker_class(kind: str) -> type[Checker]:
    found: type[Checker] = import_string({**CHECKERS, **CLAIMS}[kind])
    return found


def checked_settings(kind: str, settings: Any) -> dict[str, Any]:
    """The settings if this checker takes them; Invalid names each wrong field."""
    form = checker_class(kind).Settings(data=settings)
    must_fit(form, f"A check of the type {kind}")
    return dict(settings)
