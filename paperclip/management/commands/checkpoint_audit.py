from typing import Any

from paperclip import checkpoints, home
from paperclip.commands import PaperclipCommand


class Command(PaperclipCommand):
    help = (
        "Sign where the log of acts of each company ends now, as every hour, and print"
        " the public key: with a copy of these files it proves what was done, also to"
        " others."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        signed = checkpoints.sign_all()
        self.stdout.write(f"{signed} signed, in {home.path() / checkpoints.PLACE}")
        self.stdout.write(f"Public key: {checkpoints.public_key()}")
