from typing import Any

from django.core.management.base import BaseCommand, CommandError

from paperclip import browsers


class Command(BaseCommand):
    help = "Find the browser the tests drive, or install one."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        browser = browsers.install()
        if browser is None:
            raise CommandError(
                "No browser was found or could be installed: install Chromium, or name "
                "one that starts in PAPERCLIP_CHROMIUM."
            )
        self.stdout.write(browser)
