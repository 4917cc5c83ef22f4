"""What people keep by hand, in the console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from marketing import forms
from marketing.models import (
    Competitor,
    Contact,
    CountryPolicy,
    Directory,
    Keyword,
    Mailbox,
    Suppression,
    Template,
)
from marketing.outreach import addresses
from paperclip.admin import ConsoleAdmin, ConsoleForm
from paperclip.desk import Desk
from paperclip.models import Company


class ManagedAdmin(ConsoleAdmin):
    """Rows with the verbs `enter` and `change`."""

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Any:
        return self.model._default_manager.enter(company, by=desk.actor, **values)


@admin.register(Keyword)
class KeywordAdmin(ConsoleAdmin):
    form = forms.KeywordForm
    change_list_template = "marketing/list.html"
    imports = "admin:import_keywords"
    adds = changes = "change keywords"
    list_display = ["text", "language", "country", "device", "is_tracked", "cluster"]
    search_fields = ["text"]
    add_label = _("New keyword")
    empty_text = _(
        "No keyword yet. The jobs need some to watch positions and to write about."
    )

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Any:
        text = values.pop("text", "")
        row, _is_new = Keyword.objects.enter(company, text, by=desk.actor, **values)
        return row


@admin.register(Competitor)
class CompetitorAdmin(ConsoleAdmin):
    form = forms.CompetitorForm
    adds = changes = "set the site up"
    list_display = ["name", "base_url", "is_on", "read_at"]
    add_label = _("New competitor")
    empty_text = _("No competitor yet. The Competitor Spy reads those named here.")

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Any:
        return Competitor.objects.add(company, by=desk.actor, **values)


@admin.register(Directory)
class DirectoryAdmin(ManagedAdmin):
    form = forms.DirectoryForm
    adds = changes = "change keywords"
    list_display = ["label", "state", "mode", "our_page"]
    list_display_links = None
    add_label = _("New directory")
    empty_text = _("No directory yet: places that list companies like ours.")

    @admin.display(description=_("name"), ordering="name")
    def label(self, row: Directory) -> str:
        return self.linked(row, row.name)

    @admin.display(description=_("our page there"), empty_value="-")
    def our_page(self, row: Directory) -> str:
        return row.profile_url

    def url_of(self, row: Any) -> str:
        return reverse("admin:listing", args=[row.pk])


class AddressAdmin(ConsoleAdmin):
    """A list with addresses of people outside: in the columns `masks`, for whoever may
    not write to them, stands what is named there, and nobody is found by them."""

    masks: dict[str, str] = {}

    def columns(self, request: HttpRequest) -> dict[str, str]:
        desk = Desk.of(request)
        whole = addresses.are_whole(desk.actor, desk.company.pk)
        return {} if whole else self.masks

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        masks = self.columns(request)
        return [masks.get(name, name) for name in super().get_list_display(request)]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        masks = self.columns(request)
        names = super().get_search_fields(request)
        return [name for name in names if name not in masks]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # A filter in the address of the page would find them letter by letter.
        hidden = {*self.columns(request), "identity"} if self.columns(request) else ()
        if lookup.partition("__")[0] in hidden:
            return False
        return bool(super().lookup_allowed(lookup, value, request))


@admin.register(Contact)
class ContactAdmin(AddressAdmin, ManagedAdmin):
    masks = {"email": "masked"}
    form = forms.ContactForm
    change_list_template = "marketing/list.html"
    imports = "admin:import_contacts"
    adds = changes = "change who is written to"
    list_display = ["outlet", "name", "category", "country", "email", "is_on"]
    list_filter = ["category", "is_on"]
    search_fields = ["outlet", "name", "email"]
    add_label = _("New contact")
    empty_text = _("Nobody yet. Enter whom a pitch may be sent to, or import a list.")

    @admin.display(description=_("email"))
    def masked(self, row: Contact) -> str:
        return row.masked


@admin.register(Template)
class TemplateAdmin(ManagedAdmin):
    form = forms.TemplateForm
    adds = changes = "change who is written to"
    list_display = ["category", "language", "subject", "auto_approve"]
    add_label = _("New template")
    empty_text = _("No template yet: one for each category of contacts is needed.")


@admin.register(CountryPolicy)
class CountryPolicyAdmin(ConsoleAdmin):
    form = forms.CountryPolicyForm
    adds = changes = "change who is written to"
    list_display = ["country", "rule", "why"]
    add_label = _("New country")
    empty_text = _("No country yet, so nobody is written to.")

    def save_form_values(
        self, desk: Desk, company: Company, row: Any, form: ConsoleForm
    ) -> Any:
        told = form.cleaned_data
        return CountryPolicy.objects.put(
            company, told["country"], told["rule"], by=desk.actor, why=told["why"]
        )


@admin.register(Suppression)
class SuppressionAdmin(AddressAdmin):
    masks = {"value": "masked", "label": "masked", "said": "masked_reason"}
    form = forms.SuppressionForm
    adds = changes = "change who is written to"
    list_display = ["label", "reason", "said", "created_at"]
    list_display_links = None
    search_fields = ["value"]
    add_label = _("Never write to")
    empty_text = _("Nobody has asked to be left alone.")

    @admin.display(description=_("value"), ordering="value")
    def label(self, row: Suppression) -> str:
        return self.linked(row, row.value)

    @admin.display(description=_("value"))
    def masked(self, row: Suppression) -> str:
        return self.linked(row, addresses.shown(row.value, whole=False))

    @admin.display(description=_("said"))
    def masked_reason(self, row: Suppression) -> str:
        # It may repeat what a mail server has said.
        return addresses.shown(row.said, whole=False)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Any:
        value, said = values.get("value", ""), values.get("said", "")
        manual = Suppression.Reason.MANUAL
        return Suppression.objects.add(company, value, manual, by=desk.actor, said=said)

    def url_of(self, row: Any) -> str:
        return reverse("admin:suppression", args=[row.pk])


@admin.register(Mailbox)
class MailboxAdmin(ManagedAdmin):
    form = forms.MailboxForm
    adds = changes = "keep a mailbox"
    list_display = ["address", "name", "smtp_host", "per_hour", "tested_at"]
    add_label = _("New mailbox")
    empty_text = _("No mailbox yet. Without one nothing is sent.")
