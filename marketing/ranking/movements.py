"""What has moved: a change that two looks in a row have seen, and nothing when too few
keywords were measured to speak of a trend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from marketing.models import RankAlert, RankReading

if TYPE_CHECKING:
    from typing import Any

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
    for keyword in keywords:
        for metric, looks in series(keyword).items():
            for change in changes(looks):
                alert, is_new = RankAlert.objects.get_or_create(
                    keyword=keyword,
                    metric=metric,
                    kind=change.kind,
                    day=looks[0].day,
                    defaults={
                        "company_id": keyword.company_id,
                        "said": f"{keyword}: {change.said}"[:300],
                        "job_run": work.job_run,
                    },
                )
                if is_new:
                    work.did(alert.said)
                    work.count("changes of position")


def series(keyword: Keyword) -> dict[Any, list[RankReading]]:
    """The newest looks that measured something, by metric, the newest first."""
    told: dict[Any, list[RankReading]] = defaultdict(list)
    good = RankReading.objects.filter(
        keyword=keyword, status__in=["ranked", "not_found"]
    )
    for row in good.order_by("-day", "-tick_at", "-created_at")[: 3 * LOOKS * 10]:
        if len(told[row.metric]) < LOOKS:
            told[row.metric].append(row)
    return {metric: rows for metric, rows in told.items() if len(rows) == LOOKS}


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
