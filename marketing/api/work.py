"""What the jobs have found and made, over HTTP: gaps, posts, ranks and mail."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from marketing.api.forms import (
    ExportFilter,
    GapFilter,
    MessageFilter,
    PostFilter,
    ReadingFilter,
)
from marketing.api.jobs import note
from marketing.api.shapes import (
    GapShape,
    MessageShape,
    PostDetail,
    PostShape,
    ReadingShape,
)
from marketing.models import KeywordGap, Message, Post, RankReading
from marketing.outreach import addresses, ledger
from paperclip.api.schema import doc
from paperclip.api.shapes import Shape
from paperclip.api.views import Endpoint
from paperclip.models import ScopedQuerySet
from paperclip.pages import Pages

NEWEST = Pages(("-created_at", "-id"))
GAPS = Pages(("-score", "-id"))
READINGS = Pages(("-day", "-created_at", "-id"), limit=500, maximum=2000)
LINES = "application/x-ndjson"
EXPORT = OpenApiResponse(OpenApiTypes.STR, description=LINES)


class ListEndpoint(Endpoint):
    def shown(
        self,
        rows: ScopedQuerySet,
        pages: Pages,
        shape: type[Shape],
        form: type[Serializer],
        **context: Any,
    ) -> Response:
        """A page of the company's rows that the query asks for."""
        company = self.company()
        rows = rows.filter(company=company, **self.query(form))
        answer = self.page(rows, pages, shape, **context)
        note(self.actor, answer.data)
        return answer


class Gaps(ListEndpoint):
    @doc(
        "list_keyword_gaps",
        "What rivals are found for and we are not, the best first",
        gives=GapShape,
        query=GapFilter,
        pages=GAPS,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.shown(KeywordGap.objects.all(), GAPS, GapShape, GapFilter)


class Posts(ListEndpoint):
    @doc(
        "list_posts",
        "The posts and where each is on its way, the newest first",
        gives=PostShape,
        query=PostFilter,
        pages=NEWEST,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.shown(Post.objects.all(), NEWEST, PostShape, PostFilter)


class OnePost(Endpoint):
    @doc("get_post", "A post with every text it has had", gives=PostDetail)
    def get(self, request: Request, **path: str) -> Response:
        row = Post.objects.get_for(self.actor, self.kwargs["post_id"])
        note(self.actor, row)
        return Response(PostDetail(row).data)


class Readings(ListEndpoint):
    @doc(
        "list_rank_readings",
        "Where we were found, the newest first; what was not measured is not there",
        gives=ReadingShape,
        query=ReadingFilter,
        pages=READINGS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = RankReading.objects.select_related("keyword")
        return self.shown(rows, READINGS, ReadingShape, ReadingFilter)


class Messages(ListEndpoint):
    @doc(
        "list_messages",
        "The mail to people outside, the newest first",
        gives=MessageShape,
        query=MessageFilter,
        pages=NEWEST,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Message.objects.select_related("contact")
        whole = addresses.are_whole(self.actor, self.company().pk)
        return self.shown(rows, NEWEST, MessageShape, MessageFilter, whole=whole)


class Export(Endpoint):
    @doc(
        "get_mail_export",
        "Every mail and what happened to it, a line of JSON each; it is recorded",
        gives=EXPORT,
        query=ExportFilter,
        problems=(403,),
    )
    def get(self, request: Request, **path: str) -> StreamingHttpResponse:
        company, asked = self.company(), self.query(ExportFilter)
        lines = ledger.export(company, by=self.actor, **asked)
        told = (f"{line}\n" for line in lines)
        return StreamingHttpResponse(told, content_type=LINES)
