import getpass
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from paperclip import units

ENVIRONMENT = Path("/etc/paperclip/paperclip.env")
NEEDED = ("DATABASE_URL", "REDIS_URL")


class Command(BaseCommand):
    help = "Print the units that run this clone under systemd, or write them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--user", default=getpass.getuser(), help="who runs it (default: you)"
        )
        parser.add_argument(
            "--worker-only", action="store_true", help="for a further worker host"
        )
        parser.add_argument(
            "--environment",
            type=Path,
            default=ENVIRONMENT,
            help=f"the file of settings ({ENVIRONMENT})",
        )
        parser.add_argument(
            "--write", type=Path, metavar="DIR", help="such as /etc/systemd/system"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        made = units.units(
            options["user"], options["environment"], worker_only=options["worker_only"]
        )
        for name, text in made.items():
            if options["write"]:
                self.write(options["write"] / name, text)
            else:
                self.stdout.write(f"# {name}\n{text}")
        if options["user"] == "root":
            self.stderr.write(
                "They run Paperclip, and with it every agent, as root: name a user for"
                " it with --user."
            )
        if missing := [name for name in NEEDED if not os.environ.get(name)]:
            self.stderr.write(
                f"{' and '.join(missing)} must be in {options['environment']}: under"
                " systemd there are no embedded servers."
            )

    def write(self, file: Path, text: str) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        except OSError as error:
            raise CommandError(f"{error.strerror}: {file}") from error
        self.stdout.write(str(file))
