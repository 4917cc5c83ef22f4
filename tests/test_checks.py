"""The tools that read our code find nothing, one test for each."""

import os
import subprocess
import sys

import pytest

from paperclip.home import BASE_DIR

CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
}


def run(*command: str, **environment: str) -> None:
    """Run a piece of Python; its output is the failure's message."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CHECKS)
def test_it_finds_nothing(name: str) -> None:
    run("-m", *CHECKS[name])


def test_imports_go_in_one_direction() -> None:
    # It has no module to run, and scripts in .venv break when the clone is moved.
    run("-c", "import sys, importlinter.cli as i; sys.exit(i.lint_imports())")


def manage(*command: str, **environment: str) -> None:
    run(
        "-m",
        "django",
        *command,
        DJANGO_SETTINGS_MODULE="paperclip.settings",
        **environment,
    )


def test_every_model_change_has_its_migration() -> None:
    manage("makemigrations", "--check", "--dry-run")


def test_production_settings_pass_djangos_deployment_check() -> None:
    manage(
        "check",
        "--deploy",
        "--fail-level=WARNING",
        PAPERCLIP_URL="https://paperclip.example.com",
        DJANGO_ALLOW_ASYNC_UNSAFE="",  # for the tests themselves
    )
