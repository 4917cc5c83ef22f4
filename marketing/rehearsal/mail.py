"""A mail server on this machine that delivers to nobody: whatever is sent stays in its
own folders."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO

from marketing.rehearsal.web import HOST
from paperclip import processes

SECONDS = 5


@dataclass
class Mail:
    """A mailbox with SMTP and IMAP, as a program of its own. Its password is in no
    command line."""

    smtp: int
    imap: int
    user: str
    password: str
    log: IO[str] | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        said = self.log if self.log is not None else subprocess.DEVNULL
        settings = {
            "MAIL_HOST": HOST,
            "MAIL_USER": self.user,
            "MAIL_PASSWORD": self.password,
            "MAIL_SMTP_PORT": str(self.smtp),
            "MAIL_IMAP_PORT": str(self.imap),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mail_devel", "--no-http"],
            env={**processes.of_helper(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is None:
            return
        # It keeps nothing, and takes SIGTERM for a wish.
        self._process.kill()
        self._process.wait(SECONDS)
        self._process = None
