from typing import Any

from django.core.management.base import CommandParser

from agents.models import ApiKey
from paperclip.commands import PaperclipCommand, actor, operator


class Command(PaperclipCommand):
    help = "Print a new bearer key for the API, acting as the operator. Shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, such as: my laptop")

    def handle(self, *args: Any, **options: Any) -> None:
        _, token = ApiKey.objects.issue_to(operator(), name=options["name"], by=actor())
        self.stdout.write(token)
