"""What a rehearsal's world is made of: where each part is, and the keys it takes."""

from __future__ import annotations

import json
import os
import random
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from marketing.rehearsal.web import HOST
from paperclip import home, servers

RIVALS = ("altair", "boreal", "cirrus", "dunaj", "eclipse", "fjord")
# Our site, who serves us, and who writes about others; each has a port of its own.
PARTS = ("site", "services", "press", *RIVALS, "smtp", "imap")
FILE = "world.json"
MAIL_USER = "press@digiton.example"


@dataclass(frozen=True)
class Plan:
    """`google_key` is the public half of the service account's key."""

    ports: dict[str, int]
    indexnow_key: str
    mail_password: str
    vercel_token: str
    bing_key: str
    serp_key: str
    google_key: str

    @classmethod
    def made(cls, google_key: str) -> Plan:
        """A new one, on ports that nobody has now."""
        free = (p for p in shuffled() if servers.is_free(HOST, p))
        ports = {part: next(free) for part in PARTS}
        return cls(
            ports,
            indexnow_key=secrets.token_hex(16),
            mail_password=secrets.token_urlsafe(24),
            vercel_token=secrets.token_urlsafe(24),
            bing_key=secrets.token_urlsafe(24),
            serp_key=secrets.token_urlsafe(24),
            google_key=google_key,
        )

    @classmethod
    def read(cls, place: Path) -> Plan:
        return cls(**json.loads((place / FILE).read_text()))

    def write(self, place: Path) -> None:
        """For the owner of the home alone: it holds what its parts take for keys. All
        of it or nothing, as the world looks for it."""
        new = place / f".{FILE}"
        new.touch(0o600)
        new.write_text(json.dumps(asdict(self)))
        os.replace(new, place / FILE)

    def url(self, part: str, path: str = "/") -> str:
        return f"http://{HOST}:{self.ports[part]}{path}"


def shuffled() -> list[int]:
    return random.sample(servers.PORTS, len(servers.PORTS))


def places() -> list[Path]:
    """Where there is a world, of each company that rehearses."""
    return sorted(one.parent for one in home.directory("worlds").glob(f"*/{FILE}"))
