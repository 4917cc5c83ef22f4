"""What was read of a site before: a page is asked for again only if it is another one
by now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.timezone import now

from marketing.crawl.discovery import READERS
from marketing.models import PageSnapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketing.models import Competitor

# What a server gives along with a page, and how it is given back.
VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
# A page may be made by scripts that have changed while it has not: read it whole once a
# day all the same.
FRESH = timedelta(days=1)
# What a page may need without its text coming from there.
NO_DATA = ("javascript", "ecmascript", "css")


class Before:
    """The last state of each page of a competitor that was read whole lately, and came
    with something to know it by."""

    def __init__(self, rival: Competitor) -> None:
        self._rows: dict[str, PageSnapshot] = {}
        if rival._state.adding:  # read before it is entered
            return
        rows = PageSnapshot.objects.filter(competitor=rival, blob__isnull=False)
        good = rows.filter(
            status=PageSnapshot.Status.OK,
            updated_at__gt=now() - FRESH,
            headers__has_any_keys=list(VALIDATORS),
        )
        self._rows = {
            row.url: row for row in good.select_related("blob").order_by("last_seen_at")
        }

    def page(self, url: str, *, rendered: bool) -> PageSnapshot | None:
        """That of a page; one that was read without a browser is no good where there
        is one."""
        row = self._rows.get(url)
        if row is None or is_document(row) or (rendered and row.how != row.How.BROWSER):
            return None
        return row

    def document(self, url: str) -> PageSnapshot | None:
        """That of a feed or a sitemap."""
        row = self._rows.get(url)
        return row if row is not None and is_document(row) else None


def is_document(row: PageSnapshot) -> bool:
    return (row.fields.get("posts") or {}).get("step") in READERS


def asking(row: PageSnapshot | None) -> dict[str, str]:
    """The headers to ask with."""
    told = row.headers if row is not None else {}
    return {to: told[name] for name, to in VALIDATORS.items() if told.get(name)}


def without(headers: Mapping[str, str]) -> dict[str, str]:
    """For a page whose text may change while its bytes do not."""
    return {name: told for name, told in headers.items() if name not in VALIDATORS}


def is_data(headers: Mapping[str, str]) -> bool:
    """Whether what a page has asked for may be text for it."""
    kind = headers.get("content-type", "").lower()
    return not any(word in kind for word in NO_DATA)
