from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from paperclip import servers
from paperclip.first_start import first_start
from paperclip.upgrade import upgrade


def answers() -> None:
    psycopg.connect(settings.DATABASE_URL, connect_timeout=5).close()


class Command(BaseCommand):
    help = "Bring the database up to this version; on the first start, found a company."
    requires_system_checks: list[str] = []  # they ask the tables this makes

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--patience",
            type=int,
            default=0,
            metavar="SECONDS",
            help="wait so long for the database to answer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            servers.wait_until(answers, options["patience"])
        except psycopg.Error as error:
            raise CommandError(f"The database does not answer: {error}") from error
        upgrade()
        _, said = first_start()
        self.stdout.write(said or "The database is ready.")
