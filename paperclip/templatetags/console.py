"""What the console's templates say and draw."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from markdown_it import MarkdownIt

from paperclip import roles
from paperclip.words import LABELS, TONES, TOOL_ICONS, reason, role

register = template.Library()
register.filter("reason", reason)
register.filter("role", role)

LONGEST = 20_000  # characters of one text of a transcript
UNITS = (
    (86_400, "every day", "every %(n)s days"),
    (3600, "every hour", "every %(n)s hours"),
    (60, "every minute", "every %(n)s minutes"),
    (1, "every second", "every %(n)s seconds"),
)

# No raw HTML and no images: a page must not call on other servers.
_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True})
_markdown.enable(["table", "strikethrough"]).disable("image")


def _link_open(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    href = str(token.attrGet("href") or "")
    if href.startswith("agent://"):
        token.attrSet("href", "/agents/" + href.removeprefix("agent://"))
    token.attrSet("rel", "nofollow noopener noreferrer")
    return str(self.renderToken(tokens, index, options, env))


_markdown.add_render_rule("link_open", _link_open)


@register.filter
def may_write(desk: Any, company: Any) -> bool:
    """Whether to offer this person buttons that change the company."""
    return bool(desk.may_write(company))


@register.filter
def may(role: str, act: str) -> bool:
    """Whether the table lets that role do it."""
    return roles.allows(role, act)


@register.filter
@lru_cache(maxsize=500)  # a page that refreshes itself shows the same texts again
def markdown(text: str | None) -> SafeString:
    """Markdown as HTML. What it was written with stays text."""
    return mark_safe(_markdown.render(text or ""))  # noqa: S308 (html is off)


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago, or in how long, with the exact time on hover."""
    if moment is None:
        return ""
    exact = date_format(localtime(moment), "Y-m-d H:i:s T")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact,
        naturaltime(moment),
    )


@register.filter
def clock(moment: datetime, form: str = "H:i") -> str:
    """The time of day with its zone, and the day when it is not today."""
    here = localtime(moment)
    day = "" if here.date() == localtime(now()).date() else "j M "
    return date_format(here, f"{day}{form} T")


@register.filter
def due(moment: datetime | None) -> str:
    """In how long; an alarm that rang is taken up at once."""
    return ago(moment) if moment is None or moment > now() else str(_("now"))


@register.filter
def word(status: Any) -> str:
    """A status in words."""
    return str(LABELS.get(str(status), str(status).replace("_", " ")))


@register.filter
def badge(status: Any) -> str:
    """A status as a word on a colour."""
    if not status:
        return ""
    return format_html(
        '<span class="badge badge-{}">{}</span>',
        TONES.get(str(status), "plain"),
        word(status),
    )


@register.filter
def cents(amount: int) -> str:
    """A limit, as people write it."""
    return f"${amount / 100:,.2f}".removesuffix(".00")


@register.filter
def dollars(micros: int) -> str:
    """Money of the ledger. What is less than a cent is not shown as nothing."""
    if 0 < micros < 10_000:
        return f"${micros / 1_000_000:.4f}"
    return f"${micros / 1_000_000:,.2f}"


@register.filter
def money(spend: Any) -> str:
    """What was spent; calls whose price nobody told are said, not taken for free."""
    if spend.calls and spend.unpriced == spend.calls:
        return str(_("price unknown"))
    if not spend.unpriced:
        return dollars(spend.micros)
    more = ngettext(
        "%(n)s call of unknown price", "%(n)s calls of unknown price", spend.unpriced
    )
    return f"{dollars(spend.micros)} + {more % {'n': spend.unpriced}}"


@register.filter
def share(spend: Any, cents: int) -> int:
    """Per cent of a limit."""
    return int(spend.share_of(cents))


@register.filter
def compact(count: int) -> str:
    """A large number, as short as it can be told."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (1000, "k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + letter
    return str(count)


@register.filter
def every(seconds: int) -> str:
    """An interval in words."""
    for size, one, many in UNITS:
        if seconds and seconds % size == 0:
            count = seconds // size
            return ngettext(one, many, count) % {"n": count}
    return ""


@register.filter
def duration(run: Any) -> str:
    """How long a run took, or has taken so far."""
    if not (run.started_at and run.finished_at):
        return ""
    seconds = (run.finished_at - run.started_at).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


@register.filter
def span(length: Any) -> str:
    """A length of time, as short as it can be told."""
    seconds = length.total_seconds()
    for size, name in ((86_400, _("d")), (3600, _("h")), (60, _("min"))):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {name}"
    return f"{seconds:.0f} {_('s')}"


@register.filter
def shorten(text: Any) -> str:
    """A long text without its middle: how it began and how it ended tell the most."""
    whole = str(text if text is not None else "")
    cut = len(whole) - LONGEST
    if cut <= 0:
        return whole
    head, rest = whole[: LONGEST // 2], whole[-LONGEST // 2 :]
    note = _("[%(n)s characters are in the raw log only]") % {"n": f"{cut:,}"}
    return f"{head}\n\n{note}\n\n{rest}"


@register.filter
def tool_icon(name: str) -> str:
    return TOOL_ICONS.get(name, "build")


@register.filter
def entries(value: Any) -> list[str]:
    """A value of a configuration, line by line."""
    if isinstance(value, dict):
        return [f"{key}={text}" for key, text in value.items()]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


@register.filter
def of(found: dict[str, Any], key: Any) -> Any:
    """What a dictionary has under the text of a key."""
    return found.get(str(key))


@register.filter
def field(form: Any, name: str) -> Any:
    """A field of a form, by its name."""
    return form[name]


@register.simple_tag(takes_context=True)
def to_decide(context: dict[str, Any]) -> int:
    """How many approvals of the company that is shown wait for a decision."""
    desk = context["desk"]
    return int(desk.to_decide(context.get("company") or desk.company))


@register.simple_tag
def rehearsal(company: Any) -> str:
    """The label of what is invented, beside every name of a rehearsal."""
    if not company.rehearsal:
        return ""
    return format_html(' <span class="badge badge-rehearsal">{}</span>', _("rehearsal"))


@register.inclusion_tag("console/_button.html", takes_context=True)
def button(
    context: dict[str, Any],
    url: str,
    label: str,
    *,
    key: str = "",
    kind: str = "",
    icon: str = "",
    stay: bool = True,
    about: str = "",
) -> dict[str, Any]:
    """A verb as a button: a form of its own that posts, and comes back here."""
    here = context.get("here") or context["request"].get_full_path()
    return {
        "request": context["request"],
        "csrf_token": context.get("csrf_token"),
        "url": url,
        "label": label,
        "key": key,
        "kind": kind,
        "icon": icon,
        "about": about,
        "next": here if stay else "",
    }
