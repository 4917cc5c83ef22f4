"""What every test stands on."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from redis import RedisError

from paperclip.live import valkey
from tests import emptying, invariants

# Playwright leaves an event loop in the thread of the tests; it does not use the ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
# What takes longest begins first: at the end no process waits long for the others.
FIRST = ("tests/system/", "tests/test_checks.py", "tests/rehearsal/", "tests/engine/")
# What is promised within seconds comes last, when the others have nothing more to do.
LAST = ("tests/system/test_stop.py", "tests/system/test_normal_user.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long tests")


def pytest_configure(config: pytest.Config) -> None:
    """Never on the operator's own database and broker."""
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        pytest.exit("The tests need servers: run `python3 manage.py test`.")
    # Or each client of some thousand tests would begin by reading all static files.
    settings.WHITENOISE_AUTOREFRESH = True
    emptying.install()


@receiver(connection_created)
def may_truncate(connection: Any, **_: Any) -> None:
    """The log of acts is emptied after tests that commit; it refuses that elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SET paperclip.truncate = 'allowed'")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    items.sort(key=place)
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


def place(item: pytest.Item) -> int:
    """Where the test stands in the order of the suite."""
    if item.nodeid.startswith(LAST):
        return 2
    return 0 if item.nodeid.startswith(FIRST) else 1


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Playwright starts the browser that `manage.py test` found; none is a failure."""
    path = os.environ.get("PAPERCLIP_CHROMIUM")
    return {"executable_path": path or "no browser", "args": ["--no-sandbox"]}


@pytest.fixture(autouse=True)
def _invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is always true is true after every test that used the database."""
    uses_database = request.node.get_closest_marker("django_db") is not None
    if uses_database:
        request.getfixturevalue("_django_db_helper")
    yield
    if uses_database:
        invariants.check()


@pytest.fixture(autouse=True)
def _no_bell_rings_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test rang for is gone with it: the next worker finds an empty queue."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if marker is not None and marker.kwargs.get("transaction"):
        with contextlib.suppress(RedisError):
            valkey().delete("runs")
