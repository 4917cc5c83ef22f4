"""What is kept enclosed: AES-256-GCM under the master key of the instance.

    <home>/secrets/vault    the keys, one a line, the newest first; mode 600

More than one line is there while a rotation goes on. PAPERCLIP_SECRETS_MASTER_KEY (the
same lines, with commas) stands in for the file, for several hosts with one database.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from paperclip import home
from paperclip.exceptions import Conflict, Invalid

NAME, VARIABLE = "vault", "PAPERCLIP_SECRETS_MASTER_KEY"
NONCE = 12
SHORTEST_KEY = 32


class Unreadable(Conflict):
    code = "secret_unreadable"


class Sealed(NamedTuple):
    """What is stored. `key` says under which master key, and is no part of it."""

    key: str
    data: bytes


def seal(value: bytes, about: bytes) -> Sealed:
    """Enclosed under the newest key. It opens only with the same `about`."""
    key = keys()[0]
    nonce = secrets.token_bytes(NONCE)
    return Sealed(name_of(key), nonce + cipher(key).encrypt(nonce, value, about))


def unseal(sealed: Sealed, about: bytes) -> bytes:
    """The value. Unreadable when its key is not here, or when it is not what was
    enclosed about this."""
    key = next((one for one in keys() if name_of(one) == sealed.key), None)
    if key is None:
        raise Unreadable(
            "It cannot be read: the master key it was enclosed with is not in"
            f" {place()}. Put that file back from a backup, or give it a new value."
        )
    nonce, closed = sealed.data[:NONCE], sealed.data[NONCE:]
    try:
        return cipher(key).decrypt(nonce, closed, about)
    except (InvalidTag, ValueError):
        raise Unreadable(
            "It cannot be read: what is in the database is not what Paperclip put"
            " there. Give it a new value, and look who could change it."
        ) from None


def keys() -> list[str]:
    """The master keys, the newest first; the first one is made on first use. Read anew
    each time: a rotation may be going on."""
    told = settings.SECRETS_MASTER_KEY
    lines = told.split(",") if told else home.secret(NAME).split()
    found = [line.strip() for line in lines if line.strip()]
    if not found or min(map(len, found)) < SHORTEST_KEY:
        raise Invalid(
            f"A master key in {place()} has less than {SHORTEST_KEY} characters. Make"
            " one with: openssl rand -base64 48"
        )
    return found


def renew() -> None:
    """Put a new key before the others, unless a rotation goes on already. Where the
    keys are told, who tells them does it: Invalid says how."""
    if settings.SECRETS_MASTER_KEY:
        if len(keys()) == 1:
            raise Invalid(
                f"{VARIABLE} holds the master key: put a new one and a comma before it,"
                " start everything again, and then rotate."
            )
    elif len(keys()) == 1:
        write([secrets.token_urlsafe(48), *keys()])


def forget_old() -> None:
    """Keep the newest key only: nothing is enclosed with the others any more."""
    if not settings.SECRETS_MASTER_KEY:
        write(keys()[:1])


def write(lines: list[str]) -> None:
    file = home.directory("secrets") / NAME
    handle, draft = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as out:
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
        os.fsync(out.fileno())
    os.replace(draft, file)
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def place() -> str:
    return (
        VARIABLE if settings.SECRETS_MASTER_KEY else str(home.path() / "secrets" / NAME)
    )


def name_of(key: str) -> str:
    """What tells the key from others and nothing about it."""
    return hashlib.sha256(b"paperclip vault name:" + key.encode()).hexdigest()[:16]


def cipher(key: str) -> AESGCM:
    # Any text of enough chance will do: hexadecimal, base64, or what home made.
    return AESGCM(hashlib.sha256(b"paperclip vault key:" + key.encode()).digest())
