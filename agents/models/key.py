from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now

from agents.models.agent import Agent
from paperclip import audit, tokens
from paperclip.actors import Actor
from paperclip.models import User


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    @transaction.atomic
    def issue_to(
        self, holder: Agent | User, *, name: str, by: Actor
    ) -> tuple[ApiKey, str]:
        """A new key of an agent or a person, and its token: shown this one time."""
        token = tokens.new("pcp")
        who = {"agent": holder} if isinstance(holder, Agent) else {"user": holder}
        if isinstance(holder, Agent):
            by.must_be_operator(holder.company_id, "make keys")
        key = self.create(name=name or "default", digest=tokens.digest(token), **who)
        if isinstance(holder, Agent):
            audit.record(
                by, "agent.key_created", holder, keyId=str(key.pk), name=key.name
            )
        return key, token

    def of_token(self, token: str) -> ApiKey | None:
        """The live key of that token, its use noted at most once a minute."""
        live = self.filter(digest=tokens.digest(token), revoked_at=None)
        key = live.select_related("agent__company", "user").first()
        if key is not None:
            stale = Q(last_used_at=None) | Q(
                last_used_at__lt=now() - timedelta(minutes=1)
            )
            if not key.last_used_at or key.last_used_at < now() - timedelta(minutes=1):
                self.filter(stale, pk=key.pk).update(last_used_at=now())
        return key


class ApiKey(models.Model):
    """A bearer key of one agent or one person. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    agent = models.ForeignKey(
        Agent, models.CASCADE, null=True, blank=True, related_name="api_keys"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="api_keys",
    )
    name = models.CharField(max_length=80, default="default")
    digest = models.CharField(max_length=64, unique=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(agent=None, user__isnull=False)
                | Q(agent__isnull=False, user=None),
                name="a_key_has_one_holder",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.agent or self.user}"

    @transaction.atomic
    def revoke(self, *, by: Actor) -> None:
        """Stop accepting it from now on."""
        if self.agent:
            by.must_be_operator(self.agent.company_id, "revoke keys")
        ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now())
        if self.agent:
            audit.record(by, "agent.key_revoked", self.agent, keyId=str(self.pk))
