"""Search Console, Bing Webmaster and the vendors, as loopback servers with recorded
shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_httpserver import HTTPServer

from marketing.rehearsal import keypair
from marketing.rehearsal.searchers import SearchConsole, row, serper_page

__all__ = ["CREDENTIALS", "KEY", "dataforseo", "row", "search_console", "serper_page"]

CREDENTIALS, KEY = keypair.made()


def search_console(server: HTTPServer, rows: Callable[[], list[Any]]) -> list[Any]:
    """Answers with these rows, page by page; the requests that came."""
    console = SearchConsole(KEY, rows)
    server.expect_request("/token").respond_with_handler(console.token)
    server.expect_request(
        "/gsc/webmasters/v3/sites/sc-domain:us.example/searchAnalytics/query"
    ).respond_with_handler(console.query)
    return console.asked


def dataforseo(items: list[tuple[str, str]], code: int = 20000) -> dict[str, Any]:
    return {
        "status_code": 20000,
        "tasks": [
            {
                "status_code": code,
                "status_message": "Ok." if code == 20000 else "Payment Required.",
                "result": [
                    {
                        "items": [
                            {
                                "type": kind,
                                "rank_group": 1,
                                "rank_absolute": n,
                                "url": url,
                            }
                            for n, (kind, url) in enumerate(items, 1)
                        ]
                    }
                ],
            }
        ],
    }
