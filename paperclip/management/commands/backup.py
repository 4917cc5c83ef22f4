"""Takes a backup and tries it out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import CommandError, CommandParser

from paperclip import backups
from paperclip.backups import bring_back, store
from paperclip.commands import PaperclipCommand
from paperclip.exceptions import Refused


class Command(PaperclipCommand):
    help = (
        "Take a backup, restore it into an empty place, and compare. The keys in the"
        " home's secrets/ are not in it: keep those apart, with --keys."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--list", action="store_true", help="say which there are")
        only.add_argument(
            "--keys", type=Path, metavar="FILE", help="write the keys to a new file"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # where it is copied to, its directory may not be with it
        if options["list"]:
            for one in backups.listed():
                self.stdout.write(self.line(one))
        elif options["keys"]:
            self.write_keys(options["keys"])
        else:
            self.take()

    def take(self) -> None:
        try:
            taken = backups.take()
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        except psycopg.Error as error:
            raise CommandError(f"The database does not answer: {error}") from error
        if taken.state != store.GOOD:
            raise CommandError(f"{taken.place} is not good: {taken.said}")
        self.stdout.write(self.line(taken))

    def write_keys(self, file: Path) -> None:
        try:
            bring_back.pack_keys(file)
        except OSError as error:
            raise CommandError(f"{error.strerror}: {error.filename}") from error
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(
            f"The keys are in {file}, as they are: the file is not encrypted. Who has"
            " it and a backup can read everything, so keep the two apart."
        )

    def line(self, one: backups.Backup) -> str:
        rows = sum(int(count) for count, _ in one.manifest["tables"].values())
        return (
            f"{one.state:<9} {one.place}  {one.size / 2**20:,.1f} MB,"
            f" {rows:,} rows, {len(one.manifest['files']):,} files {one.said}"
        ).rstrip()
