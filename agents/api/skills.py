"""What agents are taught, for programs that bring a loop of their own."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework.request import Request

from agents import skills
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint

MARKDOWN = OpenApiResponse(OpenApiTypes.STR, description="text/markdown")


class HeartbeatSkill(Endpoint):
    @doc("get_heartbeat_skill", "How to work here, as Markdown", gives=MARKDOWN)
    def get(self, request: Request) -> HttpResponse:
        text = skills.HEARTBEAT.read_text()
        return HttpResponse(text, content_type="text/markdown; charset=utf-8")
