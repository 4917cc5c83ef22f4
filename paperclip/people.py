"""The page of a company's people, and the page where an invitation is accepted."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from paperclip import invitations, roles
from paperclip.desk import Desk, attempt, back, page
from paperclip.exceptions import Invalid, Missing, Refused
from paperclip.models import Invite, Membership, SignInLink, User
from paperclip.models.membership import may_give
from paperclip.roles import Role

BACKEND = "django.contrib.auth.backends.ModelBackend"
HOME = "admin:people"
INVITES = 20
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    return show(request)


def show(
    request: HttpRequest,
    link: str = "",
    status: int = 200,
    link_of: Any = None,
    asked: Any = None,
) -> HttpResponse:
    """Who is here, who is invited, and what each role may do. `link` is that of a new
    invitation, or the one that signs `link_of` in, on this answer and never again.
    `asked` is an invitation that was refused, as it was typed."""
    desk = Desk.of(request)
    company, mine = desk.company, desk.role_in(desk.company)
    members = company.memberships.select_related("user").order_by("created_at", "id")
    rows = [
        {"member": each, "is_me": each.user_id == desk.user.pk, "roles": offered}
        for each in members
        for offered in [choices(mine, each.role)]
    ]
    given = may_give(mine)
    return page(
        request,
        "console/people.html",
        status=status,
        here=reverse(HOME) if request.method == "POST" else "",
        title=_("People"),
        rows=rows,
        link=link,
        link_of=link_of,
        given=[(role.value, role.label) for role in reversed(given)],
        asked=asked or {"role": Role.OPERATOR},
        invites=company.invites.open().select_related("invited_by")[:INVITES]
        if given
        else [],
        revocable={role.value for role in given},
        table=[(role, areas.items()) for role, areas in reversed(roles.TABLE.items())],
    )


def choices(mine: str, theirs: str) -> list[tuple[str, str]]:
    """The roles that one may give to somebody who has this one."""
    given = may_give(mine)
    if theirs not in given:
        return []
    return [(role.value, str(role.label)) for role in reversed(given)]


def member(request: HttpRequest, pk: str) -> Membership:
    """One of the company that is shown; 404 otherwise."""
    rows = Desk.of(request).company.memberships.select_related("user", "company")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404(_("Membership not found"))
    return found


@require_POST
def change_role(request: HttpRequest, pk: str) -> HttpResponse:
    row, desk = member(request, pk), Desk.of(request)
    role = request.POST.get("role", "")
    known = dict(Role.choices).get(role, role)
    done = _("%(user)s is %(role)s now.") % {"user": row.user, "role": known}
    attempt(request, lambda: row.change_role(role, by=desk.actor), done)
    return back(request, HOME)


@require_POST
def remove(request: HttpRequest, pk: str) -> HttpResponse:
    """Remove a member; or leave, when it is oneself."""
    row, desk = member(request, pk), Desk.of(request)
    company, is_me = row.company, row.user_id == desk.user.pk
    told = {"user": row.user, "company": company}
    done = _("%(user)s does not work at %(company)s any more.") % told
    if attempt(request, lambda: row.end(by=desk.actor), done) and is_me:
        return redirect("admin:index")
    return back(request, HOME)


@never_cache
@require_POST
def give_link(request: HttpRequest, pk: str) -> HttpResponse:
    """A link that signs a member in, shown on this answer and never again."""
    row, desk = member(request, pk), Desk.of(request)
    made: list[str] = []
    done = _("The link is made. Hand it to %(user)s.") % {"user": row.user}
    if not attempt(
        request, lambda: made.append(SignInLink.give(row, by=desk.actor)), done
    ):
        return show(request, status=Refused.status)
    place = reverse("admin:sign_in", args=made)
    return show(request, link=settings.URL + place, link_of=row.user)


@never_cache
@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody; the link is shown on this answer and never again."""
    desk = Desk.of(request)
    made: list[Any] = []
    email = request.POST.get("email", "").strip()

    def act() -> Any:
        must_be_address(email)
        made.extend(
            invitations.invite(
                desk.company,
                by=desk.actor,
                role=request.POST.get("role", ""),
                email=email,
            )
        )

    if not attempt(request, act, _("The invitation is made.")):
        return show(request, status=Refused.status, asked=request.POST)
    if invitations.is_mailed(made[0]):
        messages.info(request, _("It is on its way to %(to)s.") % {"to": email})
    elif email:
        said = _("No mail server is set up here: give the link to %(to)s yourself.")
        messages.warning(request, said % {"to": email})
    return show(request, link=invitations.link(made[1]))


def must_be_address(email: str) -> None:
    try:
        if email:
            validate_email(email)
    except ValidationError as error:
        raise Invalid(error.messages[0]) from None


@require_POST
def revoke(request: HttpRequest, pk: str) -> HttpResponse:
    desk = Desk.of(request)
    row = desk.company.invites.filter(pk=pk).select_related("company").first()
    if row is None:
        raise Http404(_("Invitation not found"))
    done = _("The invitation is withdrawn: its link does not work any more.")
    attempt(request, lambda: row.revoke(by=desk.actor), done)
    return back(request, HOME)


# --- for whoever has the link ------------------------------------------------------


@sensitive_variables("token")
@sensitive_post_parameters("password")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponseBase:
    """What one is invited to, and the way in. Every link that does not hold gets the
    same answer."""
    try:
        found = Invite.objects.of_token(token)
    except Missing as no:
        return plain(request, 404, refusal=no)
    if request.method != "POST":
        return plain(request, invite=found)
    try:
        user = joined(request, found)
    except Missing as no:  # somebody was quicker
        return plain(request, 404, refusal=no)
    except Refused as no:
        return plain(request, no.status, invite=found, refusal=no)
    login(request, user, backend=BACKEND)
    Desk.of(request).choose(found.company)
    return redirect("admin:index")


def joined(request: HttpRequest, invite: Invite) -> User:
    """Who is signed in, or the new person that was described."""
    if isinstance(request.user, User):
        return invite.accept(request.user).user
    name, password = request.POST.get("username", ""), request.POST.get("password", "")
    return invite.accept_anew(name, password).user


def plain(request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"title": _("Invitation"), "username": request.POST.get("username", "")}
    response = render(request, "console/invite.html", context, status=status)
    # Not no-referrer: then browsers post with `Origin: null`, which is refused.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["Content-Security-Policy"] = POLICY
    return response
