"""The log of acts. A verb records what it did in the transaction that does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import models, transaction
from django.utils.timezone import now

from paperclip import live, sql

if TYPE_CHECKING:
    from paperclip.actors import Actor

RECORD = """
INSERT INTO paperclip_activity
    (id, company_id, actor_type, actor_id, actor_name, action, entity_type, entity_id,
     agent_id, run_id, details, created_at)
VALUES (%(id)s, %(company)s, %(actor_type)s, %(actor_id)s, %(actor_name)s, %(action)s,
    %(entity_type)s, %(entity_id)s, %(agent)s, %(run)s, %(details)s::jsonb, %(at)s)
"""
# What the wire calls a row, where that is not its model's name.
ENTITY = {"run": "heartbeat_run", "apikey": "agent_api_key"}


def record(by: Actor, action: str, subject: models.Model, **details: Any) -> None:
    """Log one act, and tell the open pages once it is committed.

    `action` is `noun.past_tense`; `details` are JSON values with no personal data.
    Outside a transaction it raises RuntimeError: the log and the act stand together.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("audit.record() outside a transaction")
    name = subject._meta.model_name or ""
    company_id = subject.company_id  # type: ignore[attr-defined]
    # A run with a person's key is still its agent's doing.
    doer = by.agent or (by.run.agent if by.run else None)
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
        details=json.dumps(details),
        at=now(),
    )
    live.changed(company_id)
