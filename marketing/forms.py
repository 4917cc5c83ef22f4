"""The forms of what people keep by hand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

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
            *("name", "url", "form_url", "categories", "mode", "terms_url"),
            *("cost_cents", "fit", "traffic", "profile_url", "state"),
        ]
        labels = {
            "url": _("Address"),
            "form_url": _("Address of its form, where one enters oneself"),
            "mode": _("How one is listed"),
            "terms_url": _("Address of its terms"),
            "cost_cents": _("Cost, in cents"),
            "fit": _("How well it fits us, from 0 to 1"),
            "traffic": _("How many people come there, from 0 to 1"),
            "profile_url": _("Our page there, once we are listed"),
            "state": _("State"),
        }


class ContactForm(ConsoleForm):
    """Whether they are written to is switched beneath, once they are there."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            del self.fields["is_on"]

    @property
    def beneath(self) -> str:
        return "" if self.instance._state.adding else "marketing/_contact.html"

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
            "language": _(
                "Such as en or pt. How to get no more mail is said in English, German,"
                " French, Spanish and Portuguese; in any other language, in English."
            ),
            "source_url": _("Every mail says where the address is from."),
            "lawful_basis": _("Such as: published for press releases."),
        }


class TemplateForm(ConsoleForm):
    @property
    def beneath(self) -> str:
        return "" if self.instance._state.adding else "marketing/_template.html"

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
