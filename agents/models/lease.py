"""How long a running run is believed to run: as long as somebody renews its lease."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.timezone import now

from agents.models.end import Endable


class Leased(Endable):
    class Meta:
        abstract = True

    def renew(self) -> bool:
        """Hold the lease a little longer. False once the run has ended: stop then."""
        mine = type(self).objects.live().filter(pk=self.pk)
        return bool(mine.update(lease_expires_at=self._lease_end()))

    def revive(self) -> bool:
        """Hold the lease once more that nobody renewed. False when it is held."""
        mine = type(self).objects.expired().filter(pk=self.pk)
        return bool(mine.update(lease_expires_at=self._lease_end()))

    def _lease_end(self) -> datetime:
        return now() + timedelta(seconds=settings.LEASE_SECONDS)
