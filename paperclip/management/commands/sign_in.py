from typing import Any

from django.core.management.base import CommandError, CommandParser

from paperclip.commands import PaperclipCommand, operator
from paperclip.doctor.findings import addresses
from paperclip.models import SignInLink, User


class Command(PaperclipCommand):
    help = "Print a link that signs you in to the console, once, within 15 minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?", help="user name (default: the operator)")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["user"]
        user = User.objects.filter(username=name).first() if name else operator()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        url = addresses()[0]  # a home may run elsewhere than we would say
        self.stdout.write(f"{url}/sign-in/{SignInLink.issue(user)}")
