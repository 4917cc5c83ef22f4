"""What the IndexNow endpoint answers, kept as it came."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agents.texts import storable
from marketing.models import Blob
from marketing.web.client import Unreachable

if TYPE_CHECKING:
    from marketing.models import Site
    from marketing.web.client import Web

JSON = "application/json; charset=utf-8"
TRIES, SERVER_FAULT = 3, 500


@dataclass(frozen=True)
class Answer:
    """What the endpoint said. `code` is 0 when it said nothing; the hashes are those of
    the stored bytes."""

    code: int
    payload: str
    stored: str = ""
    retry_after: str = ""
    said: str = ""


def ask(site: Site, web: Web, body: bytes, payload: str, at: datetime) -> Answer:
    """Send the body; `payload` is its hash. A server in trouble, or silent, is asked up
    to three times."""
    answer = Answer(0, payload)
    for attempt in range(TRIES):
        if attempt:
            web.sleep(web.delay * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        answer = ask_once(site, web, body, payload, at)
        if 0 < answer.code < SERVER_FAULT:
            break
    return answer


def ask_once(site: Site, web: Web, body: bytes, payload: str, at: datetime) -> Answer:
    url = site.endpoint("indexnow")
    try:
        page = web.post(url, content=body, headers={"Content-Type": JSON})
    except Unreachable as no:
        return Answer(0, payload, said=storable(str(no))[:300])
    told = {
        "endpoint": url,
        "status": page.status,
        "payload": payload,
        "body": page.text[:20_000],
        "bodySha256": page.sha256,
        "at": at.isoformat(),
    }
    kept = json.dumps(told, sort_keys=True).encode()
    stored = Blob.objects.keep(site.company_id, kept, JSON).sha256
    later = storable(page.headers.get("retry-after", ""))[:100]
    said = storable(" ".join(page.text.split()))[:200]
    return Answer(page.status, payload, stored, later, said)
