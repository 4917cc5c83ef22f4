"""Routines in the console: the list, the form, and the page of each."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issues.models import Routine
from issues.routine_form import RoutineForm
from issues.views import revisions
from issues.views import routine as views
from paperclip.admin import ConsoleAdmin
from paperclip.desk import Desk
from paperclip.models import Company


class RoutineAdmin(ConsoleAdmin):
    form = RoutineForm
    adds, changes = "define routines", "manage routines"
    add_label = _("New routine")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>", view(views.routine), name="routine"),
            *(
                path(f"<uuid:pk>/{act}", view(run), name=f"routine_{act}")
                for act, run in views.ACTS.items()
            ),
            path(
                "<uuid:pk>/revisions",
                view(revisions.revisions),
                name="routine_revisions",
            ),
            path(
                "<uuid:pk>/revisions/<uuid:revision>/restore",
                view(revisions.restore),
                name="routine_restore",
            ),
            path("<uuid:pk>/webhooks", view(views.add_hook), name="routine_hooks"),
            *(
                path(
                    f"<uuid:pk>/webhooks/<uuid:trigger>/{act}",
                    view(run),
                    name=f"routine_hook_{act}",
                )
                for act, run in views.HOOK_ACTS.items()
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return views.routines(request)

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Routine:
        return Routine.objects.define(company, by=desk.actor, **values)

    def url_of(self, row: Routine) -> str:
        return views.home(row)
