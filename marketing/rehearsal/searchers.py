"""Search Console, Bing Webmaster, a vendor of result pages, and IndexNow, as they
answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from zlib import crc32

import jwt
from werkzeug import Request, Response

TOKEN = "t0k3n"  # noqa: S105 (of a made-up search engine)
SCOPE = "https://www.googleapis.com/auth/webmasters.readonly"
DAYS = 10
PLACES = 20


def told(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def row(
    day: str, query: str, page: str, position: float, seen: int, **more: Any
) -> Any:
    """A line of Search Console's statistics."""
    country, device = more.get("country", "prt"), more.get("device", "DESKTOP")
    return {
        "keys": [day, query, page, country, device],
        "clicks": more.get("clicks", 1),
        "impressions": seen,
        "ctr": 0.1,
        "position": position,
    }


@dataclass
class SearchConsole:
    """Answers with `rows`, page by page, to whoever signs with the key; `asked` are the
    requests that came."""

    public_key: Any
    rows: Callable[[], list[Any]]
    asked: list[Any] = field(default_factory=list)

    def token(self, request: Request) -> Response:
        try:
            claims = jwt.decode(
                request.form.get("assertion", ""),
                self.public_key,
                algorithms=["RS256"],
                audience=request.url,
            )
        except jwt.PyJWTError:
            return told({"error": "invalid_grant"}, 400)
        if claims.get("scope") != SCOPE:
            return told({"error": "invalid_scope"}, 400)
        return told({"access_token": TOKEN, "expires_in": 3600})

    def query(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return told({"error": {"message": "Log in."}}, 401)
        body = request.get_json()
        self.asked.append(body)
        first, last = body["startDate"], body["endDate"]
        found = [one for one in self.rows() if first <= one["keys"][0] <= last]
        for group in body.get("dimensionFilterGroups", []):
            for only in group["filters"]:
                word = only["expression"].casefold()
                found = [one for one in found if one["keys"][1].casefold() == word]
        start = body["startRow"]
        return told({"rows": found[start : start + body["rowLimit"]]})


def serper_page(links: list[str], **more: Any) -> dict[str, Any]:
    """A page of results as Serper tells of it."""
    return {
        "searchParameters": {"q": "x"},
        "organic": [
            {
                "position": n,
                "link": link,
                "title": f"T {n}",
                "sitelinks": [{"link": link}],
            }
            for n, link in enumerate(links, 1)
        ],
        "peopleAlsoAsk": [{"question": "?", "link": "https://us.example/paa"}],
        **more,
    }


# --- what they say of a site in a rehearsal -------------------------------------------


@dataclass(frozen=True)
class Statistics:
    """Where our pages are found, made up from the words alone: asked twice, each says
    the same. One keyword, `almost`, is shown often, and not quite at the top; what is
    in `nowhere` is not shown at all."""

    home: str
    keywords: tuple[str, ...]
    almost: str
    nowhere: tuple[str, ...] = ()

    def place(self, keyword: str, day: date) -> float:
        """From 1 to 30, a little different every day."""
        if keyword == self.almost:
            return 8.0 + day.toordinal() % 3 / 2
        base = 2 + crc32(keyword.encode()) % 27
        return base + crc32(f"{keyword} {day}".encode()) % 20 / 10

    def shown(self) -> list[tuple[date, str, float, int]]:
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=n) for n in range(DAYS, 0, -1)]
        seen = [one for one in self.keywords if one not in self.nowhere]
        return [
            (day, one, self.place(one, day), 12 if one == self.almost else 2)
            for one in seen
            for day in days
            # Of some days there is nothing, as it is.
            if one == self.almost or crc32(f"{day} {one}".encode()) % 4
        ]

    def google(self) -> list[Any]:
        return [
            row(str(day), word, self.home, round(place, 1), times)
            for day, word, place, times in self.shown()
        ]

    def bing(self) -> Any:
        """As its API tells: days as milliseconds, places without a page."""
        return {
            "d": [
                {
                    "Query": word,
                    "Date": f"/Date({(day - EPOCH).days * 86_400_000}-0800)/",
                    "AvgImpressionPosition": round(place + 1, 1),
                    "Impressions": times,
                    "Clicks": 0,
                }
                for day, word, place, times in self.shown()
            ]
        }

    def serper(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One page of ten; ours is where it is, if that is among the first twenty."""
        word, page = str(asked.get("q", "")), int(asked.get("page", 1))
        rank = int(self.place(word, datetime.now(UTC).date()))
        first = (page - 1) * 10 + 1
        ours = rank if word in self.keywords and word not in self.nowhere else 0
        return serper_page(
            [
                self.home if n == ours else f"https://result-{n}.example/"
                for n in range(first, first + 10)
            ]
        )


EPOCH = date(1970, 1, 1)


# --- IndexNow -------------------------------------------------------------------------


def indexnow(request: Request, site: str) -> Response:
    """Takes the pages of the site when it has the key: this looks for itself. 403
    without the key; 202 when the site does not answer; 422 for pages elsewhere."""
    asked = request.get_json(force=True, silent=True) or {}
    where, key = str(asked.get("keyLocation", "")), str(asked.get("key", ""))
    root = where.rpartition("/")[0] + "/"
    pages = asked.get("urlList") or []
    if not key or not pages:
        return told({"code": "InvalidRequest"}, 400)
    if not all(str(one).startswith(root) for one in pages):
        return told({"code": "InvalidUrl"}, 422)
    # This machine's other servers are none of its business.
    if not where.startswith(site):
        return told({"code": "NotOfThisRehearsal"}, 403)
    try:
        with urlopen(where, timeout=5) as page:  # noqa: S310 (our own site's)
            held = page.read(1000).decode().strip() == key
    except HTTPError:
        held = False
    except OSError:
        return told({"code": "KeyPending"}, 202)
    return told({"code": "Accepted"}) if held else told({"code": "NoKey"}, 403)
