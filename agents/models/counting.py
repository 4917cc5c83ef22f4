"""The statements that count: one each for what a model call does before and after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils.timezone import now

from paperclip import sql
from paperclip.models.spender import month_of

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models.grant import Scopes

EVER = datetime(1970, 1, 1, tzinfo=UTC)
# The kinds of windows.
MONTH, LIFETIME = "calendar_month_utc", "lifetime"
# Which mark a counter has reached.
LEVEL = """CASE WHEN {spent} >= m.ceiling THEN 2 WHEN {spent} >= m.warn_at THEN 1
    ELSE 0 END"""
# In the order of the ids for everybody, and with what is committed by then: who waited
# for another one sees what that one took.
RESERVE = """
WITH asks AS (
    SELECT * FROM unnest(%(metrics)s::text[], %(least)s::bigint[], %(want)s::bigint[])
        AS a(metric, least, want)
), held AS MATERIALIZED (
    SELECT counters, amounts FROM agents_budgetreservation WHERE id = %(id)s FOR UPDATE
), old AS (
    SELECT u.counter, u.amount
    FROM held, unnest(held.counters, held.amounts) AS u(counter, amount)
), mine AS MATERIALIZED (
    SELECT c.id, c.scope_type, c.scope_id, c.metric, c.ceiling, c.spent, c.overrun,
        c.reserved - coalesce(o.amount, 0) AS others,
        c.ceiling - c.spent - c.reserved + coalesce(o.amount, 0) AS room,
        c.ceiling - c.spent AS remains, a.least, a.want, coalesce(o.amount, 0) AS had
    FROM agents_budgetcounter c
    LEFT JOIN old o ON o.counter = c.id
    LEFT JOIN asks a ON a.metric = c.metric AND c.ceiling IS NOT NULL
        AND c.scope_id = ANY(%(scopes)s) AND c.starts_at = ANY(%(starts)s)
    WHERE (c.scope_id = ANY(%(scopes)s) AND c.starts_at = ANY(%(starts)s)
           AND c.ceiling IS NOT NULL AND c.metric = ANY(%(metrics)s))
        OR c.id = ANY(ARRAY(SELECT counter FROM old))
    ORDER BY c.id FOR NO KEY UPDATE OF c
), granted AS (
    SELECT metric, least(min(want), min(room)) AS amount FROM mine
    WHERE least IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM mine WHERE room < least)
    GROUP BY metric
), plan AS MATERIALIZED (
    SELECT m.*, coalesce(g.amount, 0) AS amount
    FROM mine m LEFT JOIN granted g ON g.metric = m.metric AND m.least IS NOT NULL
    WHERE NOT EXISTS (SELECT 1 FROM mine WHERE room < least)
      -- What was given back meanwhile nobody would give back again.
      AND (NOT %(renews)s OR EXISTS (SELECT 1 FROM held))
), taken AS (
    -- There is room: the rows are locked since it was looked at. The table's constraint
    -- is tried on the rows as the statement found them before it sees that they have
    -- changed since, so that all it looks at comes from the locked ones.
    UPDATE agents_budgetcounter c SET reserved = p.others + p.amount,
        spent = p.spent, ceiling = p.ceiling, overrun = p.overrun
    FROM plan p WHERE c.id = p.id
    RETURNING c.id, p.amount
), kept AS (
    INSERT INTO agents_budgetreservation
        (id, company_id, run_id, counters, amounts, counted_seconds, expires_at,
         created_at)
    SELECT %(id)s, %(company)s, %(run)s, array_agg(id ORDER BY id),
        array_agg(amount ORDER BY id), 0, %(until)s, %(at)s
    FROM taken HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE SET counters = excluded.counters,
        amounts = excluded.amounts, expires_at = excluded.expires_at
), refused AS (
    -- Nothing that is under way can make room for it any more.
    UPDATE agents_budgetcounter c SET reached = 2 FROM mine m
    WHERE c.id = m.id AND m.room < m.least AND m.remains < m.least
)
SELECT opened.yes, m.scope_type, m.scope_id, m.metric, m.ceiling, m.room, m.remains,
    m.least, g.amount
FROM (
    SELECT count(*) = 2 AS yes FROM agents_budgetcounter
    WHERE scope_id IN (%(company)s, %(agent)s) AND metric = 'billed_cents'
      AND starts_at = %(month)s
) opened
LEFT JOIN mine m ON m.least IS NOT NULL
LEFT JOIN granted g ON g.metric = m.metric
"""
EVENT = (
    "agent_id, company_id, run_id, issue_id, project_id, goal_id, billing_code,"
    " provider, biller, billing_type, model, input_tokens, cached_input_tokens,"
    " output_tokens, cost_micros, estimated, occurred_at"
)
ENTER = f"""
WITH event AS (
    INSERT INTO agents_costevent (id, created_at, updated_at, {EVENT})
    SELECT %(id)s::uuid, %(at)s, %(at)s, %(agent_id)s, %(company_id)s, %(run_id)s,
        %(issue_id)s, %(project_id)s, %(goal_id)s, %(billing_code)s, %(provider)s,
        %(biller)s, %(billing_type)s, %(model)s, %(input_tokens)s,
        %(cached_input_tokens)s, %(output_tokens)s, %(cost_micros)s, %(estimated)s,
        %(occurred_at)s
    WHERE %(id)s::uuid IS NOT NULL
    ON CONFLICT (id) DO NOTHING RETURNING id
), news AS (
    SELECT %(counts)s::boolean OR EXISTS (SELECT 1 FROM event) AS yes
), used AS (
    SELECT u.metric, u.amount
    FROM unnest(%(metrics)s::text[], %(used)s::bigint[]) AS u(metric, amount), news
    WHERE news.yes
), reservation AS MATERIALIZED (
    SELECT counters, amounts FROM agents_budgetreservation
    WHERE id = %(reservation)s::uuid FOR UPDATE
), held AS (
    SELECT u.counter, u.amount FROM reservation,
        unnest(reservation.counters, reservation.amounts) AS u(counter, amount)
), mine AS MATERIALIZED (
    SELECT c.id, c.scope_id, c.spent, c.reserved, c.overrun, c.ceiling, c.warn_at,
        c.reached, h.amount AS had,
        CASE WHEN c.scope_id = ANY(%(scopes)s) AND c.starts_at = ANY(%(starts)s)
            THEN coalesce(u.amount, 0) ELSE 0 END AS used,
        CASE WHEN %(whole)s THEN coalesce(h.amount, 0)
            ELSE least(coalesce(h.amount, 0), coalesce(u.amount, 0)) END AS back
    FROM agents_budgetcounter c
    LEFT JOIN used u ON u.metric = c.metric
    LEFT JOIN held h ON h.counter = c.id
    WHERE (c.scope_id = ANY(%(scopes)s) AND c.starts_at = ANY(%(starts)s))
        OR c.id = ANY(ARRAY(SELECT counter FROM held))
    ORDER BY c.id FOR NO KEY UPDATE OF c
), gone AS (
    DELETE FROM agents_budgetreservation r
    WHERE %(whole)s AND r.id = %(reservation)s::uuid
), left_over AS (
    UPDATE agents_budgetreservation r SET counters = s.counters, amounts = s.amounts,
        counted_seconds = r.counted_seconds + %(seconds)s
    FROM (
        SELECT array_agg(id ORDER BY id) AS counters,
            array_agg(had - back ORDER BY id) AS amounts
        FROM mine WHERE had IS NOT NULL HAVING count(*) > 0
    ) s
    WHERE NOT %(whole)s AND r.id = %(reservation)s::uuid
), counted AS (
    -- As in RESERVE: of the locked rows alone.
    UPDATE agents_budgetcounter c SET spent = m.spent + m.used,
        reserved = m.reserved - m.back, ceiling = m.ceiling,
        overrun = greatest(m.overrun,
            m.spent + m.used + m.reserved - m.back - m.ceiling),
        reached = greatest(m.reached, {LEVEL.format(spent="m.spent + m.used")})
    FROM mine m WHERE c.id = m.id AND (m.used <> 0 OR m.back <> 0)
)
SELECT mine.scope_id, news.yes FROM news LEFT JOIN mine ON true
"""  # noqa: S608 (of our own parts)
LIMIT = """
UPDATE agents_budgetcounter c SET ceiling = %(ceiling)s, warn_at = %(warn_at)s,
    overrun = greatest(0, c.spent + c.reserved - %(ceiling)s::bigint),
    reached = CASE WHEN c.spent >= %(ceiling)s::bigint THEN 2
        WHEN c.spent >= %(warn_at)s::bigint THEN 1 ELSE 0 END
WHERE c.scope_id = %(scope)s AND c.metric = %(metric)s AND c.starts_at = %(start)s
"""
GIVE_BACK = """
WITH dead AS (
    DELETE FROM agents_budgetreservation WHERE id IN (
        SELECT id FROM agents_budgetreservation WHERE expires_at <= %(at)s
        ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING id, counters, amounts
), back AS (
    SELECT u.counter, sum(u.amount) AS amount
    FROM dead, unnest(dead.counters, dead.amounts) AS u(counter, amount) GROUP BY 1
), mine AS MATERIALIZED (
    SELECT c.id, b.amount FROM agents_budgetcounter c JOIN back b ON b.counter = c.id
    ORDER BY c.id FOR NO KEY UPDATE OF c
), given AS (
    UPDATE agents_budgetcounter c SET reserved = c.reserved - m.amount
    FROM mine m WHERE c.id = m.id
)
SELECT count(*) FROM dead
"""
# The windows that a company's limits and sums need now and do not have.
MISSING = """
SELECT w.scope_type, w.scope_id, w.metric, w.starts_at, w.ceiling, w.warn_at FROM (
    SELECT scope_type, scope_id, metric,
        CASE window_kind WHEN 'lifetime' THEN %(ever)s ELSE %(month)s END AS starts_at,
        CASE WHEN hard_stop THEN amount * u.unit END AS ceiling,
        (amount * u.unit * warn_percent + 99) / 100 AS warn_at, 1 AS turn
    FROM agents_budgetpolicy JOIN (VALUES ('billed_cents', 10000::bigint),
        ('tokens', 1), ('runs', 1), ('minutes', 60)) AS u(name, unit) ON u.name = metric
    WHERE company_id = %(company)s AND is_active
    UNION ALL
    SELECT 'company', %(company)s, 'billed_cents', %(month)s, NULL, NULL, 2
    UNION ALL
    SELECT 'agent', %(agent)s, 'billed_cents', %(month)s, NULL, NULL, 2
    WHERE %(agent)s::uuid IS NOT NULL
) w
WHERE NOT EXISTS (
    SELECT 1 FROM agents_budgetcounter c WHERE c.scope_id = w.scope_id
    AND c.metric = w.metric AND c.starts_at = w.starts_at)
ORDER BY w.turn, w.scope_id, w.metric
"""
# What the ledger and the runs have of it already.
TOLD = """
SELECT coalesce(sum({what}), 0) FROM agents_costevent
WHERE {scope}_id = %(id)s AND occurred_at >= %(since)s
"""
RAN = """
SELECT coalesce(sum({what}), 0) FROM agents_run
WHERE {scope}_id = %(id)s AND started_at IS NOT NULL
  AND (finished_at >= %(since)s OR status = 'running' AND NOT is_budgeted)
"""
SUMS = {
    "billed_cents": (TOLD, "cost_micros"),
    "tokens": (TOLD, "greatest(input_tokens, cached_input_tokens) + output_tokens"),
    "runs": (RAN, "1"),
    "minutes": (
        RAN,
        "extract(epoch FROM coalesce(finished_at, now())"
        " - greatest(started_at, %(since)s))",
    ),
}
OF_EVENT: dict[str, Any] = {
    "id": None,
    "run_id": None,
    "goal_id": None,
    "billing_code": None,
    "provider": "",
    "biller": "",
    "billing_type": "metered_api",
    "model": "",
    "input_tokens": 0,
    "cached_input_tokens": 0,
    "output_tokens": 0,
    "cost_micros": None,
    "estimated": False,
}


def windows(at: datetime) -> list[datetime]:
    """The starts of the windows that moment is in."""
    return [EVER, month_of(at)]


def event_columns(
    event: dict[str, Any] | None, scopes: Scopes, at: datetime
) -> dict[str, Any]:
    """The columns of a cost event, or of none."""
    return {
        **OF_EVENT,
        **scopes._asdict(),
        "occurred_at": at,
        "at": now(),
        **(event or {}),
    }


def wait_for_ledger() -> None:
    """Until the commit nobody adds to the ledger: what is summed now is what was told
    before, and what comes later finds the counter."""
    sql.planned("LOCK TABLE agents_costevent IN SHARE MODE")


def sum_of(scope_type: str, scope_id: UUID, metric: str, since: datetime) -> int:
    """How much of it a scope has used since then."""
    statement, what = SUMS[metric]
    told = {"id": scope_id, "since": since}
    return int(sql.planned(statement.format(scope=scope_type, what=what), **told)[0][0])
