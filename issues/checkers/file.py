from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from issues.checkers.base import Checker, Job, Result, failed, passed
from paperclip.api.forms import Form, Text, Whole


class FileSettings(Form):
    """A `path` in the branch that was handed over, or the key of a `document` of the
    issue; what it `contains`, and how many characters it has `at_least`."""

    path = Text(max_length=300, required=False)
    document = Text(max_length=64, required=False)
    contains = Text(max_length=300, required=False)
    at_least = Whole(required=False, max_value=10_000_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("path")) == bool(attrs.get("document")):
            raise serializers.ValidationError(
                {"path": "Name a path in the repository, or the key of a document."}
            )
        return attrs


class File(Checker):
    """A file or document is there and says what it has to."""

    Settings = FileSettings

    def in_words(self, settings: Mapping[str, Any]) -> str:
        what = settings.get("path") or f"document {settings.get('document')}"
        words = [f"There is the {'file' if settings.get('path') else ''} {what}"]
        if contains := settings.get("contains"):
            words.append(f"which contains “{contains}”")
        if least := settings.get("at_least"):
            words.append(f"of at least {least} characters")
        return " ".join(", ".join(words).split()) + "."

    def check(self, job: Job) -> Result:
        settings = job.settings
        name = settings.get("path") or f"document {settings['document']}"
        found, facts = document(job) if "document" in settings else in_branch(job)
        if found is None:
            return failed(f"There is no {name}.", **facts)
        facts["digest"] = hashlib.sha256(found).hexdigest()
        text = found.decode(errors="replace")
        if len(text) < settings.get("at_least", 0):
            return failed(f"{name} has only {len(text)} characters.", **facts)
        contains = settings.get("contains", "")
        if contains not in text:
            return failed(f"{name} does not contain “{contains}”.", **facts)
        return passed(f"{name} is there, with {len(text)} characters.", **facts)


def document(job: Job) -> tuple[bytes | None, dict[str, Any]]:
    row = job.issue.documents.filter(key=job.settings["document"]).first()
    if row is None:
        return None, {}
    facts = {"documentId": str(row.pk), "revision": row.revision_number}
    return row.body.encode(), facts


def in_branch(job: Job) -> tuple[bytes | None, dict[str, Any]]:
    branch = job.branch
    if branch is None:
        return None, {}
    found = branch.bare.read(branch.commit, job.settings["path"])
    return found, {"commit": branch.commit, "path": job.settings["path"]}
