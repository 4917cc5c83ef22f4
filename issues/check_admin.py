"""The catalogue of checks in the console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from issues.check_form import TYPE_NAMES, CheckForm
from issues.models import Check
from paperclip import words
from paperclip.admin import ConsoleAdmin
from paperclip.desk import Desk
from paperclip.models import Company


class CheckAdmin(ConsoleAdmin):
    form = CheckForm
    list_display = ["title", "key", "kind", "what", "whose", "offered"]
    list_title = _("Checks")
    labelled = True
    search_fields = ["title", "key"]
    adds = changes = "change the catalogue of checks"
    add_label = _("New check")
    empty_text = _(
        "No check yet. A check says how one sees that work is done; issues name it."
    )

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Check:
        return Check.objects.define(company, by=desk.actor, **values)

    def url_of(self, row: Check) -> str:
        return self.list_url()

    @admin.display(description=_("proof"), ordering="type")
    def kind(self, check: Check) -> Any:
        return TYPE_NAMES[check.type]

    @admin.display(description=_("what is looked at"))
    def what(self, check: Check) -> str:
        return check.in_words

    @admin.display(description=_("for all work of"))
    def whose(self, check: Check) -> str:
        return ", ".join(map(words.role, check.roles)) or "-"

    @admin.display(description=_("offered"), boolean=True)
    def offered(self, check: Check) -> bool:
        return check.archived_at is None
