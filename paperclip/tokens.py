"""Opaque bearer tokens. Only their digest is ever stored.

They carry 256 random bits, so a fast hash is enough: there is nothing to guess.
"""

import hashlib
import secrets


def new(kind: str) -> str:
    """A fresh token; its prefix says what it is when it turns up somewhere."""
    return f"{kind}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
