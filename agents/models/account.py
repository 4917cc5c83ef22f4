from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProviderAccount(models.Model):
    """Where model calls are billed: one provider, one address, one key. A provider that
    says "too many" closes it for every agent until the time it names."""

    # `gemini`, or `openai http://127.0.0.1:8080`; a key is told apart by its digest.
    name = models.CharField(_("name"), max_length=300, unique=True)
    closed_until = models.DateTimeField(null=True)
    # Refusals in a row without a stated time: each doubles the wait.
    strikes = models.PositiveSmallIntegerField(default=0)
    said = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("provider account")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
