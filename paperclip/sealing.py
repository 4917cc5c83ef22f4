"""Seals what was done, so that nobody can change, remove, add or reorder it unseen.

The seals of a company are a chain: each is the SHA-256 of the seal before it (nothing,
for the first) followed by the canonical JSON of its act. `verify_audit` computes them
anew, and signed checkpoints (`paperclip.checkpoints`) fix the end of the chain outside
of the database.

**Canonical JSON** is an array of the act's thirteen values in the order of ENTRY, in
UTF-8, as PostgreSQL's `json_build_array` and Python's `json.dumps(...,
ensure_ascii=False)` both write it: `, ` between items, `: ` after a key, no other
space. Ids are text. The time is `2026-11-26T16:35:07.199694Z`, always with six digits
(` BC` behind it would be an act from before Christ: nobody writes one).
In `details` numbers keep the digits they were written with, and the keys of an object
are ordered by their length in bytes, then bytewise, as jsonb has them. (RFC 8785 sorts
by UTF-16 units and rewrites numbers, which PostgreSQL cannot.)

**Order.** A sequence gives `seq` when an act is written, and transactions commit in any
order: a lower `seq` may become visible after a higher one was sealed, and one that is
rolled back never does. So the chain does not follow `seq`. An act is sealed as soon as
it is seen, and `Seal.number` counts the chain, by one, without a gap. What has to be
sealed stands in a table of its own (`Unsealed`), written in the same statement as the
act, so nothing has to be searched for, and one long transaction holds up nobody else's
seals.

**Why not where the act is written?** Each act would wait for the commit of the one
before it, which a disk does some 300 times a second. Here the sweep seals all that
waits in one statement, twice a second. What is removed within that time, by somebody
who also clears its line of `Unsealed`, leaves no trace.
"""

from __future__ import annotations

from importlib import import_module

from django.db import transaction

from paperclip import sql

# So many acts a round: a second of the most a company was ever measured to do.
BATCH = 4000

ENTRY = """json_build_array(a.seq, a.id, a.company_id, a.actor_type, a.actor_id,
    a.actor_name, a.action, a.entity_type, a.entity_id, a.agent_id, a.run_id, a.details,
    to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    || CASE WHEN a.created_at < '0001-01-01 UTC' THEN ' BC' ELSE '' END)::text"""

BEGIN = """
INSERT INTO paperclip_chain
    (company_id, length, head, checkpoint, verified, findings)
SELECT DISTINCT company_id, 0, ''::bytea, 0, 0, '[]'::jsonb FROM paperclip_unsealed u
WHERE NOT EXISTS (SELECT FROM paperclip_chain c WHERE c.company_id = u.company_id)
ON CONFLICT DO NOTHING
"""
# A chain that another sweep is adding to is its own.
HOLD = """
SELECT company_id FROM paperclip_chain
WHERE company_id IN (SELECT company_id FROM paperclip_unsealed)
FOR UPDATE SKIP LOCKED
"""
SEAL = f"""
WITH entry AS (
    SELECT a.seq, a.company_id, {ENTRY} AS said
    FROM paperclip_unsealed u JOIN paperclip_activity a USING (seq)
    WHERE a.company_id = ANY(%(companies)s)
    ORDER BY seq LIMIT %(most)s
), link AS (
    SELECT seq, company_id, c.length + row_number() OVER chain AS number,
        paperclip_seal(c.head, said) OVER chain AS digest
    FROM entry JOIN paperclip_chain c USING (company_id)
    WINDOW chain AS (PARTITION BY company_id ORDER BY seq)
), sealed AS (
    INSERT INTO paperclip_seal (seq, company_id, number, digest)
    SELECT seq, company_id, number, digest FROM link
), gone AS (
    DELETE FROM paperclip_unsealed u USING link WHERE u.seq = link.seq
), last AS (
    SELECT DISTINCT ON (company_id) company_id, number, digest FROM link
    ORDER BY company_id, number DESC
), moved AS (
    UPDATE paperclip_chain c SET length = number, head = digest, sealed_at = now()
    FROM last WHERE c.company_id = last.company_id
)
SELECT count(*) FROM link
"""  # noqa: S608

# Enabled, and before each UPDATE, DELETE and TRUNCATE, as its migration made it.
GUARDS = """
SELECT c.relname, p.prosrc FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgname = 'append_only' AND t.tgenabled IN ('O', 'A') AND t.tgtype = 58
    AND t.tgqual IS NULL AND pg_table_is_visible(c.oid)
"""
GUARD = import_module("paperclip.migrations.0007_sealing").APPEND_ONLY
GUARDED = ("paperclip_activity", "paperclip_seal")


def unguarded() -> list[str]:
    """The tables of these that take edits, because somebody has switched off, changed
    or removed the trigger that refuses them."""
    kept = {name for name, body in sql.planned(GUARDS) if body in GUARD}
    return [name for name in GUARDED if name not in kept]


def seal(most: int = BATCH) -> int:
    """Seal what waits, of all companies; how many acts. The oldest first, and safe
    beside another sweep: what that one is at is left to it."""
    if not sql.planned("SELECT 1 FROM paperclip_unsealed LIMIT 1"):
        return 0
    with transaction.atomic():
        sql.planned(BEGIN)
        # A statement of its own: the next one sees what the last holder committed.
        held = [company for (company,) in sql.planned(HOLD)]
        return int(sql.planned(SEAL, companies=held, most=most)[0][0])
