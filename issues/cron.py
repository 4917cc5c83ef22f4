"""When recurring work comes due: a cron line of five fields, in a time zone.

The rules are Debian cron's, also when clocks change. What has a fixed hour happens once
a day: right after the change if clocks skip it, the first time if they show it twice.
What has a * for its minute or hour goes by the time that passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from paperclip.exceptions import Invalid

# cronsim's name of a field: its place, ours, and what may stand there.
FIELDS = {
    "minute": (0, "minute", "0 to 59"),
    "hour": (1, "hour", "0 to 23"),
    "day-of-month": (2, "day of the month", "1 to 31 and in one of its months, or L"),
    "month": (3, "month", "1 to 12, or JAN to DEC"),
    "day-of-week": (4, "weekday", "0 (Sunday) to 6, or SUN to SAT"),
}
WEEKDAYS = [
    gettext_lazy("Sunday"),
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
]
LAST_DAY = "L"
# A number of minutes that an hour is made of.
STEP = re.compile(r"\*/(2|3|4|5|6|10|12|15|20|30) \* \* \* \*")
NEVER = "The cron line %r never comes due: no year has such a day."


def check(expression: str, zone: str) -> None:
    """Invalid, saying what is wrong, for a line or a zone that makes no sense."""
    if zone not in available_timezones():
        raise Invalid(
            f"There is no time zone {zone!r}: write one like Europe/Lisbon.",
            code="bad_time_zone",
            path=["timezone"],
        )
    if problem := problem_of(expression):
        raise Invalid(problem, code="bad_cron_expression", path=["cronExpression"])


def problem_of(expression: str) -> str:
    """What is wrong with a line, in a sentence; empty when nothing is."""
    parts = expression.split()
    if len(parts) != len(FIELDS):
        return (
            "A cron line has five fields (minute, hour, day of the month, month,"
            f" weekday), like 0 9 * * 1. {expression!r} has {len(parts)}."
        )
    try:
        lines = CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        place, name, allowed = FIELDS[str(error).removeprefix("Bad ")]
        return f"The {name} {parts[place]!r} of a cron line is not {allowed}."
    return "" if next(lines, None) else NEVER % expression


def slots(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The moments after that one at which it is due, in UTC."""
    last = after
    for found in CronSim(expression, after.astimezone(ZoneInfo(zone))):
        moment = found.astimezone(UTC)
        # The hour that clocks show twice is gone through by what they show, and what
        # clocks skip comes due together.
        if moment > last:
            yield (last := moment)


def following(expression: str, zone: str, after: datetime) -> datetime:
    """The first of them. Invalid when there is none."""
    found = next(slots(expression, zone, after), None)
    if found is None:
        raise Invalid(NEVER % expression, code="bad_cron_expression")
    return found


def next_times(expression: str, zone: str, after: datetime, n: int) -> list[datetime]:
    """The next n of them, as clocks in the zone show them."""
    here = ZoneInfo(zone)
    return [
        moment.astimezone(here) for moment in islice(slots(expression, zone, after), n)
    ]


def due_since(expression: str, zone: str, first: datetime, at: datetime) -> list:
    """The slot that is due and all that have followed it until now."""
    found = [first]
    for moment in slots(expression, zone, first):
        if moment > at:
            break
        found.append(moment)
    return found


class Schedule(NamedTuple):
    """A cron line and the time zone it is meant in."""

    expression: str
    zone: str = "UTC"


class Rhythm(NamedTuple):
    """A schedule that people choose without knowing cron: `every` is day, weekday,
    week or month; `on` the weekday (0 is Sunday) or the day of the month (or L)."""

    every: str
    hour: int
    minute: int
    on: str = ""

    @classmethod
    def of(cls, expression: str) -> Rhythm | None:
        """What a cron line says in these words; None when it says more."""
        if problem_of(expression):
            return None
        minute, hour, day, month, weekday = expression.upper().split()
        if not (minute.isdecimal() and hour.isdecimal() and month == "*"):
            return None
        every = {
            ("*", "*"): "day",
            ("*", "1-5"): "weekday",
            ("*", weekday if weekday.isdecimal() else ""): "week",
            (day if day.isdecimal() or day == LAST_DAY else "", "*"): "month",
        }.get((day, weekday))
        on = {
            "week": str(int(weekday) % 7) if weekday.isdecimal() else "",
            "month": day,
        }
        return cls(every, int(hour), int(minute), on.get(every, "")) if every else None

    @property
    def expression(self) -> str:
        day = self.on if self.every == "month" else "*"
        week = {"weekday": "1-5", "week": self.on}.get(self.every, "*")
        return f"{self.minute} {self.hour} {day} * {week}"

    def __str__(self) -> str:
        time = f"{self.hour:02}:{self.minute:02}"
        if self.every == "week":
            day = WEEKDAYS[int(self.on)]
            return _("every %(day)s at %(time)s") % {"day": day, "time": time}
        if self.every == "month" and self.on == LAST_DAY:
            return _("on the last day of every month at %(time)s") % {"time": time}
        words = {
            "day": _("every day at %(time)s"),
            "weekday": _("Monday to Friday at %(time)s"),
            "month": _("on day %(on)s of every month at %(time)s"),
        }
        return words[self.every] % {"time": time, "on": self.on}


def in_words(expression: str, zone: str) -> str:
    """`every Monday at 09:00, Europe/Lisbon`"""
    if problem_of(expression):
        return expression
    rhythm = Rhythm.of(expression)
    if rhythm is not None:
        return f"{rhythm}, {zone}"
    if step := STEP.fullmatch(" ".join(expression.split())):
        return _("every %(n)s minutes") % {"n": step[1]}
    told = CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)).explain()
    return f"{told[:1].lower()}{told[1:]}, {zone}"
