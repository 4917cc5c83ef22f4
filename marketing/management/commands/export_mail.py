from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from marketing.outreach import ledger
from paperclip.commands import PaperclipCommand, actor, company_named


class Command(PaperclipCommand):
    help = "Print every outreach mail and what happened to it, one line of JSON each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", help="its prefix or name")
        parser.add_argument("--address", default="", help="only mail to this address")

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_named(options["company"])
        for line in ledger.export(company, by=actor(), address=options["address"]):
            self.stdout.write(line)
