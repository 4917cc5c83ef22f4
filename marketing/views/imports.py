"""Lists that people bring along: shown what will happen first, then taken in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from marketing import imports, starters
from marketing.tables import LARGEST, Imported, read_table, text_of
from paperclip import roles
from paperclip.desk import Desk, page
from paperclip.exceptions import Invalid, Refused

SHOWN_LINES, SHOWN_PROBLEMS = 5, 100


@dataclass(frozen=True)
class Kind:
    title: Any
    act: str
    columns: Mapping[str, tuple[str, ...]]
    bring: Callable[..., Imported]
    model: str
    help: Any
    example: str
    # A list of ours to begin with.
    starter: Callable[[], str] | None = None

    @property
    def names(self) -> list[str]:
        """What the columns are called, to people."""
        return [ways[0] for ways in self.columns.values()]


KEYWORDS = Kind(
    gettext_lazy("Import keywords"),
    "change keywords",
    imports.KEYWORD,
    imports.import_keywords,
    "keyword",
    gettext_lazy(
        "A bare list, one keyword a line, is enough. A country has two letters,"
        " and “tracked” is yes or no."
    ),
    "keyword;language;country\nai agents for retail;en;PT",
    starters.keywords,
)
CONTACTS = Kind(
    gettext_lazy("Import contacts"),
    "change who is written to",
    imports.CONTACT,
    imports.import_contacts,
    "contact",
    gettext_lazy(
        "Each line needs an outlet and a category: pt_tech, eu, ai or agency."
        " Nobody is written to unless “active” says yes; who is needs an address, a"
        " country and “source_url”, the page that the address is from."
    ),
    "outlet;category;name;email;country;source_url;active\n"
    "Daily Herald;eu;Ana Reis;ana@herald.example;PT;https://herald.example/team;no",
)


@require_http_methods(["GET", "POST"])
def keywords(request: HttpRequest) -> HttpResponse:
    return bring(request, KEYWORDS)


@require_http_methods(["GET", "POST"])
def contacts(request: HttpRequest) -> HttpResponse:
    return bring(request, CONTACTS)


def bring(request: HttpRequest, what: Kind) -> HttpResponse:
    """The form; what would come of a list; or, told so, the list taken."""
    desk = Desk.of(request)
    if not desk.may(desk.company, what.act):
        raise PermissionDenied(roles.refusal(desk.role_in(desk.company), what.act))
    if request.method == "GET":
        offered = what.starter if "starter" in request.GET else None
        return shown(request, what, offered() if offered else "")
    text = ""
    try:
        text = told(request)
        if request.POST.get("do") != "import":
            return shown(request, what, text, tried(desk, what, text))
        done = what.bring(desk.company, text, by=desk.actor)
        messages.success(request, in_words(done))
        if not done.problems:
            return redirect(f"admin:marketing_{what.model}_changelist")
        return shown(request, what, done.rest, tried(desk, what, done.rest))
    except Refused as no:
        return shown(request, what, text, refusal=no)


def tried(desk: Desk, what: Kind, text: str) -> Imported:
    return imports.tried(what.bring, desk.company, text, by=desk.actor)


def told(request: HttpRequest) -> str:
    """The list in the request, from a file or as it was pasted."""
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("text", "").replace("\r\n", "\n")
    if (file.size or 0) > LARGEST:
        raise Invalid(f"The file is larger than {LARGEST // 1_000_000} MB: split it.")
    return text_of(file.read())


def in_words(done: Imported) -> str:
    made = ngettext("%(n)s new", "%(n)s new", done.made) % {"n": done.made}
    parts = [made]
    if done.filled:
        parts.append(_("%(n)s filled in") % {"n": done.filled})
    if done.known:
        parts.append(_("%(n)s there already") % {"n": done.known})
    if done.problems:
        parts.append(_("%(n)s left out") % {"n": len(done.problems)})
    return _("Imported: %(what)s.") % {"what": ", ".join(parts)}


def shown(
    request: HttpRequest,
    what: Kind,
    text: str = "",
    done: Imported | None = None,
    refusal: Refused | None = None,
) -> HttpResponse:
    wrong = {one.line for one in done.problems} if done else set()
    lines = read_table(text, what.columns).lines if done else []
    lines = [one for one in lines if one[0] not in wrong][:SHOWN_LINES]
    names = {to: ways[0] for to, ways in what.columns.items()}
    return page(
        request,
        "marketing/import.html",
        status=refusal.status if refusal else 200,
        title=what.title,
        crumbs=[
            (_("Back to the list"), reverse(f"admin:marketing_{what.model}_changelist"))
        ],
        what=what,
        text=text,
        done=done,
        refusal=refusal,
        first=[
            (line, [(names[to], value) for to, value in values.items() if value])
            for line, _cells, values in lines
        ],
        problems=done.problems[:SHOWN_PROBLEMS] if done else [],
    )
