from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import models

from paperclip import vault

if TYPE_CHECKING:
    from agents.models.secret import Secret


class SecretVersionManager(models.Manager["SecretVersion"]):
    def get_queryset(self) -> models.QuerySet[SecretVersion]:
        # It does not open without knowing whose it is.
        return super().get_queryset().select_related("secret")


class SecretVersion(models.Model):
    """One value of a secret, enclosed. It opens as what it was enclosed as: in another
    row, or under another number, it does not."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    secret: models.ForeignKey[Secret, Secret] = models.ForeignKey(
        "agents.Secret", models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    # Under which master key; see paperclip.vault.
    key = models.CharField(max_length=16)
    data = models.BinaryField()
    # The agents whose runs were given it: what they write is searched for it for ever.
    held_by = models.ManyToManyField("agents.Agent", related_name="held_secrets")
    revoked_at = models.DateTimeField(null=True)
    created_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    # Filled by open(), and kept nowhere.
    value: str = ""

    objects = SecretVersionManager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["secret", "number"], name="one_version_per_number"
            )
        ]
        indexes = [models.Index(fields=["key"], name="versions_by_key")]

    def __str__(self) -> str:
        return f"{self.secret} {self.number}"

    def enclose(self, value: str) -> None:
        """Keep the value in this row; the caller saves, and holds the vault's lock."""
        self.key, self.data = vault.seal(value.encode(), self._about())

    def open(self) -> str:
        """Its value. Unreadable when the row is not what was put there."""
        try:
            self.value = self._opened()
        except vault.Unreadable:
            # A rotation of the master key may have passed since it was read.
            self.refresh_from_db(fields=["key", "data"])
            self.value = self._opened()
        return self.value

    def _opened(self) -> str:
        sealed = vault.Sealed(self.key, bytes(self.data))
        return vault.unseal(sealed, self._about()).decode()

    def _about(self) -> bytes:
        company = str(self.secret.company_id)
        return json.dumps(
            ["secret", company, str(self.secret_id), str(self.pk), self.number]
        ).encode()
