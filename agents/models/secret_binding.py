from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from agents.models.secret import Secret

AGENT, TRIGGER, PROVIDER = "agent", "routine_trigger", "provider"
CHECK = "check"
# Of the marketing floor: a site's services, and a mailbox's password.
SITE, MAILBOX = "site", "mailbox"


class SecretBinding(Scoped):
    """Where a secret may be read: a name in an agent's environment, the signature of a
    webhook, the key of a provider, or a setting of a check. Made by Secret.bind."""

    class Kind(models.TextChoices):
        AGENT = AGENT, _("an agent's environment")
        TRIGGER = TRIGGER, _("a routine's webhook")
        PROVIDER = PROVIDER, _("a model provider's key")
        CHECK = CHECK, _("a setting of a check")
        SITE = SITE, _("a service of a site")
        MAILBOX = MAILBOX, _("a mailbox")

    secret: models.ForeignKey[Secret, Secret] = models.ForeignKey(
        "agents.Secret", models.RESTRICT, related_name="bindings"
    )
    target_type = models.CharField(max_length=16, choices=Kind.choices)
    target_id = models.CharField(max_length=64)
    path = models.CharField(max_length=200)
    # How people call it.
    label = models.CharField(max_length=200, blank=True, default="")
    created_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("binding")
        ordering = ["target_type", "label", "path"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "target_type", "target_id", "path"],
                name="one_secret_per_place",
            )
        ]

    def __str__(self) -> str:
        return f"{self.label or self.target_id}: {self.path}"
