"""What requests about the marketing may say."""

from __future__ import annotations

from rest_framework import serializers

from marketing.models import Message, Post, RankReading
from paperclip.api.forms import Flag, Form


class RunJobForm(Form):
    dryRun = Flag(
        source="dry",
        required=False,
        default=False,
        help_text="Look at everything, touch nothing, ask no model.",
    )


class GapFilter(serializers.Serializer):
    dismissed = serializers.BooleanField(
        source="is_dismissed", required=False, default=False
    )


class PostFilter(serializers.Serializer):
    state = serializers.ChoiceField(Post.State.choices, required=False)


class ReadingFilter(serializers.Serializer):
    keyword = serializers.CharField(source="keyword__text", required=False)
    metric = serializers.ChoiceField(RankReading.Metric.choices, required=False)


class MessageFilter(serializers.Serializer):
    state = serializers.ChoiceField(Message.State.choices, required=False)


class ExportFilter(serializers.Serializer):
    address = serializers.CharField(
        required=False, default="", help_text="Only mail to this address."
    )
