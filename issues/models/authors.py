from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models

from agents.models import Agent
from paperclip.models import Scoped

if TYPE_CHECKING:
    from paperclip.actors import Actor


class Created(Scoped):
    """Made by an agent or by a person; by neither, when it was Paperclip itself."""

    created_by_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="+"
    )
    created_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        abstract = True

    def name_creator(self, by: Actor) -> None:
        """For the caller to save."""
        self.created_by_agent, self.created_by_user = by.agent, by.user


class Edited(Created):
    """It says as well who changed it last."""

    updated_by_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="+"
    )
    updated_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        abstract = True

    def name_editor(self, by: Actor) -> None:
        """For the caller to save."""
        self.updated_by_agent, self.updated_by_user = by.agent, by.user
