"""The log of acts. A verb records what it did in the transaction that does it, and
the sweep seals it (`paperclip.sealing`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import models, transaction
from django.utils.module_loading import import_string
from django.utils.timezone import now

from paperclip import live, sql

if TYPE_CHECKING:
    from paperclip.actors import Actor

RECORD = """
WITH act AS (
    INSERT INTO paperclip_activity
        (id, company_id, actor_type, actor_id, actor_name, action, entity_type,
         entity_id, agent_id, run_id, details, created_at)
    VALUES (%(id)s, %(company)s, %(actor_type)s, %(actor_id)s, %(actor_name)s,
        %(action)s, %(entity_type)s, %(entity_id)s, %(agent)s, %(run)s,
        %(details)s::jsonb, %(at)s)
    RETURNING seq, company_id
)
INSERT INTO paperclip_unsealed (seq, company_id) SELECT seq, company_id FROM act
"""
# What the wire calls a row, where that is not its model's name.
ENTITY = {"run": "heartbeat_run", "apikey": "agent_api_key"}


REDACTED = "[redacted]"


def kept(company_id: UUID) -> Iterable[str]:
    """The values that the company keeps. By its dotted name: that floor is above."""
    found: Iterable[str] = import_string("agents.scrubbers.values_of")(company_id)
    return found


# What knows the secret values of a company, in each form in which they may be written.
secrets_of: list[Callable[[UUID], Iterable[str]]] = [kept]


def record(by: Actor, action: str, subject: models.Model, **details: Any) -> None:
    """Log one act, and tell the open pages once it is committed.

    `action` is `noun.past_tense`; `details` are JSON values with no personal data. Of
    a secret of the company that is in them, `[redacted]` is written.
    Outside a transaction it raises RuntimeError: the log and the act stand together.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("audit.record() outside a transaction")
    name = subject._meta.model_name or ""
    company_id = subject.company_id  # type: ignore[attr-defined]
    # A run with a person's key is still its agent's doing.
    doer = by.doer
    sql.planned(
        RECORD,
        id=uuid4(),
        company=company_id,
        actor_type=by.kind,
        actor_id=by.id,
        actor_name=by.name,
        action=action,
        entity_type=ENTITY.get(name, name),
        entity_id=str(subject.pk),
        agent=doer.pk if doer else None,
        run=by.run_id,
        details=json.dumps(redact(company_id, details)),
        at=now(),
    )
    live.changed(company_id)


def redact(company_id: UUID, value: Any) -> Any:
    """The JSON value with every secret of the company in it replaced, in keys and in
    values, whatever else the text around it says."""
    known = {one for source in secrets_of for one in source(company_id) if one}
    if not known:
        return value
    said = json.dumps(value)
    # As they stand in the text: the look at it costs a tenth of the walk.
    found = [one for one in known if json.dumps(one)[1:-1] in said]
    # The longest first: one may be a part of another.
    return without(value, sorted(found, key=len, reverse=True)) if found else value


def without(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            without(key, secrets): without(one, secrets) for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [without(one, secrets) for one in value]
    text = value if isinstance(value, str) else json.dumps(value)
    clean = text
    for secret in secrets:
        clean = clean.replace(secret, REDACTED)
    return value if clean == text else clean
