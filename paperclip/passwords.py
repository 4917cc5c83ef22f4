"""Signing in with a name and a password, for those who chose one when they joined."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.decorators.http import require_http_methods
from redis import RedisError

from issues.webhooks import minute_of, source_of
from paperclip.desk import back
from paperclip.exceptions import NotSignedIn, Refused, TooMany
from paperclip.live import valkey
from paperclip.models import User
from paperclip.tokens import digest

# Of one name, and from one address: guessing takes for ever at this pace.
TRIES, TRIES_FROM = 10, 60


@sensitive_variables("password")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The page that says how to get in, and the way in for those with a password."""
    context |= {"title": _("Sign in"), "stranger": request.user.is_authenticated}
    context["next"] = request.POST.get("next") or request.GET.get("next", "")
    if request.method == "POST":
        try:
            user = known(request)
        except Refused as no:
            status = no.status
            told = {"refusal": no, "username": request.POST.get("username", "")}
            return render(request, "console/login.html", context | told, status=status)
        login(request, user)
        return back(request, "admin:index")
    return render(request, "console/login.html", context)


@sensitive_variables("password")
def known(request: HttpRequest) -> User:
    """Who this is. NotSignedIn, in the same words whatever was wrong; TooMany for who
    tries too often."""
    name, password = request.POST.get("username", ""), request.POST.get("password", "")
    must_be_patient(f"name:{digest(name.strip().casefold())}", TRIES)
    must_be_patient(f"from:{source_of(request)}", TRIES_FROM)
    user = authenticate(request, username=name.strip(), password=password)
    if not isinstance(user, User):
        raise NotSignedIn(_("The name or the password is not right."))
    return user


def must_be_patient(who: str, most: int) -> None:
    """Count this try; without a broker nobody counts."""
    at = now()
    key, tries = f"sign-in-{who}:{minute_of(at)}", 0
    with suppress(RedisError), valkey().pipeline() as steps:
        steps.incr(key)
        steps.expire(key, 120)
        tries = int(steps.execute()[0])
    if tries > most:
        wait = 60 - int(at.timestamp()) % 60
        said = _("Too many tries. Wait %(n)s seconds.") % {"n": wait}
        raise TooMany(said, retry_after=wait)
