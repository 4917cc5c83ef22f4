"""Files and directories that are only there while a repository is worked on."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from typing import IO

from paperclip import home

# Seconds after which nobody works on one any more.
ABANDONED = 3600


def scratch() -> IO[bytes]:
    """A file for a bundle, gone when it is closed. It is on the disk of the
    repositories: /tmp may be memory."""
    place = home.directory("repositories")
    return tempfile.NamedTemporaryFile(prefix=".bundle-", dir=place)


def clear_up() -> None:
    """Remove what a process that was killed has left of its work."""
    for path in home.directory("repositories").glob(".*-*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
