"""The program of one run of a job: `python -m marketing.program`, started by its
supervisor with the run's token in the environment."""

from __future__ import annotations

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paperclip.settings")
    django.setup()
    from marketing import conduct

    conduct.carry_out(os.environ["PAPERCLIP_RUN_ID"], os.environ["PAPERCLIP_API_KEY"])


if __name__ == "__main__":
    main()
