"""The red buttons over HTTP: one company, or all of this instance."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField

from agents import stopping
from agents.models import Run
from paperclip.api.schema import doc
from paperclip.api.shapes import CompanyShape, Moment, Shape
from paperclip.api.views import Endpoint
from paperclip.exceptions import NotAllowed
from paperclip.models import Instance


class InstanceShape(Shape):
    stoppedAt = Moment(
        source="stopped_at",
        allow_null=True,
        help_text="While it is set no agent starts, of whatever company.",
    )
    stoppedBy = CharField(source="stopped_by")
    sweptAt = Moment(source="swept_at", allow_null=True)


class OneInstance(Endpoint):
    @doc("get_instance", "Whether everything is stopped", gives=InstanceShape)
    def get(self, request: Request) -> Response:
        if self.actor.user is None:
            raise NotAllowed("This is for operators.")
        return Response(InstanceShape(Instance.objects.current()).data)


class StopInstance(Endpoint):
    @doc(
        "stop_instance",
        "End every run of every company; nothing starts until it is resumed",
        gives=InstanceShape,
    )
    def post(self, request: Request) -> Response:
        return Response(InstanceShape(stopping.stop_everything(by=self.actor)).data)


class ResumeInstance(Endpoint):
    @doc(
        "resume_instance",
        "Let agents start again; for owners and admins",
        gives=InstanceShape,
    )
    def post(self, request: Request) -> Response:
        return Response(InstanceShape(stopping.resume_everything(by=self.actor)).data)


class StopCompany(Endpoint):
    @doc(
        "stop_company",
        "End every run of the company; nothing of it starts until it is resumed",
        gives=CompanyShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        Run.objects.stop_company(company, by=self.actor)
        return Response(CompanyShape(company).data)


class ResumeCompany(Endpoint):
    @doc("resume_company", "Let the company work again", gives=CompanyShape)
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        stopping.resume_company(company, by=self.actor)
        return Response(CompanyShape(company).data)
