"""Pages of the console that belong to no model: sign-in, the company, what happened."""

from __future__ import annotations

from django.contrib.auth import login
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.models import Run
from paperclip import feed, live
from paperclip.desk import CHOICE, LIVE_SALT, Desk, attempt, back, page
from paperclip.models import Activity, Company, SignInLink

PER_PAGE = 50
BACKEND = "django.contrib.auth.backends.ModelBackend"


@sensitive_variables("token")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """A one-time link. Looking at it, as previews do, does not use it up."""
    if request.method == "POST":
        user = SignInLink.redeem(token)
        if user is not None and user.is_active:
            login(request, user, backend=BACKEND)
            return redirect("admin:index")
        found = None
    else:
        found = SignInLink.holder_of(token)
    response = render(
        request,
        "console/sign_in.html",
        {"title": _("Sign in"), "found": found, "site_title": "Paperclip"},
        status=200 if found else 410,
    )
    # Not no-referrer: then browsers post with `Origin: null`, which is refused.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    return response


@require_GET
def version(request: HttpRequest, token: str) -> HttpResponse:
    """How new the company's rows are: asked about once a second by every open page."""
    try:
        user_id, company_id = signing.loads(token, salt=LIVE_SALT)
    except signing.BadSignature:
        return HttpResponse(status=404)
    if not request.user.is_active or str(request.user.pk) != user_id:
        return HttpResponse(status=403)
    tag = f'"{live.version(company_id)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(tag.strip('"'), content_type="text/plain", headers=headers)


@require_POST
def choose(request: HttpRequest, pk: str) -> HttpResponse:
    """Show this company from now on."""
    company = Desk.of(request).one(Company.objects.all(), pk)
    request.session[CHOICE] = str(company.pk)
    return redirect("admin:index")


@require_POST
def stop(request: HttpRequest, pk: str) -> HttpResponse:
    desk = Desk.of(request)
    company = desk.one(Company.objects.all(), pk)
    attempt(
        request,
        lambda: Run.objects.stop_company(company, by=desk.actor),
        _("Everything is stopped. No agent starts until you resume the company."),
    )
    return back(request, "admin:index")


@require_POST
def resume(request: HttpRequest, pk: str) -> HttpResponse:
    desk = Desk.of(request)
    company = desk.one(Company.objects.all(), pk)
    done = _("The company works again. What was stopped stays stopped.")
    attempt(request, lambda: company.resume(by=desk.actor), done)
    return back(request, "admin:index")


@require_GET
def activity(request: HttpRequest) -> HttpResponse:
    """The log of acts, newest first, page by page."""
    acts = Activity.objects.filter(company=Desk.of(request).company)
    if kind := request.GET.get("kind", ""):
        acts = acts.filter(entity_type=kind)
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        acts = acts.filter(seq__lt=int(before[:18]))
    shown = list(acts[: PER_PAGE + 1])
    older = shown[PER_PAGE - 1].seq if len(shown) > PER_PAGE else None
    kinds = [
        ("", _("Everything")),
        ("issue", _("Issues")),
        ("agent", _("Agents")),
        ("heartbeat_run", _("Runs")),
        ("company", _("Company")),
    ]
    return page(
        request,
        "console/activity.html",
        title=_("Activity"),
        activity=feed.lines(shown[:PER_PAGE]),
        kinds=kinds,
        kind=kind,
        older=older,
        here=reverse("admin:activity"),
    )
