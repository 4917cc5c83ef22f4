"""The form of the site's settings, with the secrets that its services need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, Secret
from marketing import keys
from marketing.forms import Lines
from marketing.models import Site
from marketing.models.site import SECRETS
from paperclip.admin import ConsoleForm


class FactsField(Lines):
    """What may be claimed: `id: text (address it is from)`, one a line."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "\n".join(map(fact_in_a_line, value))
        return super().prepare_value(value)

    def to_lines(self, value: Any) -> list[str]:
        if isinstance(value, list):
            return [fact_in_a_line(one) for one in value]
        return super().to_lines(value)

    def clean(self, value: Any) -> Any:
        return [fact(number, line) for number, line in enumerate(super().clean(value))]


def fact_in_a_line(told: Any) -> str:
    if not isinstance(told, dict):
        return str(told)
    source = f" ({told['source_url']})" if told.get("source_url") else ""
    return f"{told['id']}: {told['text']}{source}"


def fact(number: int, line: str) -> dict[str, str]:
    name, colon, text = line.partition(":")
    if not colon or " " in name.strip() or not text.strip():
        name, text = f"fact-{number + 1}", line
    text, source = text.strip(), ""
    if text.endswith(")") and "(http" in text:
        text, _paren, source = text[:-1].rpartition("(")
    return {"id": name.strip(), "text": text.strip(), "source_url": source.strip()}


START = _("To begin with")


def name_of(address: str) -> str:
    """What to call a competitor of whom only the address is known."""
    host = urlsplit(address if "//" in address else f"https://{address}").hostname
    return (host or address).removeprefix("www.")


class SiteForm(ConsoleForm):
    hosts = Lines(label=_("Further hosts that are ours"), help_text=_("One a line."))
    languages = Lines(
        label=_("Languages"), help_text=_("Such as en or pt, one a line.")
    )
    topics = Lines(label=_("Topics"), help_text=_("What we write about, one a line."))
    brands = Lines(
        label=_("Our names"), help_text=_("Never taken for keywords; one a line.")
    )
    facts = FactsField(
        label=_("What may be claimed"),
        help_text=_(
            "One a line, such as: founded: We were founded in 2019 (https://…/about)."
            " Posts and mails claim nothing else."
        ),
    )

    keywords = Lines(
        label=_("Keywords to begin with"),
        help_text=_("One a line. Their positions are watched."),
    )
    rivals = Lines(
        label=_("Competitors to begin with"),
        help_text=_("Addresses, one a line. Their pages are read."),
    )

    sections: Sequence[tuple[Any, list[str]]] = (
        (
            _("The site"),
            [
                *("name", "base_url", "agent", "hosts", "sitemap_url", "feed_url"),
                *("languages", "topics", "brands", "tone", "author", "facts"),
                "phone",
            ],
        ),
        (_("IndexNow"), ["indexnow_key", "indexnow_key_url"]),
        (
            _("Publishing"),
            [
                *("repo_url", "repo_branch", "post_path", "post_url"),
                *("secret_repo_token", "deploy_trigger", "secret_deploy_hook"),
                *("vercel_project", "secret_vercel_token", "max_posts_per_day"),
                "writer_model",
            ],
        ),
        (
            _("Positions"),
            [
                *("gsc_property", "secret_gsc_credentials"),
                *("bing_site", "secret_bing_key"),
                *("serp_vendor", "serp_monthly_cents", "secret_serp_key"),
            ],
        ),
    )

    beneath = ""

    class Meta:
        model = Site
        fields = [
            *("name", "base_url", "agent", "hosts", "sitemap_url", "feed_url"),
            *("languages", "topics", "brands", "tone", "author", "facts", "phone"),
            *("indexnow_key", "indexnow_key_url", "repo_url", "repo_branch"),
            *("post_path", "post_url", "deploy_trigger", "vercel_project"),
            *("max_posts_per_day", "writer_model", "gsc_property", "bing_site"),
            *("serp_vendor", "serp_monthly_cents"),
        ]
        labels = {
            "sitemap_url": _("Address of the sitemap"),
            "feed_url": _("Address of the feed"),
            "author": _("Who signs the posts"),
            "indexnow_key_url": _("Address of the key file"),
            "deploy_trigger": _("What deploys"),
            "vercel_project": _("Vercel project"),
        }
        help_texts = {
            "agent": _("Whose jobs they are, and whose budget pays. Empty: the CMO."),
            "phone": _("For directories that ask for one, such as +351 210 000 000."),
            "indexnow_key": _("8 to 128 letters, digits and dashes."),
            "repo_url": _("Where posts are pushed to, such as https://github.com/…"),
            "post_path": _("{slug} is put in."),
            "post_url": _("{slug} is put in."),
            "gsc_property": _("Such as sc-domain:example.com."),
        }
        widgets = {"tone": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            first, *rest = self.sections
            self.sections = (first, (START, ["keywords", "rivals"]), *rest)
        else:
            self.beneath = "marketing/_try_credentials.html"
            del self.fields["keywords"], self.fields["rivals"]
        self.fields["agent"].required = False
        agents = Agent.objects.employed().filter(company=self.company)
        self.fields["agent"].queryset = agents  # type: ignore[attr-defined]
        kept = Secret.objects.filter(company=self.company).order_by("name")
        for path, label in SECRETS.items():
            there = None
            if not self.instance._state.adding:
                there = keys.bound(self.instance, path)
            self.fields[f"secret_{path}"] = forms.ModelChoiceField(
                kept,
                label=label,
                required=False,
                empty_label=_("none"),
                initial=there.secret_id if there else None,
                help_text=_("One of the company's secrets."),
            )

    def site_values(self) -> dict[str, Any]:
        told = self.values()
        rivals = told.pop("rivals", [])
        if rivals:
            told["rivals"] = [{"name": name_of(one), "base_url": one} for one in rivals]
        return {k: v for k, v in told.items() if not k.startswith("secret_")}

    def secrets(self) -> dict[str, Any]:
        """The chosen secret of each place that was changed."""
        return {
            path: self.cleaned_data.get(f"secret_{path}")
            for path in SECRETS
            if f"secret_{path}" in self.changed_data
        }
