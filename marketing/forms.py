"""The forms of what people keep by hand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, Secret
from marketing import keys
from marketing.models import (
    Competitor,
    Contact,
    CountryPolicy,
    Directory,
    Keyword,
    Mailbox,
    Site,
    Suppression,
    Template,
)
from marketing.models.site import SECRETS
from paperclip.admin import ConsoleForm


class Lines(forms.CharField):
    """A list of texts, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={"rows": 4})
        super().__init__(required=False, widget=area, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        lines = str(super().clean(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_lines(initial) != self.to_lines(data))

    def to_lines(self, value: Any) -> list[str]:
        told = value if isinstance(value, list) else str(value or "").splitlines()
        return [str(one).strip() for one in told if str(one).strip()]


class KeywordForm(ConsoleForm):
    """What it is about is told once: another text is another keyword."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            for name in ("text", "language", "country", "device"):
                self.fields[name].disabled = True

    class Meta:
        model = Keyword
        fields = ["text", "language", "country", "device", "target_url", "is_tracked"]
        help_texts = {
            "country": _("Two letters, such as PT."),
            "target_url": _("The page of ours that should be found for it, if any."),
        }


class CompetitorForm(ConsoleForm):
    pages = Lines(
        label=_("Pages to read besides those that are found"),
        help_text=_("Addresses, one a line."),
    )

    class Meta:
        model = Competitor
        fields = ["name", "base_url", "pages", "is_on"]


class DirectoryForm(ConsoleForm):
    categories = Lines(label=_("Categories we belong to"), help_text=_("One a line."))

    class Meta:
        model = Directory
        fields = [
            *("name", "url", "categories", "mode", "terms_url", "cost_cents"),
            *("fit", "traffic", "profile_url", "state"),
        ]
        labels = {
            "url": _("Address"),
            "mode": _("How one is listed"),
            "terms_url": _("Address of its terms"),
            "cost_cents": _("Cost, in cents"),
            "fit": _("How well it fits us, from 0 to 1"),
            "traffic": _("How many people come there, from 0 to 1"),
            "profile_url": _("Our page there, once we are listed"),
            "state": _("State"),
        }


class ContactForm(ConsoleForm):
    class Meta:
        model = Contact
        fields = [
            *("name", "outlet", "email", "category", "country", "language"),
            *("timezone", "outlet_url", "feed_url", "source_url", "source_date"),
            *("lawful_basis", "is_on"),
        ]
        widgets = {"source_date": forms.DateInput(attrs={"type": "date"})}
        labels = {
            "category": _("Category"),
            "country": _("Country"),
            "language": _("Language"),
            "timezone": _("Time zone"),
            "outlet_url": _("Address of the outlet"),
            "feed_url": _("Address of its feed"),
            "source_date": _("When it was read there"),
            "lawful_basis": _("Why we may write to them"),
        }
        help_texts = {
            "country": _("Two letters. Its policy says whether anybody may write."),
            "source_url": _("Every mail says where the address is from."),
            "lawful_basis": _("Such as: published for press releases."),
        }


class TemplateForm(ConsoleForm):
    class Meta:
        model = Template
        fields = ["category", "language", "subject", "body"]
        widgets = {"body": forms.Textarea(attrs={"rows": 12})}
        labels = {"category": _("For"), "subject": _("Subject"), "body": _("Text")}
        help_texts = {
            "body": _(
                "{name}, {outlet} and {article} are put in; {pitch} is what is written"
                " for each. Who we are, our postal address, where the address is from"
                " and how to get no more mail are added to every mail."
            )
        }


class CountryPolicyForm(ConsoleForm):
    class Meta:
        model = CountryPolicy
        fields = ["country", "rule", "why"]
        labels = {"country": _("Country"), "rule": _("Rule"), "why": _("Why")}
        help_texts = {
            "country": _("Two letters, such as PT. A country without a row: nobody.")
        }


class SuppressionForm(ConsoleForm):
    class Meta:
        model = Suppression
        fields = ["value", "said"]
        labels = {"value": _("Address, or @domain"), "said": _("Why")}


class MailboxForm(ConsoleForm):
    sections = (
        (_("Who writes"), ["name", "address", "postal_address"]),
        (
            _("Sending"),
            [
                *("user", "smtp_host", "smtp_port", "smtp_security"),
                *("per_hour", "per_day"),
            ],
        ),
        (
            _("Looking up what was sent"),
            ["imap_host", "imap_port", "imap_security", "sent_copy"],
        ),
    )

    class Meta:
        model = Mailbox
        fields = [
            *("name", "address", "postal_address", "user"),
            *("smtp_host", "smtp_port", "smtp_security", "per_hour", "per_day"),
            *("imap_host", "imap_port", "imap_security", "sent_copy"),
        ]
        widgets = {"postal_address": forms.Textarea(attrs={"rows": 3})}
        labels = {
            "smtp_host": _("Mail server (SMTP)"),
            "smtp_port": _("Its port"),
            "smtp_security": _("Its encryption"),
            "imap_host": _("Mail server (IMAP)"),
            "imap_port": _("Its port"),
            "imap_security": _("Its encryption"),
            "sent_copy": _("The folder Sent"),
        }
        help_texts = {
            "postal_address": _("The law of many countries asks for it in every mail."),
            "per_hour": _("20 at most."),
            "sent_copy": _("Gmail keeps a copy by itself; most other servers do not."),
        }


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

    sections = (
        (
            _("The site"),
            [
                *("name", "base_url", "agent", "hosts", "sitemap_url", "feed_url"),
                *("languages", "topics", "brands", "tone", "author", "facts"),
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

    class Meta:
        model = Site
        fields = [
            *("name", "base_url", "agent", "hosts", "sitemap_url", "feed_url"),
            *("languages", "topics", "brands", "tone", "author", "facts"),
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
            "indexnow_key": _("8 to 128 letters, digits and dashes."),
            "repo_url": _("Where posts are pushed to, such as https://github.com/…"),
            "post_path": _("{slug} is put in."),
            "post_url": _("{slug} is put in."),
            "gsc_property": _("Such as sc-domain:example.com."),
        }
        widgets = {"tone": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        return {k: v for k, v in told.items() if not k.startswith("secret_")}

    def secrets(self) -> dict[str, Any]:
        """The chosen secret of each place that was changed."""
        return {
            path: self.cleaned_data.get(f"secret_{path}")
            for path in SECRETS
            if f"secret_{path}" in self.changed_data
        }
