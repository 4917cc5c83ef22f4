"""Base of our management commands: what goes wrong is one line, never a traceback."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from paperclip.actors import Actor
from paperclip.exceptions import Refused
from paperclip.models import Company, User

OPERATOR = "operator"


class PaperclipCommand(BaseCommand):
    # The checks ask the database and print tracebacks when it is away.
    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Refused as error:
            raise CommandError(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                "The database does not answer, or has no tables yet. Start Paperclip"
                f" with: python3 manage.py up\n({str(error).strip().splitlines()[0]})"
            ) from error


def operator() -> User:
    """The person who owns this machine's instance. Made on first use, no password."""
    user, created = User.objects.get_or_create(
        username=OPERATOR, defaults={"is_staff": True}
    )
    if created:
        user.set_unusable_password()
        user.save()
    return user


def actor() -> Actor:
    """Who acts on the command line: the operator of this machine."""
    return Actor.of_user(operator())


def company_named(name: str | None, *, rehearsal: bool = False) -> Company:
    """The company of that prefix or name; the only one when none is given, or the only
    rehearsal when a rehearsal is wanted."""
    known = list(Company.objects.visible_to(actor()).order_by("issue_prefix"))
    found = [one for one in known if one.rehearsal or not rehearsal]
    if name:
        wanted = name.strip().casefold()
        found = [one for one in known if one.issue_prefix.casefold() == wanted]
        found = found or [one for one in known if one.name.casefold() == wanted]
    if len(found) == 1:
        return found[0]
    if not known:
        raise CommandError(NO_COMPANY)
    there = ", ".join(f"{one.issue_prefix} ({one})" for one in found or known)
    if not found:
        problem = f"There is no company {name!r}." if name else "There is no rehearsal."
        raise CommandError(f"{problem} There are: {there}.")
    first = found[0].issue_prefix
    raise CommandError(f"Say which company, such as --company {first}: {there}.")


NO_COMPANY = "There is no company yet. Start Paperclip with: python3 manage.py up"
