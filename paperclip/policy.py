"""What a browser may load and run on an answer of ours, those of the API and the pages
that say what went wrong among them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# unfold's Alpine evaluates the expressions in its own markup, and its theme colours are
# a style element; scripts that are not files of ours do not run.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

Answering = Callable[[HttpRequest], HttpResponse]


def content_policy(get_response: Answering) -> Answering:
    """Say it where nobody has said something stricter."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return answer
