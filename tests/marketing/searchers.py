"""Search Console, Bing Webmaster and the vendors, as loopback servers with recorded
shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CREDENTIALS = json.dumps(
    {
        "type": "service_account",
        "client_email": "ranks@project.iam.gserviceaccount.com",
        "private_key": KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        "token_uri": "https://evil.example/token",
    }
)


def row(
    day: str, query: str, page: str, position: float, seen: int, **more: Any
) -> Any:
    country, device = more.get("country", "prt"), more.get("device", "DESKTOP")
    return {
        "keys": [day, query, page, country, device],
        "clicks": more.get("clicks", 1),
        "impressions": seen,
        "ctr": 0.1,
        "position": position,
    }


def search_console(server: HTTPServer, rows: Callable[[], list[Any]]) -> list[Any]:
    """Answers with these rows, page by page; the requests that came."""
    asked: list[Any] = []

    def token(request: Request) -> Response:
        signed = request.form["assertion"]
        told = jwt.decode(
            signed, KEY.public_key(), algorithms=["RS256"], audience=request.url
        )
        assert told["scope"].endswith("webmasters.readonly")
        return Response(json.dumps({"access_token": "t0k3n", "expires_in": 3600}))

    def query(request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer t0k3n"
        body = request.get_json()
        asked.append(body)
        found = [
            one
            for one in rows()
            if body["startDate"] <= one["keys"][0] <= body["endDate"]
        ]
        for group in body.get("dimensionFilterGroups", []):
            for only in group["filters"]:
                word = only["expression"].casefold()
                found = [one for one in found if one["keys"][1].casefold() == word]
        start = body["startRow"]
        return Response(json.dumps({"rows": found[start : start + body["rowLimit"]]}))

    server.expect_request("/token").respond_with_handler(token)
    server.expect_request(
        "/gsc/webmasters/v3/sites/sc-domain:us.example/searchAnalytics/query"
    ).respond_with_handler(query)
    return asked


def serper_page(links: list[str], **more: Any) -> dict[str, Any]:
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
