#!/usr/bin/env python3
"""The project's commands. Makes .venv first, so that `python3` is all they need."""

import os
import sys

# Older Pythons must be able to read this far, so nothing newer stands in this file.
if sys.version_info < (3, 11):
    sys.exit("Paperclip needs Python 3.11 or newer; this is " + sys.version.split()[0])
if sys.platform == "win32":
    sys.exit("Paperclip needs Linux or macOS; on Windows, start it inside WSL.")

from paperclip import bootstrap

if __name__ == "__main__":
    argv = bootstrap.enter(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paperclip.settings")
    bootstrap.open_home()
    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)
