"""The page behind the link in our mails. Public: who opens it has no account here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from marketing.outreach import unsubscribing

if TYPE_CHECKING:
    from django.http import HttpRequest


@csrf_exempt  # Mail programs post it, without cookies (RFC 8058).
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET only asks, because scanners open every link; POST does it. The answer is the
    same for a token that is none: nobody learns who was written to."""
    done = request.method == "POST"
    if done:
        unsubscribing.unsubscribe(token)
    answer = render(request, "marketing/unsubscribe.html", {"done": done})
    answer["X-Robots-Tag"] = "noindex"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@require_GET
def probe(request: HttpRequest, nonce: str) -> HttpResponse:
    """Shows that it is really this installation that answers at an address."""
    return HttpResponse(unsubscribing.proof(nonce), content_type="text/plain")
