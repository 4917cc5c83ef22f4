from typing import Any

from django.core.management.base import CommandParser
from django.db import IntegrityError, OperationalError

from agents.models.run import STOPPED, Run
from paperclip import processes
from paperclip.actors import SYSTEM
from paperclip.commands import PaperclipCommand
from paperclip.exceptions import Refused
from paperclip.models import Company


class Command(PaperclipCommand):
    help = (
        "Stop every agent of every company, now: companies are paused, runs cancelled,"
        " processes ended. Works when the web process is dead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--resume", action="store_true", help="let them work again")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["resume"]:
            # One that was paused for another reason stays so.
            for company in Company.objects.filter(pause_reason=STOPPED):
                company.resume(by=SYSTEM)
                self.stdout.write(f"{company} works again.")
            return
        try:
            for company in Company.objects.filter(status=Company.Status.ACTIVE):
                self._stop(company)
        except OperationalError:
            self.stderr.write(
                "The database does not answer, so nothing could be paused: run this"
                " again when it does, or the agents' work starts anew."
            )
        finally:
            ended = processes.end_all_runs(grace=3)
            self.stdout.write(f"{ended} processes of agents ended on this machine.")

    def _stop(self, company: Company) -> None:
        """Stop one; what goes wrong with it does not save the others."""
        try:
            Run.objects.stop_company(company, by=SYSTEM)
            self.stdout.write(f"{company} is paused.")
        except (Refused, IntegrityError) as error:
            self.stderr.write(f"{company}: {error}")
