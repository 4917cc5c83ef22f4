"""Pages of the console that belong to no model: sign-in, the company, its costs."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents import spending, stopping
from agents.models import Agent, ProviderAccount, Run
from agents.spending import Month, Spend
from issues import standing, worth
from paperclip import first_start, live, words
from paperclip.desk import LIVE_SALT, Desk, attempt, back, page
from paperclip.exceptions import Conflict, Invalid, Refused
from paperclip.models import Company, SignInLink, User

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
    user = request.user
    # A page that was open when its reader was removed learns nothing more.
    if not isinstance(user, User) or not user.is_active or str(user.pk) != user_id:
        return HttpResponse(status=403)
    if not user.role_in(company_id):
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
    Desk.of(request).choose(company)
    return redirect("admin:index")


@require_POST
def stop(request: HttpRequest, pk: str) -> HttpResponse:
    desk = Desk.of(request)
    company = desk.one(Company.objects.all(), pk)
    attempt(
        request,
        lambda: Run.objects.stop_company(company, by=desk.actor),
        _("%(it)s is stopped. No agent starts until you resume it.") % {"it": company},
    )
    return back(request, "admin:index")


@require_POST
def resume(request: HttpRequest, pk: str) -> HttpResponse:
    desk = Desk.of(request)
    company = desk.one(Company.objects.all(), pk)
    done = _("%(it)s works again. What was stopped stays stopped.") % {"it": company}
    attempt(request, lambda: stopping.resume_company(company, by=desk.actor), done)
    return back(request, "admin:index")


@require_POST
def archive(request: HttpRequest, pk: str) -> HttpResponse:
    """Close a company for good; not the only one that this person can look at."""
    desk = Desk.of(request)
    company = desk.one(Company.objects.all(), pk)

    def act() -> None:
        company_must_be_one_of_several(desk)
        stopping.archive_company(company, by=desk.actor)

    done = _("%(it)s is archived. Nothing of it runs any more.") % {"it": company}
    if attempt(request, act, done):
        return redirect("admin:index")
    return back(request, "admin:paperclip_company_changelist")


@require_POST
def bring_back(request: HttpRequest, pk: str) -> HttpResponse:
    """Take a company out of the archive, and show it: nothing of it runs yet."""
    desk = Desk.of(request)
    company = desk.one(Company.objects.all(), pk)
    done = _("%(it)s is back. It is stopped: resume it when it may work.")
    if attempt(request, lambda: company.restore(by=desk.actor), done % {"it": company}):
        desk.choose(company)
        return redirect("admin:index")
    return back(request, "admin:paperclip_company_changelist")


def company_must_be_one_of_several(desk: Desk) -> None:
    """Conflict: whoever archives the last one has no page left to look at."""
    if len(desk.companies) < 2:
        raise Conflict(_("It is your only company: found another one first."))


@require_POST
def stop_all(request: HttpRequest) -> HttpResponse:
    """Every company of this instance."""
    by = Desk.of(request).actor
    done = _(
        "Everything is stopped, in all companies. No agent starts until somebody"
        " resumes it."
    )
    attempt(request, lambda: stopping.stop_everything(by=by), done)
    return back(request, "admin:index")


@require_POST
def resume_all(request: HttpRequest) -> HttpResponse:
    by = Desk.of(request).actor
    done = _("Agents start again. What was stopped stays stopped.")
    attempt(request, lambda: stopping.resume_everything(by=by), done)
    return back(request, "admin:index")


@require_http_methods(["GET", "POST"])
def leave_rehearsal(request: HttpRequest) -> HttpResponse:
    """From the rehearsal to the real company: who works there, with which model."""
    company = Desk.of(request).company
    if not company.rehearsal:
        raise Http404(_("This company is no rehearsal."))
    if request.method == "POST":
        try:
            return founded(request, company)
        except Refused as no:
            return leaving(request, company, refusal=no)
    return leaving(request, company)


def founded(request: HttpRequest, rehearsal: Company) -> HttpResponse:
    real = first_start.leave_rehearsal(
        rehearsal,
        agents=request.POST.getlist("agents"),
        by=Desk.of(request).actor,
        model=request.POST.get("model", "").strip(),
    )
    Desk.of(request).choose(real)
    messages.success(request, _("%(company)s is at work.") % {"company": real})
    return redirect("admin:index")


def leaving(
    request: HttpRequest, company: Company, refusal: Refused | None = None
) -> HttpResponse:
    """The choice, with what was chosen when the verb refused it."""
    known = first_start.staff_to_pick()
    names = [one["name"] for one in known]
    return page(
        request,
        "console/leave.html",
        status=refusal.status if refusal else 200,
        title=_("Leave the rehearsal"),
        agents=known,
        others=company.agents.employed().exclude(name__in=names),
        leaving=True,
        picked=request.POST.getlist("agents"),
        model=request.POST.get("model", ""),
        at_hand=first_start.model_at_hand(),
        default=settings.DEFAULT_MODEL,
        keys=list(first_start.MODELS),
        refusal=refusal,
    )


@require_GET
def costs(request: HttpRequest) -> HttpResponse:
    """What the models cost in a month, by agent, by model and by day."""
    company = Desk.of(request).company
    month = Month.of(request.GET.get("month", ""))
    events = month.events(company)
    names = dict(Agent.objects.filter(company=company).values_list("pk", "name"))
    limits = Agent.objects.filter(company=company)
    limit_of = dict(limits.values_list("pk", "budget_monthly_cents"))
    agents = [
        (pk, names.get(pk, "?"), spend, limit_of.get(pk, 0))
        for pk, spend in spending.by(events, "agent_id").items()
    ]
    days = spending.by_day(events)
    names_of = {"agents": _("Agent"), "models": _("Model"), "roles": _("Role")}
    # A rehearsal pays nothing: there the calls are what a day can be told by.
    size = "calls" if company.rehearsal else "micros"
    return page(
        request,
        "console/costs.html",
        title=_("Costs"),
        month=month,
        is_now=month == Month.now(),
        total=spending.total(events),
        agents=agents,
        models=spending.by(events, "provider", "model").items(),
        days=[(day, days.get(day, Spend())) for day in month.days],
        size=size,
        most=max((getattr(spend, size) for spend in days.values()), default=0),
        accounts=ProviderAccount.objects.with_waiting(),
        worth_columns=[
            (names_of[kind], [(called(kind, row.name), row) for row in rows])
            for kind, rows in worth.per_accepted(company, events, *month.span).items()
        ],
        turnaround=standing.turnaround(standing.decisions_of(company)),
        reviewers=standing.by_reviewer(company),
    )


def called(kind: str, name: str) -> str:
    return words.role(name) if kind == "roles" else name


def account(pk: int) -> ProviderAccount:
    found = ProviderAccount.objects.filter(pk=pk).first()
    if found is None:
        raise Http404(_("Provider account not found"))
    return found


@require_POST
def open_account(request: HttpRequest, pk: int) -> HttpResponse:
    desk, row = Desk.of(request), account(pk)
    done = _("Agents may call %(account)s again.") % {"account": row}
    attempt(request, lambda: row.open(by=desk.actor), done)
    return back(request, "admin:costs")


@require_POST
def change_account(request: HttpRequest, pk: int) -> HttpResponse:
    desk, row = Desk.of(request), account(pk)

    def change() -> None:
        row.change(
            by=desk.actor,
            max_concurrent_runs=whole(request.POST.get("max_concurrent_runs")) or None,
            reserve_percent=whole(request.POST.get("reserve_percent")),
        )

    attempt(request, change, _("%(account)s is changed.") % {"account": row})
    return back(request, "admin:costs")


def whole(text: str | None) -> int:
    """A number as a form sends it; Invalid for anything else."""
    text = (text or "0").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Invalid(_("Write a whole number."))
    return int(text)
