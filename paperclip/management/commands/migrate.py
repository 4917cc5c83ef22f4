"""Django's `migrate`, in one transaction: what fails in the middle leaves no middle."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections, transaction
from django.db.migrations.recorder import MigrationRecorder

from paperclip import upgrade


class Command(migrate.Command):
    help = "Bring the database up to this version: all of it, or nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        self.step, self.alias = "The upgrade", options["database"]
        recorder = MigrationRecorder(connections[self.alias])
        if why := upgrade.newer(upgrade.names(recorder.applied_migrations())):
            raise CommandError(f"The database cannot be used. {why}")
        try:
            with transaction.atomic(self.alias):
                super().handle(*args, **options)
        except CommandError:
            raise
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise CommandError(
                f"{self.step} failed: {said}\nNothing was changed: the database is as"
                " it was, and the version that it is of runs on it."
            ) from error

    def migration_progress_callback(
        self, action: str, migration: Any = None, fake: bool = False
    ) -> None:
        if migration is not None:
            self.step = str(migration)
        if action in ("apply_success", "unapply_success"):
            # Each was written to be followed by a commit, which checks foreign keys:
            # until then PostgreSQL alters no table whose rows have just changed.
            connections[self.alias].check_constraints()
        super().migration_progress_callback(action, migration, fake)
