"""What has moved: a change that two looks in a row have seen, and nothing when too few
keywords were measured to speak of a trend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from marketing.models import RankAlert, RankReading

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.models import Keyword

# Less than this share of the keywords measured says nothing about all of them.
COVERAGE = 0.8
TOP, FIRST_TWO = 10, 20
# So far it has to move to be told: at the top, and behind it.
STEP_AT_TOP, STEP_BEHIND = 3, 5
LOOKS = 3
OUT = 101.0


class Change(NamedTuple):
    kind: str
    said: str


def note(work: Work, keywords: Sequence[Keyword], measured: int) -> None:
    """Write down each confirmed change, once, and tell of it."""
    if measured < COVERAGE * len(keywords):
        work.did(
            f"Only {measured} of {len(keywords)} keywords were measured: too few to"
            " say how positions move."
        )
        return
    for looks in series(keywords):
        new = looks[0]
        for change in changes(looks):
            alert, is_new = RankAlert.objects.get_or_create(
                keyword=new.keyword,
                metric=new.metric,
                kind=change.kind,
                day=new.day,
                defaults={
                    "company_id": new.company_id,
                    "said": f"{new.keyword}: {change.said}"[:300],
                    "job_run": work.job_run,
                },
            )
            if is_new:
                work.did(alert.said)
                work.count("changes of position")


def series(keywords: Sequence[Keyword]) -> list[list[RankReading]]:
    """For each keyword and metric the three newest looks that measured something, the
    newest first; nothing where there are fewer."""
    newest = (F("day").desc(), F("tick_at").desc(), F("created_at").desc())
    good = RankReading.objects.filter(
        keyword__in=keywords, status__in=["ranked", "not_found"]
    ).annotate(
        place=Window(RowNumber(), partition_by=["keyword", "metric"], order_by=newest)
    )
    rows = good.filter(place__lte=LOOKS).select_related("keyword")
    found: dict[tuple[Any, str], list[RankReading]] = defaultdict(list)
    for row in rows.order_by("keyword__text", "keyword_id", "metric", "place"):
        found[row.keyword_id, row.metric].append(row)
    return [looks for looks in found.values() if len(looks) == LOOKS]


def changes(looks: Sequence[RankReading]) -> Iterator[Change]:
    """What the two newest of three looks agree on against the one before."""
    new, last, before = looks
    at = [row.position if row.position is not None else OUT for row in looks]
    inside = [one <= TOP for one in at]
    if inside == [True, True, False]:
        yield Change("entered_top_10", f"among the first ten, at {at[0]:g}.")
    elif inside == [False, False, True]:
        where = f"at {at[0]:g}" if at[0] != OUT else "not found"
        yield Change("left_top_10", f"no longer among the first ten, {where}.")
    elif moved(at):
        word = "up" if at[0] < at[2] else "down"
        yield Change(word, f"{word} from {at[2]:g} to {at[0]:g}.")
    same = new.url == last.url != before.url
    if same and new.url and before.url:
        yield Change("url_switched", f"another page of ours ranks now: {new.url}")


def moved(at: Sequence[float]) -> bool:
    """Whether both new looks are a step away from the old one, the same way."""
    new, last, before = at
    if max(at) > FIRST_TWO:
        return False
    step = STEP_AT_TOP if before <= TOP else STEP_BEHIND
    both = [before - new, before - last]
    return all(one >= step for one in both) or all(one <= -step for one in both)
