"""The settings of the site: set up once, changed ever after."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from marketing import keys
from marketing.models import Site
from marketing.site_form import SiteForm
from paperclip import roles
from paperclip.desk import Desk, page
from paperclip.exceptions import Refused

ACT = "set the site up"


@require_http_methods(["GET", "POST"])
def site(request: HttpRequest) -> HttpResponse:
    desk = Desk.of(request)
    company = desk.company
    if not desk.may(company, ACT):
        raise PermissionDenied(roles.refusal(desk.role_in(company), ACT))
    row = Site.objects.filter(company=company).first()
    form = SiteForm(request.POST or None, instance=row, company=company)
    if request.method == "POST" and form.is_valid():
        try:
            save(desk, form)
        except Refused as no:
            form.refuse(no)
        else:
            messages.success(request, _("The site is saved."))
            return redirect("admin:marketing")
    return page(
        request,
        "console/form.html",
        status=422 if form.errors else 200,
        form=form,
        title=_("Site"),
        save_label=_("Save") if row else _("Set it up"),
        crumbs=[(_("Marketing"), "/marketing/")],
    )


@transaction.atomic
def save(desk: Desk, form: SiteForm) -> None:
    row = Site.objects.set_up(desk.company, by=desk.actor, **form.site_values())
    for path, secret in form.secrets().items():
        keys.bind(row, path, secret, by=desk.actor)
