"""Telling search engines which pages have changed, and doing what each answer asks for
(https://indexnow.org/documentation)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import UUID

from marketing.jobs.base import Blocked
from marketing.models import (
    Blob,
    Effect,
    HostCircuit,
    IndexNowSubmission,
    JobName,
    Post,
)
from marketing.web.client import Unreachable, rest_of
from marketing.web.indexnow import JSON, Answer, ask

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.models import Site
    from marketing.web.client import Web

State = IndexNowSubmission.State
# Pages in one request, as the protocol has it; requests in one run, as we do.
MOST_URLS, MOST_POSTS = 10_000, 64
OK, PENDING, MALFORMED, NO_KEY, MISMATCH, TOO_MANY = 200, 202, 400, 403, 422, 429
# What a code makes of the pages; with any other they are told another time.
ENDS = {OK: State.ACCEPTED, PENDING: State.KEY_PENDING, MALFORMED: State.REJECTED}
ENDED = tuple(ENDS.values())
# A key that is not found is looked for again by the next run.
KEY_REST = timedelta(minutes=50)


def key_address(site: Site) -> str:
    return site.indexnow_key_url or urljoin(site.base_url, f"/{site.indexnow_key}.txt")


def must_hold_the_key(site: Site, web: Web) -> None:
    """Blocked unless the key file of the site holds our key."""
    if not site.indexnow_key:
        raise Blocked(
            f"“IndexNow key” of {site} is not set: search engines cannot be told of"
            " changed pages."
        )
    at = key_address(site)
    try:
        page = web.get(at, most=10_000)
    except Unreachable as no:
        raise Blocked(f"The key file of IndexNow cannot be read: {no}") from None
    if page.status != OK or page.text.strip() != site.indexnow_key:
        raise Blocked(
            f"Put a file with the “IndexNow key” of {site} at {at}: it answers"
            f" {page.status} and does not hold the key."
        )


@dataclass
class Teller:
    """Tells IndexNow of pages that were just read. `web` goes to the endpoint, `own` to
    the site."""

    work: Work
    web: Web
    own: Web
    posts: int = 0
    offenders: list[IndexNowSubmission] = field(default_factory=list)

    @property
    def site(self) -> Site:
        return self.work.site

    @cached_property
    def where(self) -> dict[str, str]:
        key, at = self.site.indexnow_key, key_address(self.site)
        return {"host": self.site.host, "key": key, "keyLocation": at}

    def tell(self, due: dict[str, str]) -> None:
        """Everything that is due and allowed, in as few requests as go. Blocked when
        the key is missing, here or on the site."""
        if not due:
            return
        if self.must_wait():
            return
        self.work.at("Looks for the key of IndexNow on our site.")
        must_hold_the_key(self.site, self.own)
        allowed = self.under_the_key(due)
        if self.work.is_dry:
            self.work.did(f"{len(allowed)} pages would be told to IndexNow.")
            return
        rows = IndexNowSubmission.objects.filter(company=self.work.company)
        found = list(rows.pending().filter(url__in=allowed).order_by("url"))
        for start in range(0, len(found), MOST_URLS):
            if not self.send(found[start : start + MOST_URLS]):
                break
        self.judge_offenders()

    def must_wait(self) -> bool:
        closed = HostCircuit.objects.closed(
            self.work.company.pk, self.site.host, JobName.CONTENT, self.work.clock()
        )
        if closed is None:
            return False
        self.work.falls_short(
            f"IndexNow is left alone until {closed.until:%Y-%m-%d %H:%M} UTC:"
            f" {closed.why}"
        )
        return True

    def under_the_key(self, due: dict[str, str]) -> list[str]:
        """A key in a directory is good for what is under it, and nothing else."""
        directory = self.where["keyLocation"].rpartition("/")[0] + "/"
        allowed = [url for url in due if url.startswith(directory)]
        if outside := len(due) - len(allowed):
            self.work.falls_short(
                f"{outside} pages are not under {directory}, where the key of IndexNow"
                " lies: put it at the root of the site."
            )
        return allowed

    # --- sending -------------------------------------------------------------------

    def send(self, rows: list[IndexNowSubmission]) -> bool:
        """Tell of these. A batch that does not pass is halved until what offends is
        alone. False when the endpoint wants no more now."""
        batches = [rows]
        while batches:
            batch = batches.pop()
            if self.posts == MOST_POSTS:
                self.work.falls_short("The rest of the pages is told by the next run.")
                return False
            answer = self.post(batch)
            if answer.code == MISMATCH and len(batch) > 1:
                middle = len(batch) // 2
                batches += [batch[middle:], batch[:middle]]
            elif answer.code == MISMATCH:
                self.offenders += batch
                self.mark(batch, answer)
            elif answer.code in ENDS:
                self.end(batch, answer)
            else:
                self.put_off(batch, answer)
                return False
        return True

    def post(self, rows: Sequence[IndexNowSubmission]) -> Answer:
        """One request, written down before it is made. A server in trouble is asked up
        to three times."""
        body = json.dumps(
            {**self.where, "urlList": [row.url for row in rows]}, sort_keys=True
        ).encode()
        payload = Blob.objects.keep(self.work.company.pk, body, JSON).sha256
        self.work.at(f"Tells IndexNow of {len(rows)} pages.")
        # The same addresses in another state are another effect.
        state = "\n".join([payload, *(row.content_hash for row in rows)])
        effect, to_do = Effect.objects.begin(
            self.work.job_run,
            "indexnow",
            sha256(state.encode()).hexdigest(),
            pages=len(rows),
            host=self.site.host,
        )
        if not to_do:
            return Answer(**effect.outcome)
        self.posts += 1
        at = self.work.clock()
        answer = ask(self.site, self.web, body, payload, at)
        # Only these are over: another is the same request once more, and may be made.
        over = Effect.State.DONE if answer.code in ENDS else Effect.State.FAILED
        effect.conclude(over, **vars(answer))
        return answer

    # --- what an answer asks for ---------------------------------------------------

    def mark(
        self, rows: Sequence[IndexNowSubmission], answer: Answer, **more: Any
    ) -> None:
        mine = IndexNowSubmission.objects.filter(pk__in=[row.pk for row in rows])
        mine.update(
            code=answer.code or None,
            said=answer.said[:300],
            batch=UUID(answer.payload[:32]),
            payload_sha256=answer.payload,
            response_sha256=answer.stored,
            sent_at=self.work.clock(),
            job_run=self.work.job_run,
            **more,
        )

    def end(self, rows: Sequence[IndexNowSubmission], answer: Answer) -> None:
        self.mark(rows, answer, state=ENDS[answer.code])
        number, host = len(rows), self.site.host
        if answer.code == OK:
            HostCircuit.objects.open(self.work.company.pk, host, JobName.CONTENT)
            # The key is good, so what was taken on credit is accepted as well.
            earlier = IndexNowSubmission.objects.filter(
                company=self.work.company, host=host, state=State.KEY_PENDING
            )
            earlier.update(state=State.ACCEPTED)
            self.announce()
            self.work.count("pages accepted", number)
            self.work.did(f"{number} pages accepted by the IndexNow endpoint.")
        elif answer.code == PENDING:
            self.work.count("pages accepted, key pending", number)
            self.work.did(
                f"{number} pages accepted by the IndexNow endpoint, which has not"
                " validated our key yet."
            )
        else:
            self.work.falls_short(
                f"IndexNow calls our request malformed ({number} pages): {answer.said}"
            )

    def announce(self) -> None:
        """Live posts that were accepted are announced by that."""
        accepted = IndexNowSubmission.objects.filter(
            company=self.work.company, state=State.ACCEPTED
        )
        posts = Post.objects.filter(company=self.work.company, state=Post.State.LIVE)
        at = self.work.clock()
        number = posts.filter(url__in=accepted.values("url")).update(
            state=Post.State.ANNOUNCED, state_since=at, updated_at=at
        )
        if number:
            self.work.count("posts announced", number)

    def put_off(self, rows: Sequence[IndexNowSubmission], answer: Answer) -> None:
        """They stay pending. 403 and 429 close the host for a while."""
        self.mark(rows, answer)
        if answer.code == NO_KEY:
            self.close("it does not find our key (403)", KEY_REST)
            raise Blocked(
                "IndexNow does not find our key (403): see whether"
                f" {self.where['keyLocation']} can be read from everywhere."
            )
        if answer.code == TOO_MANY:
            rest = rest_of(answer.retry_after, self.work.clock())
            self.close("it was told too often (429)", rest)
        why = f"It answered {answer.code}." if answer.code else answer.said
        self.work.falls_short(
            f"IndexNow was not told of {len(rows)} pages; they are told later. {why}"
        )

    def close(self, why: str, rest: timedelta | None) -> None:
        HostCircuit.objects.close(
            self.work.company.pk,
            self.site.host,
            JobName.CONTENT,
            at=self.work.clock(),
            why=why,
            rest=rest,
        )

    def judge_offenders(self) -> None:
        """What was refused alone is never sent again, once others have passed: before
        that it may as well be the key that does not match."""
        if not self.offenders:
            return
        mine = IndexNowSubmission.objects.filter(company=self.work.company)
        mine = mine.filter(host=self.site.host)
        if not mine.filter(state__in=(State.ACCEPTED, State.KEY_PENDING)).exists():
            self.close("key and pages do not match (422)", KEY_REST)
            raise Blocked(
                "IndexNow says that key and pages do not match (422): see whether"
                f" {self.where['keyLocation']} holds the “IndexNow key”."
            )
        refused = mine.filter(pk__in=[row.pk for row in self.offenders])
        refused.update(state=State.QUARANTINED)
        self.work.count("pages quarantined", len(self.offenders))
        for row in self.offenders[:20]:
            self.work.did(f"IndexNow refuses {row.url} (422): it is not sent again.")


def claim_all(work: Work) -> None:
    """Claim what this run, however often it was begun, has told."""
    rows = IndexNowSubmission.objects.filter(job_run=work.job_run, state__in=ENDED)
    told: dict[int, list[IndexNowSubmission]] = {}
    for row in rows.order_by("url"):
        told.setdefault(int(row.code or 0), []).append(row)
    for _code, batch in sorted(told.items()):
        answers = sorted({row.response_sha256 for row in batch})
        work.claim(
            "indexnow",
            f"{len(batch)} pages accepted by the IndexNow endpoint",
            host=work.site.host,
            key=work.site.indexnow_key,
            key_url=key_address(work.site),
            pages=len(batch),
            answers=answers,
        )
