"""What requests about documents and work products may say."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from issues.api.forms import projects
from issues.models import WorkProduct
from issues.models.document import LARGEST
from paperclip.api.forms import Flag, Form, Row, Text

LARGEST_METADATA = 20_000


class DocumentForm(Form):
    title = Text(max_length=300, allow_null=True, allow_blank=True, required=False)
    format = serializers.ChoiceField(["markdown"], required=False)
    body = Text(
        max_length=LARGEST,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Markdown, at most 512 KiB.",
    )
    changeSummary = Text(
        source="change_summary",
        max_length=500,
        allow_null=True,
        allow_blank=True,
        required=False,
    )
    baseRevisionId = serializers.UUIDField(
        source="base_revision",
        allow_null=True,
        required=False,
        help_text="The latestRevisionId one has read; left out for a new document.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.pop("format", None)
        return attrs


class UrlField(Text):
    """An address to be shown. Only http and https: it becomes a link."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            parts = urlsplit(text)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise serializers.ValidationError("An address begins with https://.")
        return text


class MetadataField(serializers.DictField):
    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if len(str(value)) > LARGEST_METADATA:
            raise serializers.ValidationError(
                f"Metadata has at most {LARGEST_METADATA} characters."
            )
        return value


def word(source: str | None = None, most: int = 24) -> Text:
    return Text(source=source, max_length=most, required=False)


class WorkProductFields(Form):
    title = Text(max_length=300)
    provider = word(most=40)
    externalId = Text(
        source="external_id", max_length=300, allow_null=True, required=False
    )
    url = UrlField(max_length=2000, allow_null=True, required=False)
    status = word()
    reviewState = word("review_state")
    isPrimary = Flag(source="is_primary", required=False)
    healthStatus = word("health_status")
    summary = Text(max_length=10_000, allow_null=True, allow_blank=True, required=False)
    metadata = MetadataField(allow_null=True, required=False)
    projectId = Row(projects, source="project", allow_null=True, required=False)


class WorkProductForm(WorkProductFields):
    type = serializers.ChoiceField(WorkProduct.Type.choices)


class WorkProductChange(WorkProductFields):
    pass
