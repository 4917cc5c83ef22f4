"""A new master key for all secrets. Each batch is committed by itself and both keys are
kept until nothing needs the old one, so it may be ended anywhere and called again."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from agents.models.secret import LOCK
from agents.models.secret_version import SecretVersion
from paperclip import audit, sql, vault
from paperclip.actors import SYSTEM
from paperclip.models import Company

BATCH = 100


def rotate() -> int:
    """Enclose everything with the newest key, a new one unless a rotation goes on
    already; how many values that were. Unreadable for a value whose key is lost: the
    others are safe, and all keys stay."""
    with transaction.atomic():
        sql.lock(LOCK)
        vault.renew()
    many = 0
    while done := reseal_some():
        many += done
    with transaction.atomic():
        # Nobody encloses anything between this look and the end of the old key.
        sql.lock(LOCK)
        if not old_ones().exists():
            vault.forget_old()
        for company in Company.objects.filter(secrets__isnull=False).distinct():
            audit.record(SYSTEM, "secret.key_rotated", company)
    return many


@transaction.atomic
def reseal_some() -> int:
    sql.lock(LOCK)
    batch = list(old_ones()[:BATCH])
    for version in batch:
        version.enclose(version.open())
        version.save(update_fields=["key", "data"])
    return len(batch)


def old_ones() -> QuerySet[SecretVersion]:
    return SecretVersion.objects.exclude(key=vault.name_of(vault.keys()[0]))
