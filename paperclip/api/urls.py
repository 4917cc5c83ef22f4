"""Everything below /api. The last route answers for all the others."""

from django.urls import include, path, re_path

from paperclip.api import people
from paperclip.api.backups import Backups
from paperclip.api.companies import Companies, CompanyActivity, Me, OneCompany
from paperclip.api.health import Health
from paperclip.api.openapi import Document
from paperclip.api.views import NoRoute

urlpatterns = [
    path("health", Health.as_view()),
    path("openapi.json", Document.as_view()),
    path("instance/database-backups", Backups.as_view()),
    path("cli-auth/me", Me.as_view()),
    path("companies", Companies.as_view()),
    path("companies/<str:company_id>", OneCompany.as_view()),
    path("companies/<str:company_id>/activity", CompanyActivity.as_view()),
    path("companies/<str:company_id>/members", people.Members.as_view()),
    path(
        "companies/<str:company_id>/members/<str:member_id>",
        people.OneMember.as_view(),
    ),
    path("companies/<str:company_id>/invites", people.Invites.as_view()),
    path("invites/<str:invite_id>/revoke", people.RevokeInvite.as_view()),
    path("invites/<str:token>/accept", people.AcceptInvite.as_view()),
    path("invites/<str:token>", people.OneInvite.as_view()),
    path("", include("agents.api.urls")),
    path("", include("issues.api.urls")),
    path("", include("marketing.api.urls")),
    re_path("", NoRoute.as_view()),
]
