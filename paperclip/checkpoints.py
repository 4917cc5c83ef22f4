"""Signed statements of where a company's chain of seals ended, kept outside of the
database: who rewrites the chain, or cuts off its end, cannot rewrite these.

`<home>/checkpoints/<company>.jsonl` has one a line, `{"company", "number", "seal",
"at", "key", "signature"}`. Signed (Ed25519) is the JSON array `["paperclip checkpoint",
company, number, seal, at]` as Python's `json.dumps` writes it. A copy of the file kept
elsewhere proves as much as the file itself; the public key is all one needs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from django.db import transaction
from django.utils.timezone import now

from paperclip import home
from paperclip.models import Chain

PLACE = "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """After `number` acts of the company the last seal was `seal`, in hex."""

    company: str
    number: int
    seal: str
    at: str
    key: str = ""
    signature: str = ""

    @property
    def signed(self) -> bytes:
        said = [self.company, self.number, self.seal, self.at]
        return json.dumps(["paperclip checkpoint", *said]).encode()


@dataclass
class Signed:
    """The checkpoints of a company that count, and the lines that pretend to be one."""

    file: Path
    known: list[Checkpoint] = field(default_factory=list)
    forged: list[int] = field(default_factory=list)


@cache
def key() -> Ed25519PrivateKey:
    """Made of a secret of the home, so that it is made and kept as every other."""
    seed = hashlib.sha256(home.secret("audit").encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_key() -> str:
    return base64.b64encode(key().public_key().public_bytes_raw()).decode()


def signer(text: str = "") -> Ed25519PublicKey:
    """Of a public key as text, else our own; ValueError when it is none."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text or public_key()))


def companies(place: Path | None = None) -> set[str]:
    """Those of which there are checkpoints."""
    return {file.stem for file in (place or home.path() / PLACE).glob("*.jsonl")}


def file_of(company_id: UUID | str) -> Path:
    return home.path() / PLACE / f"{company_id}.jsonl"


def read(company_id: UUID | str, file: Path | None = None, by: str = "") -> Signed:
    """Those in the file (the instance's own, unless another is given) that the public
    key `by` has signed. A line that is no JSON, as one that a crash cut off, is passed
    over."""
    found = Signed(file or file_of(company_id))
    if not found.file.exists():
        return found
    signed_by = signer(by)
    for number, line in enumerate(found.file.read_bytes().split(b"\n"), 1):
        try:
            one = Checkpoint(**json.loads(line))
            signed_by.verify(base64.b64decode(one.signature), one.signed)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            continue
        except (InvalidSignature, TypeError, ValueError):
            found.forged.append(number)
            continue
        if one.company == str(company_id):
            found.known.append(one)
        else:
            found.forged.append(number)
    return found


def sign_all() -> int:
    """A checkpoint of every chain that has grown since its last one; how many."""
    return sum(map(sign, Chain.objects.values_list("pk", flat=True)))


@transaction.atomic
def sign(company_id: UUID) -> bool:
    """Whether there was anything new to sign."""
    # Held, so that the file has them in order.
    chain = Chain.objects.select_for_update().get(pk=company_id)
    if chain.length == chain.checkpoint:
        return False
    at = now()
    seal = bytes(chain.head).hex()
    one = Checkpoint(str(company_id), chain.length, seal, f"{at:%FT%TZ}", public_key())
    signature = base64.b64encode(key().sign(one.signed)).decode()
    append(file_of(company_id), json.dumps(asdict(one) | {"signature": signature}))
    chain.checkpoint, chain.checkpoint_at = chain.length, at
    chain.save(update_fields=["checkpoint", "checkpoint_at"])
    return True


def append(file: Path, line: str) -> None:
    """On the disk when it returns. What a crash cut off before it stays a line of its
    own."""
    home.directory(PLACE)
    with open(file, "ab+", opener=private) as out:
        if out.tell():
            out.seek(-1, os.SEEK_END)
            line = line if out.read(1) == b"\n" else f"\n{line}"
        out.write(line.encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
