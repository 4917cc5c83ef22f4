from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from issues.models import Issue
from issues.why import why
from paperclip.commands import PaperclipCommand, actor


class Command(PaperclipCommand):
    help = "Say why an issue is not moving, and what will move it when."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("issue", metavar="DIG-1")

    def handle(self, *args: Any, **options: Any) -> None:
        issue = Issue.objects.get_for(actor(), options["issue"])
        found = why(issue)
        self.stdout.write(f"{issue.identifier} {issue.title} ({issue.status})")
        self.stdout.write(str(found))
        if found.holder is not None:
            lease = f"{found.holder.lease_expires_at:%H:%M:%S}"
            self.stdout.write(
                f"Held by {found.holder.agent} since"
                f" {found.holder.started_at:%H:%M:%S} UTC; its lease is renewed until"
                f" {lease}."
            )
