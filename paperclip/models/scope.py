"""Every business row belongs to one company, and the rows of others do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import models

from paperclip.exceptions import Missing
from paperclip.models.company import Company

if TYPE_CHECKING:
    from paperclip.actors import Actor


class ScopedQuerySet(models.QuerySet[Any]):
    def visible_to(self, actor: Actor) -> Self:
        """The rows of the companies this actor belongs to."""
        return self.filter(company__in=Company.objects.visible_to(actor))

    def get_for(self, actor: Actor, pk: Any) -> Any:
        """One visible row. Missing (404) when there is none: foreign looks the same."""
        try:
            return self.visible_to(actor).get(pk=pk)
        except (self.model.DoesNotExist, ValidationError, ValueError):
            raise Missing(
                f"{self.model._meta.verbose_name.capitalize()} not found"
            ) from None


class Scoped(models.Model):
    """Base of all business rows."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    company = models.ForeignKey(Company, models.CASCADE, related_name="%(class)ss")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
