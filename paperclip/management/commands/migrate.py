"""Django's `migrate`, in one transaction: what fails in the middle leaves no middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from paperclip import upgrade


class Command(migrate.Command):
    help = "Bring the database up to this version: all of it, or nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        self.step, self.alias = "The upgrade", options["database"]
        applied = MigrationRecorder(connections[self.alias]).applied_migrations()
        if why := upgrade.newer(upgrade.names(applied)):
            raise CommandError(f"The database cannot be used. {why}")
        try:
            with (
                transaction.atomic(self.alias),
                nullcontext() if applied else briefly(),
            ):
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


@contextmanager
def briefly() -> Iterator[None]:
    """Let a step of a migration render the one model that it changes.

    Django renders all that are related to it as well: with us nearly all there are,
    which is nine tenths of the time of a first start. Before a migration's own code
    runs it renders every model anyway, as none counts as fresh here. For databases
    without rows; the tests compare what this makes with what Django makes."""
    state: Any = ProjectState
    theirs = state._find_reload_model
    state._find_reload_model = alone
    try:
        yield
    finally:
        state._find_reload_model = theirs


def alone(
    state: ProjectState, app_label: str, model_name: str, delay: bool = False
) -> set[tuple[str, str]]:
    """What to render again when this model has changed."""
    state.is_delayed = True
    return {(app_label, model_name)}
