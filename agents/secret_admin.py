"""A company's secrets in the console. What is typed as a value is never shown again,
not even in a form that was refused."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from agents import provider_keys, secret_views
from agents.models import Secret
from agents.models.secret_binding import PROVIDER
from paperclip.admin import ConsoleAdmin, ConsoleForm
from paperclip.desk import Desk
from paperclip.models import Company
from paperclip.templatetags.console import ago

PROVIDERS = ["anthropic", "gemini", "groq", "mistral", "openai", "openrouter", "xai"]


class ValueField(forms.CharField):
    """A value on its way in."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 3, "class": "mono", "autocomplete": "off"}
        area = forms.Textarea(attrs={**attrs, "spellcheck": "false"})
        super().__init__(strip=False, widget=area, **kwargs)

    def prepare_value(self, value: Any) -> str:
        return ""

    def to_python(self, value: Any) -> str:
        # A browser sends the ends of lines in its own way, and people copy one too
        # many.
        text = str(super().to_python(value) or "").replace("\r\n", "\n")
        return text if "\n" in text.strip() else text.strip()


class SecretForm(ConsoleForm):
    value = ValueField(
        label=_("Value"),
        help_text=_(
            "At least 8 characters. You type it this one time: nobody is shown it"
            " again, not the end of it either."
        ),
    )
    providers = forms.CharField(
        label=_("Key of model providers"),
        required=False,
        widget=forms.TextInput(attrs={"list": "providers", "autocomplete": "off"}),
        help_text=_(
            "Their names, with commas, such as gemini. The model gateway pays with it"
            " for this company; no agent is ever given it."
        ),
    )

    class Meta:
        model = Secret
        fields = ["name", "description"]
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "description": forms.Textarea(attrs={"rows": 2}),
        }

    suggestions = {"providers": PROVIDERS}

    def clean_providers(self) -> list[str]:
        told = self.cleaned_data["providers"].replace(",", " ").split()
        return [name.lower() for name in told]


class ChangeForm(SecretForm):
    value = None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bound = self.instance.bindings.filter(target_type=PROVIDER)
        self.initial["providers"] = ", ".join(one.target_id for one in bound)


class SecretAdmin(ConsoleAdmin):
    form = SecretForm
    adds = changes = "keep secrets"
    list_display = [
        "called",
        "latest_version",
        "description",
        "used",
        "read",
        "rotated",
    ]
    list_display_links = None
    labelled = True
    search_fields = ["name"]
    add_label = _("Keep a secret")
    create_label = _("Keep it")
    empty_text = _(
        "Nothing is kept here yet. Keys and passwords that agents or the model gateway"
        " need belong here, not into instructions."
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("bindings")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>", view(secret_views.secret), name="secret"),
            path("<uuid:pk>/rotate", view(secret_views.rotate), name="secret_rotate"),
            path("<uuid:pk>/remove", view(secret_views.remove), name="secret_remove"),
            *super().get_urls(),
        ]

    def form_class(self, row: Any) -> type[ConsoleForm]:
        return ChangeForm if row else SecretForm

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Secret:
        return provider_keys.keep(company, by=desk.actor, **values)

    def save_form_values(
        self, desk: Desk, company: Company, row: Any, form: ConsoleForm
    ) -> Any:
        values = form.values()
        if row is None:
            return self.create(company, desk, values)
        providers = values.pop("providers", None)
        provider_keys.change(row, by=desk.actor, model_providers=providers, **values)
        return row

    def url_of(self, row: Secret) -> str:
        return reverse("admin:secret", args=[row.pk])

    @admin.display(description=_("name"), ordering="name")
    def called(self, secret: Secret) -> str:
        return self.linked(secret, secret.name)

    @admin.display(description=_("used by"))
    def used(self, secret: Secret) -> str:
        return ", ".join(map(str, secret.bindings.all())) or str(_("nothing"))

    @admin.display(description=_("last read"), ordering="last_read_at")
    def read(self, secret: Secret) -> str:
        return ago(secret.last_read_at) or str(_("never"))

    @admin.display(description=_("value set"), ordering="last_rotated_at")
    def rotated(self, secret: Secret) -> str:
        return ago(secret.last_rotated_at or secret.created_at)
