from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from paperclip.exceptions import Invalid

EVERY_DAY = range(7)
# The columns it takes to know them.
HOURS = (
    *("heartbeat_enabled", "interval_seconds", "next_heartbeat_at"),
    *("active_days", "active_from", "active_to", "time_zone"),
)


class ActiveHours(models.Model):
    """When the engine starts an agent by itself, and when it may: without days it is
    every day, and without times around the clock. A person may start it at any hour."""

    heartbeat_enabled = models.BooleanField(default=False)
    interval_seconds = models.PositiveIntegerField(_("interval in seconds"), default=0)
    next_heartbeat_at = models.DateTimeField(null=True, blank=True)
    # 0 is Monday, as in datetime.weekday().
    active_days = ArrayField(
        models.PositiveSmallIntegerField(), default=list, blank=True
    )
    active_from = models.TimeField(_("active from"), null=True, blank=True)
    # At or before `active_from`, it is on the next day.
    active_to = models.TimeField(_("active to"), null=True, blank=True)
    # An IANA name; empty: the instance's.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")

    class Meta:
        abstract = True

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone or settings.TIME_ZONE)

    def must_have_sensible_hours(self) -> None:
        """Invalid for a day, a zone or half a span that makes no sense."""
        if self.time_zone and self.time_zone not in available_timezones():
            raise Invalid(
                f"There is no time zone {self.time_zone!r}: write one like"
                " Europe/Lisbon."
            )
        if unknown := [d for d in self.active_days if d not in EVERY_DAY]:
            raise Invalid(f"A day is 0 (Monday) to 6 (Sunday), not {unknown[0]}.")
        if (self.active_from is None) != (self.active_to is None):
            raise Invalid("Active hours have a beginning and an end: give both.")

    def opens_at(self, moment: datetime) -> datetime | None:
        """None while it is active at the moment; else when it is active again."""
        if not self.active_days and self.active_from == self.active_to:
            return None
        here = moment.astimezone(self.zone)
        # The span that began yesterday may reach into today.
        for days in range(-1, 9):
            day = here.date() + timedelta(days=days)
            if self.active_days and day.weekday() not in self.active_days:
                continue
            begin, end = self._span(day)
            if begin <= moment < end:
                return None
            if begin > moment:
                return begin
        return None

    def _span(self, day: date) -> tuple[datetime, datetime]:
        """The active hours that begin on this day, as moments. On a day when clocks
        change they begin and end at the times that clocks show."""
        start = self.active_from or time()
        end = self.active_to or time()
        last = day + timedelta(days=end <= start)
        # In UTC: two moments of one zone are compared by what their clocks show.
        return (
            datetime.combine(day, start, self.zone).astimezone(UTC),
            datetime.combine(last, end, self.zone).astimezone(UTC),
        )

    def alarm_after(self, moment: datetime) -> datetime | None:
        """The next time its timer rings. The phase is the agent's own, from its id,
        so that the agents of a company do not all start together."""
        if not (self.heartbeat_enabled and self.interval_seconds):
            return None
        phase = self.pk.int % self.interval_seconds
        since = moment.timestamp() - phase
        left = self.interval_seconds - since % self.interval_seconds
        return moment + timedelta(seconds=left)
