import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from paperclip.home import BASE_DIR

NAMES = sorted(
    file.stem
    for file in (BASE_DIR / "benchmarks").glob("*.py")
    if file.stem not in ("__init__", "noop", "report", "rows")
)


class Command(BaseCommand):
    help = "Measure this machine: each figure on a new instance, held against a limit."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="*", choices=[[], *NAMES])

    def handle(self, *args: Any, **options: Any) -> None:
        running = import_module("tests.instance").running
        for name in options["name"] or NAMES:
            benchmark = import_module(f"benchmarks.{name}")
            with (
                tempfile.TemporaryDirectory() as place,
                running(Path(place) / "home", **benchmark.SETTINGS) as instance,
            ):
                benchmark.measure(instance)
