"""The settings of the gateway's process: those of the instance, without a console."""

from paperclip import settings as instance
from paperclip.settings import *  # noqa: F403

ROOT_URLCONF = "agents.gateway.urls"
WSGI_APPLICATION = "agents.gateway.wsgi.application"
# Its callers are programs with a token: no cookies, no pages.
MIDDLEWARE = []
PAGES = {
    "unfold.apps.BasicAppConfig",
    "paperclip.console_app.ConsoleConfig",
    "django_htmx",
}
INSTALLED_APPS = [app for app in instance.INSTALLED_APPS if app not in instance.PAGES]
SECURE_SSL_REDIRECT = False
