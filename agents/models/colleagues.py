"""Whom an agent works with: its manager, never in a circle, and its reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models

from paperclip.exceptions import Invalid
from paperclip.models import Company, Scoped

if TYPE_CHECKING:
    from agents.models.agent import Agent


class Colleagues(Scoped):
    if TYPE_CHECKING:
        name: str
        reports_to: models.ForeignKey[Agent | None]
        reviewer: models.ForeignKey[Agent | None]
        reports_to_id: UUID | None
        reviewer_id: UUID | None

    class Meta:
        abstract = True

    def _staff(self) -> dict[UUID, Self]:
        ours = type(self)._default_manager.filter(company=self.company_id)
        return ours.in_bulk()

    def chain_of_command(self) -> list[Self]:
        """Its manager, that one's manager, and so on: one query however long it is."""
        if self.reports_to_id is None:
            return []
        staff = self._staff()
        chain = [staff[self.reports_to_id]]
        while (above := chain[-1].reports_to_id) is not None:
            chain.append(staff[above])
        return chain

    def _check_colleagues(self) -> None:
        # One tree per company at a time: two moves that each look fine could together
        # close a circle.
        company = Company.objects.select_for_update(no_key=True)
        if self.reports_to_id or self.reviewer_id:
            company.get(pk=self.company_id)
        for colleague in (self.reports_to, self.reviewer):
            if colleague and colleague.company_id != self.company_id:
                raise Invalid(f"{colleague} works for another company.")
        if self.reviewer_id == self.pk:
            raise Invalid(f"{self.name} cannot review its own work.")
        self._must_not_report_to_itself()

    def _must_not_report_to_itself(self) -> None:
        # Read now, under the lock: the rows in hand may be older than it.
        staff = self._staff()
        above, names = self.reports_to_id, [self.name]
        while above is not None:
            names.append(staff[above].name)
            if above == self.pk:
                raise Invalid("Reporting in a circle: " + " → ".join(names) + ".")
            above = staff[above].reports_to_id
