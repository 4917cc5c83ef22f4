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
WITH rang AS MATERIALIZED (
    SELECT id FROM agents_agent
    WHERE heartbeat_enabled AND interval_seconds > 0 AND next_heartbeat_at < %(at)s
      AND (%(company)s::uuid IS NULL OR company_id = %(company)s)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE agents_agent a SET next_heartbeat_at = %(at)s + make_interval(
    secs => 1 + mod(abs(hashtext(a.id::text)::bigint),
                least(a.interval_seconds, %(window)s)::bigint))
FROM rang WHERE a.id = rang.id
"""


def spread(at: datetime, company_id: UUID | None = None) -> None:
    """Let those of the company, or of all, that rang before then ring again one after
    the other: they would start in one burst."""
    sql.planned(SPREAD, at=at, window=CATCH_UP_SECONDS, company=company_id)
