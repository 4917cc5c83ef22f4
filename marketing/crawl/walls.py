"""Whether a site has shut robots out, or answers 200 with a page that is none. It is
never tried to get around that."""

from __future__ import annotations

import re

from marketing.crawl.sight import Sight
from marketing.words import squeezed, words

STATUSES = {401, 403, 429, 503}
TITLES = (
    *("just a moment", "attention required", "access denied", "are you a robot"),
    *("checking your browser", "verify you are human", "ddos protection"),
    *("pardon our interruption", "security check", "please wait", "one more step"),
    *("robot check", "human verification", "bot verification", "request blocked"),
)
ERROR = re.compile(
    r"(?:error\s*)?(?:40[34]|410|50[0234])\b|(?:page )?not found\b|error$"
    r"|(?:internal )?server error\b|bad gateway\b|service (?:is )?unavailable\b"
    r"|gateway time-?out\b|(?:site )?(?:under )?maintenance\b"
)
MARKS = (
    *("/cdn-cgi/challenge-platform/", "cf-chl-", "_incapsula_resource", "px-captcha"),
    *("captcha-delivery.com", "g-recaptcha", "h-captcha", "aws-waf-token"),
)
ASKS = ("captcha", "robot", "human", "javascript", "cookies", "browser")
# A page with less than this says nothing; with less than that, a mark of a wall in it
# is not beside an article.
NOTHING, SHORT = 25, 150


def of_status(status: int) -> str:
    """Why this answer is a wall; empty when it is none."""
    return f"It answers {status}." if status in STATUSES else ""


def of_page(sight: Sight) -> str:
    """Why a page that answers 200 is a wall all the same; empty when it is none."""
    title = sight.page.title.lower()
    body = sight.page.tree.body
    told = words(squeezed(body.text(separator=" ")) if body else "")
    if len(told) >= SHORT:
        return ""
    if any(title.startswith(one) for one in TITLES):
        return "It asks for proof of being human, by its title."
    if ERROR.match(title):
        return f"It answers 200 with an error: “{sight.page.title[:80]}”."
    html = sight.html.lower()
    for mark in MARKS:
        if mark in html:
            return f"It asks for proof of being human ({mark})."
    if len(told) < NOTHING and any(one in told for one in ASKS):
        return "It shows a few words that ask for a browser or a human."
    return ""
