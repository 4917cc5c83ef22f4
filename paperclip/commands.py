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


def company_named(name: str | None) -> Company:
    """The company of that name or prefix; the only one when none is given."""
    companies = list(Company.objects.visible_to(actor()))
    if name:
        wanted = name.casefold()
        companies = [
            one
            for one in companies
            if wanted in (one.name.casefold(), one.issue_prefix.casefold())
        ]
    if len(companies) == 1:
        return companies[0]
    if not companies:
        raise CommandError(f"There is no company {name!r}." if name else NO_COMPANY)
    names = ", ".join(company.name for company in companies)
    raise CommandError(f"Say which company with --company: {names}.")


NO_COMPANY = "There is no company yet. Start Paperclip with: python3 manage.py up"
