import gc

from django.apps import AppConfig


class PaperclipConfig(AppConfig):
    name = "paperclip"

    def ready(self) -> None:
        """What was imported stays: no collection looks through it again."""
        gc.freeze()
