"""The repository of a project over HTTP: bundles down, one issue's branch up."""

from __future__ import annotations

import re
from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer

from issues import repositories, uploads
from issues.api.issues import IssueEndpoint
from issues.api.work_shapes import WorkProductShape
from issues.models import Issue, Project
from issues.outside import note_cloning
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.exceptions import BadRequest
from paperclip.git import scratch

BUNDLE = "application/x-git-bundle"
MOST_HAVES = 500


class HaveFilter(Serializer):
    have = CharField(
        required=False,
        help_text="Commits that the caller has, as its remote branches stand:"
        " full hashes with commas.",
    )

    def validate_have(self, text: str) -> list[str]:
        hashes = [one for one in text.split(",") if one]
        if len(hashes) > MOST_HAVES or not all(
            re.fullmatch("[0-9a-f]{40}", one) for one in hashes
        ):
            raise BadRequest(
                f"have is up to {MOST_HAVES} full commit hashes with commas.",
                code="validation",
                path=["have"],
            )
        return hashes


class Raw(BaseParser):
    """The body as it comes: it is read block by block where it is needed."""

    media_type = BUNDLE

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        return stream


class Octets(Raw):
    media_type = "application/octet-stream"


class Repository(Endpoint):
    @doc(
        "get_repository",
        "A git bundle of all branches, without what the caller has; 204: nothing new",
        gives=OpenApiTypes.BINARY,
        status=(200, 204),
        query=HaveFilter,
    )
    def get(self, request: Request, **path: str) -> Any:
        project = Project.objects.get_for(self.actor, self.kwargs["project_id"])
        note_cloning(self.actor, project)
        have = self.query(HaveFilter).get("have", [])
        bare = repositories.ready(project)
        out = scratch()  # the response closes it
        if not bare.bundle(out, project.default_branch, have):
            out.close()
            return Response(status=204)
        out.seek(0)
        return FileResponse(out, content_type=BUNDLE)


class Branch(IssueEndpoint):
    parser_classes = [Raw, Octets]
    largest = uploads.LARGEST
    repeatable = True

    @doc(
        "upload_branch",
        "Hand over the issue's branch: a git bundle with it and nothing else",
        takes=OpenApiTypes.BINARY,  # type: ignore[arg-type]
        gives=WorkProductShape,
        status=(201, 200),
    )
    def post(self, request: Request, **path: str) -> Response:
        among = Issue.objects.select_related("project", "parent", "assignee_agent")
        issue = self.issue(among)
        if request.stream is None:
            raise BadRequest("Send a bundle, with its Content-Length.", code="empty")
        upload: Any = request.data
        product, is_new = uploads.receive(issue, upload, by=self.actor)
        shape = WorkProductShape(product)
        return Response(shape.data, status=201 if is_new else 200)
