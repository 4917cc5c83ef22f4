"""Fields of the console's forms that read what people write."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from paperclip.api.views import refuse_unstorable


class LinesField(forms.CharField):
    """A list of texts, one per line; as JSON when lines would not give it back."""

    bracket = "["

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={"rows": rows, "class": "mono"})
        super().__init__(required=False, strip=False, widget=area, **kwargs)

    def read(self, text: str) -> Any:
        return text.splitlines()

    def write(self, value: Any) -> str:
        return "\n".join(value)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.lstrip().startswith(self.bracket):
            return self.read(text)
        try:
            found = json.loads(text)
            refuse_unstorable(found)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                _("It begins like JSON and cannot be read: %(error)s"),
                params={"error": error},
            ) from error
        texts = found.values() if isinstance(found, dict) else found
        if not all(isinstance(text, str) for text in texts):
            raise forms.ValidationError(_("It may hold texts only, in quotes."))
        return found

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):  # as it was typed
            return value
        lines = self.write(value)
        if self.reads(lines, value):
            return lines
        return json.dumps(value, indent=1, ensure_ascii=False)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if isinstance(initial, str):  # as it was shown
            initial = self.clean(initial)
        return not self.reads(data, initial)

    def reads(self, text: Any, value: Any) -> bool:
        """Whether the text says just this value."""
        try:
            return bool(self.clean(text) == value)
        except forms.ValidationError:
            return False


class PairsField(LinesField):
    """Texts by name, one NAME=value per line; or as JSON."""

    bracket = "{"

    def read(self, text: str) -> dict[str, str]:
        pairs = [line for line in text.splitlines() if line.strip()]
        if wrong := [line for line in pairs if "=" not in line]:
            raise forms.ValidationError(
                _("Write NAME=value, not %(line)s."), params={"line": wrong[0]}
            )
        return dict(line.lstrip().split("=", 1) for line in pairs)

    def write(self, value: dict[str, str]) -> str:
        return super().write(f"{name}={text}" for name, text in value.items())


UNITS = [
    (60, _("minutes")),
    (3600, _("hours")),
    (86_400, _("days")),
    (1, _("seconds")),
]


class EveryField(forms.MultiValueField):
    """An interval, as a number and a unit; its value is in seconds."""

    def __init__(self, **kwargs: Any) -> None:
        number = forms.IntegerField(min_value=0, max_value=10_000)
        unit = forms.TypedChoiceField(choices=UNITS, coerce=int)
        super().__init__((number, unit), widget=EveryWidget(), **kwargs)

    def compress(self, values: list[Any]) -> int:
        number, unit = values or (0, 1)
        return int(number or 0) * int(unit or 1)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != int(initial or 0))
        except forms.ValidationError:
            return True


class EveryWidget(forms.MultiWidget):
    template_name = "agents/every.html"

    def __init__(self) -> None:
        number = forms.NumberInput(attrs={"min": 0, "aria-label": _("How many")})
        unit = forms.Select(choices=UNITS, attrs={"aria-label": _("Of what")})
        super().__init__({"number": number, "unit": unit})

    def decompress(self, value: Any) -> list[Any]:
        seconds = int(value or 0)
        fits = (size for size, _name in reversed(UNITS[:3]) if seconds % size == 0)
        unit = next(fits, 1) if seconds else 60
        return [seconds // unit, unit]


class DollarsField(forms.DecimalField):
    """Money as people write it; its value is in cents."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=1_000_000, decimal_places=2, **kwargs)

    def clean(self, value: Any) -> Any:
        amount = super().clean(str(value or "").strip().removeprefix("$"))
        return int((amount or Decimal(0)) * 100)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value  # as it was typed
        return f"{value / 100:.2f}".removesuffix(".00") if value else ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        if isinstance(initial, Decimal):  # as it was shown
            initial = self.clean(initial)
        try:
            return bool(self.clean(data) != (initial or 0))
        except forms.ValidationError:
            return True
