from typing import Any

from django.core.management.base import BaseCommand, CommandError

from paperclip import doctor


class Command(BaseCommand):
    help = "Look at what this instance stands on; the exit code is 1 when a part fails."
    requires_system_checks: list[str] = []  # they ask the database, which may be away

    def handle(self, *args: Any, **options: Any) -> None:
        colours = {
            doctor.OK: self.style.SUCCESS,
            doctor.WARN: self.style.WARNING,
            doctor.FAIL: self.style.ERROR,
        }
        failed = []
        for name, finding in doctor.examine():
            state = colours[finding.state](f"{finding.state:<5}")
            self.stdout.write(f"{state} {name:<13} {finding.said}")
            if finding.todo:
                self.stdout.write(f"{'':<19} {finding.todo}")
            if finding.state == doctor.FAIL:
                failed.append(name)
        if failed:
            raise CommandError(f"Not well: {', '.join(failed)}.")
