"""A company's secrets over HTTP: kept, rotated and bound by operators. No answer holds
a value or a part of one."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import (
    CharField,
    ChoiceField,
    IntegerField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from agents import provider_keys
from agents.api.shapes import DoneShape
from agents.models import Secret
from agents.models.secret import must_keep_secrets
from agents.models.secret_binding import PROVIDER
from paperclip.api.forms import Form, Text
from paperclip.api.schema import doc
from paperclip.api.shapes import Moment, Shape, Unset
from paperclip.api.views import Endpoint
from paperclip.pages import Pages

SECRETS = Pages(("name", "id"), limit=200, maximum=500)
KIND = "local_encrypted"


class SecretBindingShape(Shape):
    targetType = CharField(source="target_type")
    targetId = CharField(source="target_id")
    configPath = CharField(source="path")


class CompanySecretShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    name = CharField()
    description = SerializerMethodField()
    provider = SerializerMethodField()
    externalRef = Unset()
    latestVersion = IntegerField(source="latest_version")
    modelProviders = SerializerMethodField()
    bindings = SecretBindingShape(many=True, source="bindings.all")
    lastRotatedAt = Moment(source="last_rotated_at", allow_null=True)
    lastReadAt = Moment(source="last_read_at", allow_null=True)
    createdByAgentId = Unset()
    createdByUserId = UUIDField(source="created_by_user_id", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_description(self, secret: Secret) -> str | None:
        return secret.description or None

    def get_provider(self, secret: Secret) -> str:
        return KIND

    def get_modelProviders(self, secret: Secret) -> list[str]:
        bound = secret.bindings.all()
        return [one.target_id for one in bound if one.target_type == PROVIDER]


class SecretValueForm(Form):
    value = Text(
        trim_whitespace=False, help_text="At least 8 characters. It is never shown."
    )


class SecretChangeForm(Form):
    name = Text(max_length=120, required=False)
    description = Text(
        max_length=2000, allow_blank=True, allow_null=True, required=False
    )
    modelProviders = ListField(
        child=Text(max_length=40),
        source="model_providers",
        max_length=20,
        required=False,
        help_text="It pays for this company's calls of these, such as gemini.",
    )


class SecretForm(SecretChangeForm, SecretValueForm):
    name = Text(max_length=120)
    provider = ChoiceField([KIND], required=False)


class Secrets(Endpoint):
    @doc("list_secrets", "What is kept here", gives=CompanySecretShape, pages=SECRETS)
    def get(self, request: Request, **path: str) -> Response:
        company = self.company()
        must_keep_secrets(self.actor, company.pk)
        rows = Secret.objects.filter(company=company).prefetch_related("bindings")
        return self.page(rows, SECRETS, CompanySecretShape)

    @doc(
        "create_secret",
        "Keep a value that nobody is shown again",
        takes=SecretForm,
        gives=CompanySecretShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        must_keep_secrets(self.actor, company.pk)
        told = self.read(SecretForm)
        secret = provider_keys.keep(
            company,
            by=self.actor,
            name=told["name"],
            value=told["value"],
            description=told.get("description") or "",
            providers=told.get("model_providers", []),
        )
        return Response(CompanySecretShape(secret).data, status=201)


class SecretEndpoint(Endpoint):
    def secret(self) -> Secret:
        # Before the body is looked at: an agent learns nothing from trying.
        secret: Secret = Secret.objects.get_for(self.actor, self.kwargs["secret_id"])
        must_keep_secrets(self.actor, secret.company_id)
        return secret


class OneSecret(SecretEndpoint):
    @doc(
        "change_secret",
        "Its name, what it is for, whom it pays",
        takes=SecretChangeForm,
        gives=CompanySecretShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        secret = self.secret()
        fields: dict[str, Any] = self.read(SecretChangeForm, partial=True)
        if "description" in fields:
            fields["description"] = fields["description"] or ""
        provider_keys.change(secret, by=self.actor, **fields)
        return Response(CompanySecretShape(secret).data)

    @doc("delete_secret", "Destroy it, unless it is in use", gives=DoneShape)
    def delete(self, request: Request, **path: str) -> Response:
        self.secret().remove(by=self.actor)
        return Response({"ok": True})


class RotateSecret(SecretEndpoint):
    @doc(
        "rotate_secret",
        "A new value, from the next run on; the old one is revoked",
        takes=SecretValueForm,
        gives=CompanySecretShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        secret = self.secret()
        secret.rotate(self.read(SecretValueForm)["value"], by=self.actor)
        return Response(CompanySecretShape(secret).data)
