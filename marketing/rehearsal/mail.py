"""A mail server on this machine that delivers to nobody: whatever is sent stays in its
own folders."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

import psutil

from marketing.rehearsal.web import HOST
from paperclip import processes, servers

SECONDS = 5


@dataclass
class Mail:
    """A mailbox with SMTP and IMAP, as a program of its own. Its password is in no
    command line. OSError from `start` when somebody else has one of the ports."""

    smtp: int
    imap: int
    user: str
    password: str
    log: IO[str] | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        if not self.is_free:
            self._end_orphan()
        if not self.is_free:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        said = self.log if self.log is not None else subprocess.DEVNULL
        settings = {
            "MAIL_HOST": HOST,
            "MAIL_USER": self.user,
            "MAIL_PASSWORD": self.password,
            "MAIL_SMTP_PORT": str(self.smtp),
            "MAIL_IMAP_PORT": str(self.imap),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mail_devel", "--no-http", "--auth-required"],
            env={**processes.of_helper(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )

    @property
    def is_free(self) -> bool:
        return all(servers.is_free(HOST, port) for port in (self.smtp, self.imap))

    def _end_orphan(self) -> None:
        """End the one whose world was killed: it knows the password."""
        for one in psutil.process_iter(["cmdline"]):
            if "mail_devel" not in (one.info["cmdline"] or ()):
                continue
            with suppress(psutil.Error):
                if one.environ().get("MAIL_PASSWORD") == self.password:
                    one.kill()
                    one.wait(SECONDS)

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
