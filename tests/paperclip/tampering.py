"""What somebody might do to the log of acts who owns the database. The tests and the
benchmark of the audit do it, to the entries {one} and {other} of one company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[[str], Any]

# An edit of each field of an act, which never leaves it as it was.
FIELDS = {
    "id": "gen_random_uuid()",
    "company_id": "(SELECT id FROM paperclip_company WHERE id <> company_id LIMIT 1)",
    "actor_type": "actor_type || 'x'",
    "actor_id": "reverse(actor_id) || '1'",
    "actor_name": "upper(actor_name) || ' '",
    "action": "'issue.approved'",
    "entity_type": "entity_type || 's'",
    "entity_id": "gen_random_uuid()::text",
    "agent_id": "gen_random_uuid()",
    "run_id": "gen_random_uuid()",
    "details": "details || jsonb_build_object('was', gen_random_uuid())",
    "created_at": "created_at + interval '1 microsecond'",
}
INSERT_ACT = """
INSERT INTO paperclip_activity (seq, id, company_id, actor_type, actor_id, actor_name,
    action, entity_type, entity_id, agent_id, run_id, details, created_at)
SELECT seq + 2000000000, gen_random_uuid(), company_id, actor_type, actor_id,
    actor_name, action, entity_type, entity_id, agent_id, run_id, details, created_at
FROM paperclip_activity WHERE seq = {act_of_one}
"""
INSERT_SEAL = """
INSERT INTO paperclip_seal (seq, company_id, number, digest)
SELECT seq + 4000000000, company_id, number + 1000000000, digest
FROM paperclip_seal WHERE {one}
"""
# The one says what the other said, and the other way round.
SWAP_ACTS = (
    """
    UPDATE paperclip_activity SET seq = -seq WHERE seq IN ({act_of_one}, {act_of_other})
    """,
    """
    UPDATE paperclip_activity SET seq = {act_of_one} + {act_of_other} + seq
    WHERE seq IN (-{act_of_one}, -{act_of_other})
    """,
)
KEEP_PAIR = """
CREATE TEMP TABLE pair ON COMMIT DROP AS
SELECT s.*, sum(number) OVER () - number AS place FROM paperclip_seal s
WHERE ({one}) OR ({other})
"""
# Out of the way first, as there are unique columns among them.
SWAP_SEALS = {
    "seq": "UPDATE paperclip_seal s SET seq = -s.seq WHERE ({one}) OR ({other})",
    "digest": "SELECT 1",
    "number": "UPDATE paperclip_seal s SET number = -number WHERE ({one}) OR ({other})",
}
PUT_PAIR = {
    "seq": """
    UPDATE paperclip_seal s SET seq = pair.seq FROM pair
    WHERE s.company_id = pair.company_id AND s.number = pair.place
    """,
    "digest": """
    UPDATE paperclip_seal s SET digest = pair.digest FROM pair
    WHERE s.company_id = pair.company_id AND s.number = pair.place
    """,
    "number": """
    UPDATE paperclip_seal s SET number = pair.place FROM pair WHERE s.seq = pair.seq
    """,
}
EDIT_ACT = "UPDATE paperclip_activity SET {} WHERE seq = {{act_of_one}}"
EDIT_SEAL = "UPDATE paperclip_seal SET {} WHERE {{one}}"

# What is done: as what it is found, and by which statements.
MUTATIONS: dict[str, tuple[str, *tuple[str, ...]]] = {
    **{
        f"edit {name}": ("act_edited", EDIT_ACT.format(f"{name} = {value}"))
        for name, value in FIELDS.items()
    },
    # Nobody writes it otherwise, and no page can show it.
    "move before Christ": (
        "act_edited",
        EDIT_ACT.format(
            "created_at = (to_char(created_at, 'YYYY-MM-DD HH24:MI:SS.USOF')"
            " || ' BC')::timestamptz"
        ),
    ),
    "edit seq": ("act_removed", EDIT_ACT.format("seq = seq + 1000000000")),
    "remove an act": (
        "act_removed",
        "DELETE FROM paperclip_activity WHERE seq = {act_of_one}",
    ),
    "insert an act": ("act_inserted", INSERT_ACT),
    "swap acts": ("reordered", *SWAP_ACTS),
    "edit a seal": (
        "seal_edited",
        EDIT_SEAL.format("digest = set_bit(digest, 77, 1 - get_bit(digest, 77))"),
    ),
    "edit seq of a seal": ("act_removed", EDIT_SEAL.format("seq = seq + 3000000000")),
    "edit number of a seal": ("seal_removed", EDIT_SEAL.format("number = -number")),
    "edit company of a seal": (
        "seal_removed",
        EDIT_SEAL.format(f"number = -number, company_id = {FIELDS['company_id']}"),
    ),
    "remove a seal": ("seal_removed", "DELETE FROM paperclip_seal WHERE {one}"),
    "insert a seal": ("seal_inserted", INSERT_SEAL),
    **{
        f"swap {column} of seals": (
            "reordered",
            KEEP_PAIR,
            SWAP_SEALS[column],
            PUT_PAIR[column],
            "DROP TABLE pair",
        )
        for column in SWAP_SEALS
    },
}


def arm(run: Run, company: Any) -> None:
    """Begin, as the owner of the tables, whom no trigger stops."""
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("ALTER TABLE paperclip_activity DISABLE TRIGGER USER")
    run("ALTER TABLE paperclip_seal DISABLE TRIGGER USER")
    run(f"SET LOCAL tampering.company = '{company}'")


def tamper(run: Run, name: str, one: int, other: int = 0) -> str:
    """Do it. As what it is to be found."""
    found_as, *statements = MUTATIONS[name]
    ours = "company_id = current_setting('tampering.company')::uuid AND number = "
    told = {"one": f"{ours}{one}", "other": f"{ours}{other}"}
    acts = {
        f"act_of_{name}": f"(SELECT seq FROM paperclip_seal WHERE {where})"  # noqa: S608
        for name, where in told.items()
    }
    for statement in statements:
        run(statement.format(**told, **acts))
    return found_as
