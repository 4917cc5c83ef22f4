"""A service account as Google gives one, for a Search Console that is made up."""

from __future__ import annotations

import json
from typing import NamedTuple


class Pair(NamedTuple):
    """`credentials` is the file a person would paste; `public` is what checks it."""

    credentials: str
    public: str


def made() -> Pair:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    told = {
        "type": "service_account",
        "client_email": "ranks@rehearsal.iam.gserviceaccount.com",
        "private_key": private.decode(),
        "token_uri": "https://evil.example/token",
    }
    return Pair(json.dumps(told), public.decode())
