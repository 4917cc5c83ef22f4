from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class PaperclipConfig(AppConfig):
    name = "paperclip"


class ConsoleConfig(admin_apps.AdminConfig):
    """Django's admin, with the operator console as its site."""

    default = False
    default_site = "paperclip.console.ConsoleSite"
