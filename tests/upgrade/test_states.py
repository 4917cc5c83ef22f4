"""From every state that the tables ever had, an upgrade keeps what is there (T-20c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from tests.long import long
from tests.upgrade.dirt import Dirt
from tests.upgrade.states import Database, Rows, database, landings, schema

LANDINGS = landings()
# What a migration removed or rewrote on purpose.
REMOVED = {
    "agents_agent": {"spent_monthly_cents", "spent_cents", "spent_month"},
    "paperclip_company": {"spent_monthly_cents", "spent_cents", "spent_month"},
}
REWRITTEN = {"agents_run": {"project_id"}, "agents_costevent": {"project_id"}}
# Tables that get rows of what is in others.
FILLED = {"agents_budgetpolicy", "paperclip_unsealed"}


@pytest.fixture(scope="module")
def used(django_db_setup: None, django_db_blocker: Any) -> Iterator[Database]:
    """A database that is used in each state, and brought from one to the next."""
    with django_db_blocker.unblock(), database() as one:
        yield one


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(LANDINGS) - 1))
def test_each_landing_keeps_what_is_there(used: Database, number: int) -> None:
    """The rows of earlier states are among them."""
    apps = used.migrate(LANDINGS[number])
    Dirt(apps, used.name, seed=number).spread()
    before = used.rows()
    used.migrate(LANDINGS[number + 1])
    compare(before, used.rows())


@pytest.mark.parametrize(
    "number",
    [
        0,
        *(long(n) for n in range(1, len(LANDINGS) - 1)),
    ],
)
def test_all_of_it_in_one_go(django_db_blocker: Any, number: int) -> None:
    """As `up` does it: in one transaction, so without a commit in between. What comes
    of it is to the letter what a first start makes, in its shorter way."""
    with django_db_blocker.unblock(), database() as old, database() as new:
        for landed in LANDINGS[: number + 1]:
            apps = old.migrate(landed)
        Dirt(apps, old.name, seed=number).spread()
        before = old.rows()
        old.upgrade()
        compare(before, old.rows())
        new.upgrade()
        assert schema(old.url) == schema(new.url)


def test_no_migration_needs_a_commit_of_its_own() -> None:
    """Such as one that makes an index concurrently: what failed could not be undone."""
    known = MigrationLoader(None).disk_migrations
    assert [str(one) for one in known.values() if not one.atomic] == []


def compare(before: Rows, after: Rows) -> None:
    assert not list(differences(before, after))
    if "agents_budgetpolicy" in after.keys() - before.keys():
        spenders = [*after["agents_agent"].values()]
        spenders += after["paperclip_company"].values()
        limited = [one for one in spenders if one["budget_monthly_cents"]]
        assert len(after["agents_budgetpolicy"]) == len(limited) > 0
    if "paperclip_unsealed" in after.keys() - before.keys():
        assert set(after["paperclip_unsealed"]) == set(before["paperclip_activity"])


def differences(before: Rows, after: Rows) -> Iterator[str]:
    for table, rows in before.items():
        if table not in FILLED and set(after[table]) != set(rows):
            yield f"{table}: {len(rows)} rows before, {len(after[table])} after"
        for key, row in rows.items():
            yield from changes(table, row, after[table].get(key, {}))


def changes(table: str, row: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    expected = REMOVED.get(table, set()) | REWRITTEN.get(table, set())
    for column in row.keys() - expected:
        was, is_now = row[column], now.get(column)
        if column not in now or is_now != was:
            yield f"{table}.{column}: {was!r:.80} became {is_now!r:.80}"
