from typing import Any

from django.core.management.base import CommandParser
from django.db import OperationalError

from agents.models import Run
from paperclip import processes
from paperclip.commands import PaperclipCommand, actor
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
            for company in Company.objects.filter(status=Company.Status.PAUSED):
                company.resume(by=actor())
                self.stdout.write(f"{company} works again.")
            return
        try:
            for company in Company.objects.filter(status=Company.Status.ACTIVE):
                Run.objects.stop_company(company, by=actor())
                self.stdout.write(f"{company} is paused.")
        except OperationalError:
            self.stderr.write(
                "The database does not answer, so nothing could be paused: run this"
                " again when it does, or the agents' work starts anew."
            )
        ended = processes.end_all_runs(grace=3)
        self.stdout.write(f"{ended} processes of agents ended on this machine.")
