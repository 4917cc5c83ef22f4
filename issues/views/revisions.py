"""What a routine was after each change, what that changed, and the way back to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from difflib import unified_diff
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agents.models import Agent
from issues import variables
from issues.models import Goal, Issue, Project, Routine, RoutineTrigger
from issues.models.base import Priority
from issues.models.routine import fields_of
from issues.models.routine_revision import snapshot_of
from issues.routine_form import CATCH_UP, CONCURRENCY, in_a_line
from issues.variable_form import TYPES
from issues.views.routine import SIGNING, home, one, show
from issues.views.work import Line, lines_of, number_of, revision_of
from paperclip.desk import Desk, page
from paperclip.exceptions import Refused
from paperclip.templatetags.console import word

REVISIONS = 50
WHOLE = 1_000_000  # lines around a change: all of them
LINKS: dict[str, Any] = {
    "assigneeAgentId": Agent,
    "projectId": Project,
    "goalId": Goal,
    "parentIssueId": Issue,
}


@require_GET
def revisions(request: HttpRequest, pk: str) -> HttpResponse:
    """One revision, the newest unless another is asked for, with what it changed and
    what restoring it would; and the list of all, the newest first."""
    routine = one(request, pk)
    rows = routine.revisions.select_related("author_agent", "author_user")
    shown = revision_of(rows, request.GET.get("revision", ""))
    if shown is None:
        raise Http404(_("There is no such revision."))
    before = rows.filter(number__lt=shown.number).first()
    was = list(words_of(before.snapshot)) if before else []
    here = list(words_of(shown.snapshot))
    top = number_of(request.GET.get("from", "")) or routine.revision_number
    listed = list(rows.filter(number__lte=top)[: REVISIONS + 1])
    routines = (_("Routines"), reverse("admin:issues_routine_changelist"))
    return page(
        request,
        "issues/revisions.html",
        company=routine.company,
        title=_("Changes of %(routine)s") % {"routine": routine},
        short_title=_("Changes"),
        crumbs=[routines, (routine.title, home(routine))],
        routine=routine,
        shown=shown,
        diff=whole(was, here),
        restoring=restoring(routine, shown.snapshot),
        top=top,
        revisions=listed[:REVISIONS],
        older=listed[REVISIONS].number if len(listed) > REVISIONS else None,
    )


@never_cache
@require_POST
def restore(request: HttpRequest, pk: str, revision: str) -> HttpResponse:
    """Make it what it was. New secrets are shown on this answer and never again."""
    routine, desk = one(request, pk), Desk.of(request)
    found = routine.revisions.filter(pk=revision).first()
    if found is None:
        raise Http404(_("There is no such revision."))
    try:
        made = routine.restore(found, by=desk.actor)
    except Refused as no:
        return show(request, one(request, pk), refusal=no)
    said = _("The routine is again what it was after revision %(n)s.")
    messages.success(request, said % {"n": found.number})
    if made:
        return show(request, one(request, pk), made=made)
    return redirect(home(routine))


# --- in words ------------------------------------------------------------------------


def restoring(routine: Routine, snapshot: dict[str, Any]) -> list[Line]:
    """What restoring it would change. Whether the routine is paused stays as it is, and
    what is gone does not come back."""
    restored = copy(routine)
    for name, value in fields_of(routine.company, snapshot["routine"]).items():
        setattr(restored, name, value)
    after = {**snapshot_of(restored), "triggers": snapshot["triggers"]}
    return changes(list(words_of(snapshot_of(routine))), list(words_of(after)))


def changes(old: list[str], new: list[str]) -> list[Line]:
    lines = lines_of(unified_diff(old, new, lineterm="", n=WHOLE))
    return [line for line in lines if line.kind != "place"]


def whole(old: list[str], new: list[str]) -> list[Line]:
    """All of the new one, with what changed; also when nothing did."""
    return changes(old, new) or [Line("same", f" {text}") for text in new]


def words_of(snapshot: dict[str, Any]) -> Iterator[str]:
    """A routine as it was, line by line."""
    told = snapshot["routine"]
    linked = {key: name_of(rows, told, key) for key, rows in LINKS.items()}
    yield f"{_('Title')}: {told['title']}"
    yield f"{_('Status')}: {word(told['status'])}"
    yield f"{_('Who does it')}: {linked['assigneeAgentId'] or _('nobody')}"
    yield f"{_('Priority')}: {Priority[told['priority'].upper()].label}"
    about = {
        "projectId": _("Project"),
        "goalId": _("Goal"),
        "parentIssueId": _("Part of"),
    }
    yield from (
        f"{label}: {linked[key]}" for key, label in about.items() if linked[key]
    )
    yield f"{_('While one is open')}: {dict(CONCURRENCY)[told['concurrencyPolicy']]}"
    yield f"{_('After a stop')}: {dict(CATCH_UP)[told['catchUpPolicy']]}"
    yield from map(variable_in_words, told["variables"])
    yield from map(criterion_in_words, told.get("criteria", []))
    yield from triggers_in_words(snapshot["triggers"])
    if told["description"]:
        yield f"{_('What its issues say')}:"
        yield from told["description"].splitlines()


def name_of(model: Any, told: dict[str, Any], key: str) -> str:
    """The name of what it was linked to, of its own company."""
    if not told[key]:
        return ""
    ours = model.objects.filter(company=told["companyId"], pk=told[key])
    row = ours.first()
    if row is None:
        return _("what is gone")
    return str(getattr(row, "identifier", row))


def variable_in_words(it: dict[str, Any]) -> str:
    said = [str(dict(TYPES)[it["type"]])]
    if it.get("options"):
        said.append(", ".join(it["options"]))
    if it.get("default") not in (None, ""):
        default = variables.in_text(it["default"])
        said.append(_("by default %(value)s") % {"value": default})
    if it.get("required"):
        said.append(_("it has to have a value"))
    label = it.get("label")
    name = f"{it['name']} ({label})" if label else it["name"]
    return f"{_('Variable')} {name}: {'; '.join(said)}"


def criterion_in_words(it: dict[str, Any]) -> str:
    return f"{_('Its issues prove')}: {in_a_line(it)}"


def triggers_in_words(triggers: Iterable[dict[str, Any]]) -> Iterator[str]:
    for it in triggers:
        trigger = RoutineTrigger(
            kind=it["kind"],
            label=it["label"],
            cron_expression=it["cronExpression"],
            time_zone=it["timezone"],
        )
        proof = it["signingMode"]
        signed = f", {dict(SIGNING)[proof]}" if proof else ""
        off = "" if it["enabled"] else f", {_('switched off')}"
        yield f"{capfirst(trigger.get_kind_display())}: {trigger}{signed}{off}"
