"""The base of every console admin: rows of one's companies, forms that call verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import RelatedFieldListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from paperclip import roles
from paperclip.desk import Desk, page
from paperclip.exceptions import Refused
from paperclip.models import Company
from paperclip.templatetags.console import badge, rehearsal


class CompanyFilter(RelatedFieldListFilter):
    """A filter by a related row that offers the company's own rows only."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, Any]]:
        ours = {"company": Desk.of(request).company}
        choices: list[tuple[str, Any]] = field.get_choices(
            include_blank=False, limit_choices_to=ours
        )
        return choices


class ConsoleForm(forms.ModelForm):
    """A form of one company's row. What the verb refuses is shown beside the field."""

    sections: Sequence[tuple[Any, list[str]]] = ()
    folded: Any = ""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        for field in self.fields.values():
            # A browser would cut off what is too long without a word.
            field.widget.attrs.pop("maxlength", None)
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = cast(QuerySet, field.queryset).filter(company=company)
        if not self.instance._state.adding:
            self._remember()

    def _remember(self) -> None:
        """Send along what is shown, so that a page left open does not undo what
        happened meanwhile: changed is what differs from that."""
        for name, field in self.fields.items():
            shown = self.add_initial_prefix(name)
            field.show_hidden_initial = not self.is_bound or shown in self.data

    @property
    def has_folded_errors(self) -> bool:
        folded = [names for title, names in self.sections if title == self.folded]
        return any(name in self.errors for names in folded for name in names)

    def refuse(self, no: Refused) -> None:
        named = [name for name in no.details if name in self.fields]
        for name in named:
            self.add_error(name, no.details[name])
        if not named:
            self.add_error(None, str(no))

    def values(self) -> dict[str, Any]:
        """What was filled in, or on an existing row what was changed."""
        new = self.instance._state.adding
        return {
            # A browser sends \r\n, the API does not.
            name: value.replace("\r\n", "\n") if isinstance(value, str) else value
            for name, value in self.cleaned_data.items()
            if (new and value not in (None, "")) or name in self.changed_data
        }


class ConsoleAdmin(ModelAdmin):
    """Scoped to what the person may see. `create` and `change` call the verbs."""

    form: type[ConsoleForm]
    actions = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_sheet = True
    change_list_template = "console/list.html"
    # What it takes to add and to change a row here: acts of paperclip.roles.
    adds, changes = "file issues", "change issues"
    add_label = _("New")
    create_label = _("Save")
    list_title: Any = ""
    # Whether a narrow screen names each value of a row: where they do not explain
    # themselves.
    labelled = False
    empty_text = _("Nothing here yet.")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(Desk.of(request).memberships)

    def has_view_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return bool(Desk.of(request).memberships)

    def has_add_permission(self, request: HttpRequest) -> bool:
        desk = Desk.of(request)
        return bool(desk.memberships) and desk.may(desk.company, self.adds)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        desk = Desk.of(request)
        company = self.company_of(obj) if obj else desk.company
        return desk.may(company, self.changes)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        desk = Desk.of(request)
        rows = super().get_queryset(request).visible_to(desk.actor)
        return self.in_company(rows, desk.company)

    def in_company(self, rows: QuerySet, company: Company) -> QuerySet:
        return rows.filter(company=company)

    def company_of(self, row: Any) -> Company:
        company: Company = row.company
        return company

    def get_urls(self) -> list[URLPattern]:
        """No delete, no history: rows are kept, and the activity is their history."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path("add/", view(self.add_view), name=f"{name}_add"),
            path(
                "<path:object_id>/change/",
                view(self.change_view),
                name=f"{name}_change",
            ),
        ]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Rows lead to their form, and a viewer is shown none."""
        if not self.has_change_permission(request):
            return None
        return super().get_list_display_links(request, list_display)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {
            "title": self.list_title or capfirst(self.opts.verbose_name_plural),
            "empty_text": self.empty_text,
            "add_label": self.add_label,
            **(extra_context or {}),
        }
        return super().changelist_view(request, extra)

    # --- forms -------------------------------------------------------------------

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise self.denied(request, None, self.adds)
        return self.form_page(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = Desk.of(request).one(self.model._default_manager.all(), object_id)
        if not self.has_change_permission(request, row):
            raise self.denied(request, row, self.changes)
        return self.form_page(request, row)

    def denied(self, request: HttpRequest, row: Any, act: str) -> PermissionDenied:
        desk = Desk.of(request)
        company = self.company_of(row) if row else desk.company
        return PermissionDenied(roles.refusal(desk.role_in(company), act))

    def form_page(self, request: HttpRequest, row: Any) -> HttpResponse:
        """Show the form, or do what it says. Refused, it keeps what was typed."""
        desk = Desk.of(request)
        company = self.company_of(row) if row else desk.company
        title = str(row) if row else self.add_label
        form = self.make_form(request, row, company)
        if request.method == "POST" and form.is_valid():
            try:
                saved = self.save_form_values(desk, company, row, form)
            except Refused as no:
                form.refuse(no)
            else:
                messages.success(request, _("%(row)s is saved.") % {"row": saved})
                return redirect(self.url_of(saved))
        return page(
            request,
            "console/form.html",
            company=company,
            status=422 if form.errors else 200,
            form=form,
            title=title,
            save_label=_("Save") if row else self.create_label,
            crumbs=[(capfirst(self.opts.verbose_name_plural), self.list_url())],
        )

    def form_class(self, row: Any) -> type[ConsoleForm]:
        return self.form

    def make_form(
        self, request: HttpRequest, row: Any, company: Company
    ) -> ConsoleForm:
        return self.form_class(row)(
            request.POST or None,
            instance=row,
            company=company,
            initial={} if row else request.GET.dict(),
        )

    def save_form_values(
        self, desk: Desk, company: Company, row: Any, form: ConsoleForm
    ) -> Any:
        if row is None:
            return self.create(company, desk, form.values())
        row.change(by=desk.actor, **form.values())
        return row

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Any:
        """The verb that makes a row."""
        raise NotImplementedError

    def list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def url_of(self, row: Any) -> str:
        """Where the row is shown."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[row.pk])

    def linked(self, row: Any, text: Any) -> str:
        return format_html('<a href="{}" class="strong">{}</a>', self.url_of(row), text)


class CompanyForm(ConsoleForm):
    @property
    def beneath(self) -> str:
        return "" if self.instance._state.adding else "console/_archive.html"

    class Meta:
        model = Company
        fields = ["name", "description", "max_concurrent_runs"]
        help_texts = {
            "max_concurrent_runs": _(
                "Over all its agents. Empty: as many as the workers take."
            )
        }


@admin.register(Company)
class CompanyAdmin(ConsoleAdmin):
    form = CompanyForm
    adds, changes = "found a company", "change the company"
    list_display = ["label", "issue_prefix", "state"]
    list_display_links = ["label"]
    add_label = _("Found a company")

    @admin.display(description=_("name"), ordering="name")
    def label(self, company: Company) -> str:
        return format_html("{}{}", company, rehearsal(company))

    @admin.display(description=_("status"), ordering="status")
    def state(self, company: Company) -> str:
        return badge(company.status)

    def in_company(self, rows: QuerySet, company: Company) -> QuerySet:
        # Those are beneath the list, for whoever may bring them back.
        return rows.exclude(status=Company.Status.ARCHIVED)

    def company_of(self, row: Company) -> Company:
        return row

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {"archived": Desk.of(request).archived, **(extra_context or {})}
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return Desk.of(request).may_somewhere(self.adds)

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Company:
        return Company.objects.found(owner=desk.user, by=desk.actor, **values)
