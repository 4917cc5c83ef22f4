from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from paperclip.commands import PaperclipCommand, actor, company_named, operator
from paperclip.first_start import leave_rehearsal, rehearse


class Command(PaperclipCommand):
    help = (
        "Found a company that plays the rehearsal. With --leave: found the real company"
        " with only these agents active, and pause the rehearsal:"
        " manage.py rehearse --leave CEO CMO"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--seed", type=int, default=settings.REHEARSAL_SEED, help="which story")
        add("--leave", nargs="+", metavar="AGENT", help="whom to take along, active")
        add("--model", default="", help="of the real company, as LiteLLM says it")
        add("--company", help="the rehearsal to leave, when there are several")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["leave"]:
            company = rehearse(owner=operator(), by=actor(), seed=options["seed"])
            self.stdout.write(f"{company} ({company.issue_prefix}) plays its story.")
            return
        real = leave_rehearsal(
            company_named(options["company"], rehearsal=True),
            agents=options["leave"],
            by=actor(),
            model=options["model"],
        )
        names = ", ".join(options["leave"])
        self.stdout.write(f"{real} ({real.issue_prefix}) is at work, with {names}.")
