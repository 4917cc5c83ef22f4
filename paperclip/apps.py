from django.apps import AppConfig


class PaperclipConfig(AppConfig):
    name = "paperclip"
