from typing import Any

from django.core.management.base import CommandParser

from agents import retention
from paperclip.commands import PaperclipCommand


class Command(PaperclipCommand):
    help = (
        "Remove what is older than the settings say (PAPERCLIP_KEEP_...), as every"
        " night; logs only on this machine."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="remove nothing, only count"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        removed = retention.retain(dry_run=dry_run)
        self.stdout.write("Would be removed:" if dry_run else "Removed:")
        for kind, count in removed.items():
            self.stdout.write(f"{count:>9,}  {kind}")
