from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from issues.checkers.base import Checker, Job, Result, unable
from paperclip.api.forms import Form, Text


class HumanSettings(Form):
    question = Text(max_length=1000, required=False)


class Human(Checker):
    """A person says so, with their name."""

    Settings = HumanSettings
    by_hand = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        return str(settings.get("question") or "A person accepts it.")

    def check(self, job: Job) -> Result:
        return unable("Only a person can say so.")
