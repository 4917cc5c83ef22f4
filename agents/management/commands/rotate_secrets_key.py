from typing import Any

from agents import resealing
from paperclip.commands import PaperclipCommand


class Command(PaperclipCommand):
    help = (
        "Enclose all secrets anew, under a new master key, and forget the old one."
        " Ended in the middle, the next call goes on with it. The new key is in the"
        " home: make a backup of it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        many = resealing.rotate()
        self.stdout.write(f"{many} values are enclosed anew; the old key is forgotten.")
