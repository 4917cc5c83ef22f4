"""Apart from paperclip.apps, so that processes without a console do not import it."""

from django.contrib.admin import apps


class ConsoleConfig(apps.AdminConfig):
    """Django's admin, with the operator console as its site."""

    default = False
    default_site = "paperclip.console.ConsoleSite"
