"""Timers that rang while nobody could hear them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from paperclip import sql

if TYPE_CHECKING:
    from datetime import datetime

# They ring again within so many seconds, or their interval.
CATCH_UP_SECONDS = 900
SPREAD = """
UPDATE agents_agent SET next_heartbeat_at = %(at)s + make_interval(
    secs => 1 + mod(abs(hashtext(id::text)::bigint),
                least(interval_seconds, %(window)s)::bigint))
WHERE heartbeat_enabled AND interval_seconds > 0 AND next_heartbeat_at < %(at)s
  AND (%(company)s::uuid IS NULL OR company_id = %(company)s)
"""


def spread(at: datetime, company_id: UUID | None = None) -> None:
    """Let those of the company, or of all, that rang before then ring again one after
    the other: they would start in one burst."""
    sql.planned(SPREAD, at=at, window=CATCH_UP_SECONDS, company=company_id)
