"""What the pages of the console share: who looks, at which company, and how a page or a
fragment of it is answered."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.core import signing
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django_htmx.middleware import HtmxDetails

from paperclip import live, roles
from paperclip.actors import Actor
from paperclip.exceptions import Missing, Refused
from paperclip.models import Company, Instance, Membership, User

View = Callable[..., HttpResponse]

CHOICE = "company"
LEFT = "rehearsal_left"
LIVE_SALT = "paperclip.live"


class ConsoleRequest(HttpRequest):
    """A request of the console, with what is put on it on the way."""

    user: User
    htmx: HtmxDetails
    desk: Desk
    live_version: str


class Desk:
    """Where a person sits: whose company is shown, and what the role there allows."""

    def __init__(self, request: ConsoleRequest) -> None:
        self.request = request

    @classmethod
    def of(cls, request: HttpRequest) -> Desk:
        """The desk of this request; its memberships are read once."""
        ours = cast(ConsoleRequest, request)
        if not hasattr(ours, "desk"):
            ours.desk = cls(ours)
        return ours.desk

    @property
    def user(self) -> User:
        return self.request.user

    @cached_property
    def actor(self) -> Actor:
        return Actor.of_user(self.user)

    @cached_property
    def memberships(self) -> dict[UUID, Membership]:
        if not self.request.user.is_authenticated:
            return {}
        mine = Membership.objects.filter(user=self.request.user)
        shown = mine.exclude(company__status=Company.Status.ARCHIVED)
        ordered = shown.select_related("company").order_by(
            "company__name", "company__created_at"
        )
        found = {membership.company_id: membership for membership in ordered}
        return found | self._everywhere(found) if self.user.is_superuser else found

    def _everywhere(self, mine: Collection[UUID]) -> dict[UUID, Membership]:
        """What the administrator of the instance is where they are no member."""
        others = Company.objects.exclude(pk__in=mine)
        shown = others.exclude(status=Company.Status.ARCHIVED)
        role = Membership.Role.OWNER
        return {
            company.pk: Membership(company=company, user=self.user, role=role)
            for company in shown
        }

    @property
    def archived(self) -> list[Company]:
        """The companies that this person may bring back."""
        mine = Company.objects.visible_to(self.actor).order_by("name")
        gone = mine.filter(status=Company.Status.ARCHIVED)
        act = "archive the company"
        return [one for one in gone if roles.allows(self.user.role_in(one.pk), act)]

    @property
    def companies(self) -> list[Company]:
        return [membership.company for membership in self.memberships.values()]

    @cached_property
    def company(self) -> Company:
        """The one chosen in the switcher, else the first that works."""
        chosen = str(self.request.session.get(CHOICE))
        first = sorted(self.companies, key=lambda c: c.status != c.Status.ACTIVE)[0]
        return next((c for c in self.companies if is_chosen(c, chosen)), first)

    def choose(self, company: Company) -> None:
        """Show this company from now on."""
        left = f" {LEFT}" if was_left(company) else ""
        self.request.session[CHOICE] = f"{company.pk}{left}"

    def role_in(self, company: Company) -> str:
        """As User.role_in, of what was read already; empty for no member."""
        mine = self.memberships.get(company.pk)
        return mine.role if mine else ""

    def may(self, company: Company, act: str) -> bool:
        """Whether to offer it. The verbs decide, whatever was offered."""
        return roles.allows(self.role_in(company), act)

    def may_write(self, company: Company) -> bool:
        """Whether to offer what is everyday work."""
        return self.may(company, "change issues")

    def to_decide(self, company: Company) -> int:
        """How many approvals wait for a person."""
        return int(company.approvals.filter(status="pending").count())

    @cached_property
    def stop(self) -> Instance | None:
        """The stop of everything, while there is one."""
        return Instance.objects.stopped()

    @property
    def may_stop_all(self) -> bool:
        return self.may_somewhere("stop everything")

    @property
    def may_resume_all(self) -> bool:
        return self.may_somewhere("resume everything")

    def may_somewhere(self, act: str) -> bool:
        """As User.may_somewhere, of what was read already."""
        mine = self.memberships.values()
        return any(roles.allows(one.role, act) for one in mine)

    @property
    def can_leave(self) -> bool:
        """Whether to offer the way out of the rehearsal that is shown."""
        return self.may(self.company, "leave the rehearsal")

    def one(self, rows: Any, pk: Any) -> Any:
        """One row this person may see; 404 otherwise."""
        try:
            return rows.get_for(self.actor, pk)
        except Missing as error:
            raise Http404(str(error)) from error

    def live_token(self, company: Company) -> str:
        """Lets this person ask for the company's version without a look-up."""
        seat = [str(self.request.user.pk), str(company.pk)]
        return signing.dumps(seat, salt=LIVE_SALT)

    def note_version(self) -> None:
        """Remember how new the rows are that this request is going to read."""
        if self.memberships:
            self.request.live_version = live.version(self.company.pk)

    def live(self, company: Company) -> dict[str, str]:
        """What the page needs to notice changes. Without a version noted for this very
        company it refreshes once at its start."""
        noted = getattr(self.request, "live_version", "")
        return {
            "live_token": self.live_token(company),
            "live_version": noted if company.pk == self.company.pk else "",
        }


def was_left(company: Company) -> bool:
    return company.rehearsal and company.pause_reason == LEFT


def is_chosen(company: Company, choice: str) -> bool:
    """Whether that choice is this company. A rehearsal chosen before it was left is not
    what one wants to see any more; chosen after that, it is."""
    pk, _space, left = choice.partition(" ")
    return pk == str(company.pk) and bool(left or not was_left(company))


def cut(request: HttpRequest, rows: Any, size: int) -> Page[Any]:
    """The page of the rows that `?page=` asks for. Rows come and go, so that a number
    which there is not any more is the nearest there is."""
    return Paginator(rows, size).get_page(request.GET.get("page"))


def page(
    request: HttpRequest,
    template: str,
    *,
    company: Company | None = None,
    status: int = 200,
    here: str = "",
    **context: Any,
) -> TemplateResponse:
    """A page of the console, or without its frame what htmx refreshes of it. `here` is
    its address when it answers a button: that of the button shows nothing."""
    desk = Desk.of(request)
    company = company or desk.company
    context |= {
        **desk.live(company),
        "desk": desk,
        "company": company,
        "here": here,
        "may_write": desk.may_write(company),
        "my_role": desk.role_in(company),
        "frame": "console/fragment.html" if desk.request.htmx else "console/frame.html",
    }
    if not desk.request.htmx:
        context = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, context, status=status)


def attempt(
    request: HttpRequest, act: Callable[[], Any], done: str | Callable[[Any], str]
) -> bool:
    """Do it and say so; a refusal is said in its own words."""
    try:
        result = act()
    except Refused as no:
        messages.warning(request, str(no))
        return False
    messages.success(request, done(result) if callable(done) else done)
    return True


def back(request: HttpRequest, default: Any) -> HttpResponse:
    """To the page the button was on."""
    url = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        url, {request.get_host()}, request.is_secure()
    )
    return HttpResponseRedirect(url if ours else resolve_url(default))


def button(
    one: Callable[[HttpRequest, str], Any],
    home: Callable[[Any], str],
    verb: Callable[[Any, Desk], Any],
    done: Callable[[Any, Any], str],
) -> View:
    """The view of a button on one row: call the verb, say what came of it, go back."""

    @require_POST
    def view(request: HttpRequest, pk: str) -> HttpResponse:
        row, desk = one(request, pk), Desk.of(request)
        attempt(request, lambda: verb(row, desk), lambda came: done(came, row))
        return back(request, home(row))

    return view
