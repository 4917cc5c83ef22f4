from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from marketing.models import Blob, IndexNowSubmission, Site
from marketing.web.addresses import host_of
from marketing.web.client import Unreachable, Web
from paperclip.api.forms import Form

if TYPE_CHECKING:
    from uuid import UUID

OK, KEY_PENDING, SERVER_FAULT = 200, 202, 500


class IndexNow(Checker):
    """The stored answers say that the pages were taken, and the key file is there: a
    200 without it is worth nothing. Whether a page is indexed it does not say."""

    Settings = Form
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        return (
            "The answers of the IndexNow endpoint are read again as they came, and the"
            " key file of the site is fetched anew."
        )

    def check(self, job: Job) -> Result:
        told, company = job.settings, job.issue.company_id
        answers: list[dict[str, Any]] = []
        for sha in told["answers"]:
            job.beat()
            try:
                answer = stored(company, sha)
                payload = stored(company, answer["payload"])
            except Blob.DoesNotExist:
                return unable(f"The answer {sha[:12]} is not kept any more.")
            except (ValueError, KeyError):
                return failed(f"The answer {sha[:12]} is not what was stored.")
            if wrong := differs(told, answer, payload):
                return failed(wrong)
            answers.append({**answer, "pages": len(payload["urlList"])})
        pages = sum(one["pages"] for one in answers)
        if not answers or pages != told["pages"]:
            return failed(f"The answers are about {pages} pages, not {told['pages']}.")
        return self.key_file(company, told, answers)

    def key_file(
        self, company: UUID, told: dict[str, Any], answers: list[dict[str, Any]]
    ) -> Result:
        site = Site.objects.of(company)
        host = host_of(told["key_url"])
        codes = sorted({one["status"] for one in answers})
        facts = {"codes": codes, "answers": told["answers"], "keyUrl": told["key_url"]}
        try:
            with Web.of(site, {host}, delay=0.0) as web:
                page = web.get(told["key_url"], most=10_000)
        except Unreachable as no:
            return unable(f"The key file cannot be read: {no}", **facts)
        facts |= {"keyStatus": page.status, "keySha256": page.sha256}
        if page.status >= SERVER_FAULT:
            return unable(f"The key file answers {page.status}.", **facts)
        if page.status != OK or page.text.strip() != told["key"]:
            return failed(
                f"{told['key_url']} answers {page.status} and does not hold the key: no"
                " search engine believes what was told.",
                **facts,
            )
        return of_codes(company, told, answers, facts)


def stored(company: UUID, sha256: str) -> dict[str, Any]:
    blob = Blob.objects.get(company=company, sha256=sha256)
    found: dict[str, Any] = json.loads(blob.body)
    return found


def differs(
    told: dict[str, Any], answer: dict[str, Any], payload: dict[str, Any]
) -> str:
    """What is claimed and was not said; empty when nothing."""
    if answer["status"] not in (OK, KEY_PENDING):
        return f"The IndexNow endpoint answered {answer['status']}, it took nothing."
    sent = (payload["host"], payload["key"], payload["keyLocation"])
    if sent != (told["host"], told["key"], told["key_url"]):
        return "What was sent is about another host or another key."
    strange = [u for u in payload["urlList"] if urlsplit(u).hostname != told["host"]]
    return f"{strange[0]} is not of {told['host']}." if strange else ""


def of_codes(
    company: UUID,
    told: dict[str, Any],
    answers: list[dict[str, Any]],
    facts: dict[str, Any],
) -> Result:
    """A 202 counts when a later request of this host got its 200."""
    pages = f"{told['pages']} pages accepted by the IndexNow endpoint"
    pending = [one for one in answers if one["status"] == KEY_PENDING]
    if pending:
        last = max(datetime.fromisoformat(one["at"]) for one in pending)
        later = IndexNowSubmission.objects.filter(
            company=company, host=told["host"], code=OK, sent_at__gt=last
        )
        if not later.exists():
            return unable(f"{pages}, which has not validated the key yet.", **facts)
    return passed(f"{pages}; {told['key_url']} holds the key.", **facts)
