"""The secrets of a site and of a mailbox: bound by an admin, read by effect tools, and
every read recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from agents import bindings
from agents.models import Secret, SecretBinding
from agents.models.secret import must_keep_secrets
from agents.models.secret_binding import MAILBOX, SITE
from marketing.jobs.base import Blocked
from marketing.models import Mailbox, Site
from marketing.models.site import SECRETS
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from paperclip.actors import Actor

PASSWORD = "password"  # noqa: S105 (the name of a place)


def kind_of(owner: Site | Mailbox) -> str:
    return SITE if isinstance(owner, Site) else MAILBOX


def bound(owner: Site | Mailbox, path: str) -> SecretBinding | None:
    rows = SecretBinding.objects.filter(
        target_type=kind_of(owner), target_id=str(owner.pk), path=path
    )
    found: SecretBinding | None = rows.select_related("secret").first()
    return found


@transaction.atomic
def bind(owner: Site | Mailbox, path: str, secret: Secret | None, *, by: Actor) -> None:
    """Let this place read the secret; None: no secret any more. Invalid for a place
    there is not, or a secret of another company."""
    must_keep_secrets(by, owner.company_id)
    known = {*SECRETS} if isinstance(owner, Site) else {PASSWORD}
    if path not in known:
        raise Invalid(f"There is no place {path}. There are: {', '.join(known)}.")
    if secret is not None and secret.company_id != owner.company_id:
        raise Invalid("The secret belongs to another company.")
    there = bound(owner, path)
    if there is not None:
        if secret is not None and there.secret_id == secret.pk:
            return
        bindings.release(there, by=by)
    if secret is not None:
        secret.bind(kind_of(owner), owner.pk, path, label=str(owner), by=by)


def read(owner: Site | Mailbox, path: str, *, by: Actor) -> str:
    """The value. Empty when nothing is bound there."""
    there = bound(owner, path)
    if there is None:
        return ""
    secret = there.secret
    use = f"{kind_of(owner)} {owner}: {path}"
    return str(secret.read(by=by, use=use, number=None).value)


def need(owner: Site | Mailbox, path: str, what_for: str, *, by: Actor) -> str:
    """The value. Blocked, with the setting's name and what it is for, without one."""
    value = read(owner, path, by=by)
    if not value:
        name = str(SECRETS[path]) if isinstance(owner, Site) else "Password"
        raise Blocked(f"“{name}” of {owner} is not set: {what_for}")
    return value
