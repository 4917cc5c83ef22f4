"""What the gateway's server serves."""

import os
import threading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agents.gateway.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from agents.gateway import mount


def load_litellm() -> None:
    """Have it at hand before the first call: it takes 4 s."""
    from agents.gateway import providers

    providers.litellm()


application = mount.below("/rehearsal", get_wsgi_application())
KEYS = [key for name, key in os.environ.items() if name.endswith("_API_KEY")]
if settings.MODEL_API_BASE or any(KEYS):
    threading.Thread(target=load_litellm, daemon=True).start()
