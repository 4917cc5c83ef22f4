"""The step from one version's tables to the next one's."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader


def upgrade() -> None:
    """Bring the database up to this version: all of it or nothing. CommandError when
    that fails, or when a newer version had it already."""
    executor = MigrationExecutor(connection)
    # To ask first takes a tenth of the time.
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing or newer(names(executor.loader.applied_migrations)):
        call_command("migrate", interactive=False, verbosity=0)


def names(migrations: Iterable[tuple[str, str]]) -> list[str]:
    """As `agents.0008_accounts`, in order."""
    return sorted(f"{app}.{name}" for app, name in migrations)


def known(loader: MigrationLoader | None = None) -> set[str]:
    """The migrations of this version, and those that some of them stand for."""
    loader = loader or MigrationLoader(None)
    found = set(names(loader.disk_migrations))
    for merged in loader.replacements.values():
        found.update(names(merged.replaces))
    return found


def newer(applied: Iterable[str]) -> str:
    """Why a newer version made what has these migrations: empty when none did. Those of
    programs that are not installed here do not count."""
    loader = MigrationLoader(None)
    ours = loader.migrated_apps | loader.unmigrated_apps
    for one in sorted(set(applied) - known(loader)):
        if one.partition(".")[0] in ours:
            return (
                f"It is of a newer version of Paperclip: it has {one}, which this"
                " version does not know. Use that version, or a newer one."
            )
    return ""
