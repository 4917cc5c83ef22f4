"""The settings of the site: set up once, changed ever after."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from marketing import credentials, keys, setup
from marketing.models import Site
from marketing.site_form import SiteForm
from paperclip import roles
from paperclip.desk import Desk, page
from paperclip.exceptions import Refused
from paperclip.models import Company

ACT = "set the site up"


@require_http_methods(["GET", "POST"])
def site(request: HttpRequest) -> HttpResponse:
    desk = Desk.of(request)
    company = company_to_set_up(desk)
    row = Site.objects.filter(company=company).first()
    if row is None and request.method == "GET" and "by_hand" not in request.GET:
        return begin(request, company)
    form = SiteForm(request.POST or None, instance=row, company=company)
    if request.method == "POST" and form.is_valid():
        try:
            save(desk, form)
        except Refused as no:
            form.refuse(no)
        else:
            messages.success(request, _("The site is saved."))
            return redirect("admin:marketing")
    return shown(request, form, row)


def company_to_set_up(desk: Desk) -> Company:
    if not desk.may(desk.company, ACT):
        raise PermissionDenied(roles.refusal(desk.role_in(desk.company), ACT))
    return desk.company


@require_POST
def try_credentials(request: HttpRequest) -> HttpResponse:
    """What `doctor` says of them. By POST, because others' servers are asked."""
    company = company_to_set_up(Desk.of(request))
    found = credentials.examine(company)
    if not found:
        raise Http404
    return page(
        request,
        "marketing/credentials.html",
        title=_("Credentials"),
        company=company,
        crumbs=[
            (_("Marketing"), reverse("admin:marketing")),
            (_("Site"), reverse("admin:site_setup")),
        ],
        here=reverse("admin:site_setup"),
        found=[(told, credentials.WORDS[told.state]) for told in found],
    )


def shown(request: HttpRequest, form: SiteForm, row: Site | None) -> HttpResponse:
    return page(
        request,
        "console/form.html",
        status=422 if form.errors else 200,
        form=form,
        title=_("Site"),
        save_label=_("Save") if row else _("Set it up"),
        crumbs=[(_("Marketing"), reverse("admin:marketing"))],
    )


def begin(request: HttpRequest, company: Company) -> HttpResponse:
    """Ask for the address, read the site there, and propose what to fill in."""
    url, refusal = request.GET.get("url", "").strip(), None
    if url:
        try:
            found = setup.propose(company, url)
        except Refused as no:
            refusal = no
        else:
            rivals = [one["base_url"] for one in found.rivals]
            told = {**found.fields, "keywords": found.keywords, "rivals": rivals}
            for problem in found.problems:
                messages.warning(request, problem)
            said = _("Read: %(n)s pages. Look at what is proposed, and correct it.")
            messages.success(request, said % {"n": len(found.read)})
            return shown(request, SiteForm(company=company, initial=told), None)
    return page(
        request,
        "marketing/site_start.html",
        status=422 if refusal else 200,
        title=_("Site"),
        crumbs=[(_("Marketing"), reverse("admin:marketing"))],
        refusal=refusal,
        url=url,
    )


@transaction.atomic
def save(desk: Desk, form: SiteForm) -> None:
    row = Site.objects.set_up(desk.company, by=desk.actor, **form.site_values())
    for path, secret in form.secrets().items():
        keys.bind(row, path, secret, by=desk.actor)
