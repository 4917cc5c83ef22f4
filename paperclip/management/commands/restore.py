"""Brings a backup back into an empty home."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from paperclip import home
from paperclip.backups.bring_back import bring_back
from paperclip.backups.store import MANIFEST, Backup
from paperclip.exceptions import Refused
from paperclip.servers.binaries import Unavailable


class Command(BaseCommand):
    help = (
        "Fill an empty home (PAPERCLIP_HOME) with a backup of this or an older version,"
        " and bring it up to this one."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", type=Path, help="the directory of the backup")
        parser.add_argument(
            "--keys",
            type=Path,
            metavar="FILE",
            help="what `backup --keys` wrote; without it new keys are made, and people"
            " sign in again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        place: Path = options["backup"]
        try:
            manifest = json.loads((place / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{place} is no backup: {error}") from error
        try:
            bring_back(Backup(place, manifest), options["keys"])
        except (Refused, Unavailable) as refused:
            raise CommandError(str(refused)) from refused
        except psycopg.Error as error:
            raise CommandError(f"The database: {error}") from error
        rows = sum(int(count) for count, _ in manifest["tables"].values())
        self.stdout.write(
            f"{rows:,} rows and {len(manifest['files']):,} files are back in"
            f" {home.path()}, each as it was, and of this version now. Start"
            " it with `up`."
        )
