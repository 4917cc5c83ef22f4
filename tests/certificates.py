"""Certificates of an authority of our own, and what is wrong with some of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import pytest
import trustme

HERE = ("127.0.0.1", "localhost")


class Certificates:
    """What a server shows, by its kind: one that is trusted while `trusted`, and those
    that nobody may believe."""

    KINDS = ("good", "expired", "other host", "unknown authority")

    def __init__(self) -> None:
        self.authority = trustme.CA()

    @cached_property
    def of(self) -> dict[str, trustme.LeafCert]:
        long_ago = datetime.now(UTC) - timedelta(days=400)
        issue = self.authority.issue_cert
        return {
            "good": issue(*HERE),
            "expired": issue(
                *HERE, not_before=long_ago, not_after=long_ago + timedelta(days=90)
            ),
            "other host": issue("mail.elsewhere.example"),
            "unknown authority": trustme.CA().issue_cert(*HERE),
        }

    def context(self, kind: str = "good") -> ssl.SSLContext:
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.of[kind].configure_cert(found)
        return found

    def files(self, place: Path) -> tuple[Path, Path]:
        """The good one and its key, for a program of its own."""
        cert, key = place / "cert.pem", place / "key.pem"
        good = self.of["good"]
        cert.write_bytes(b"".join(one.bytes() for one in good.cert_chain_pems))
        key.write_bytes(good.private_key_pem.bytes())
        return cert, key

    @contextmanager
    def trusted(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """This machine knows the authority, and no other."""
        with self.authority.cert_pem.tempfile() as file, monkeypatch.context() as here:
            here.setenv("SSL_CERT_FILE", file)
            here.setenv("SSL_CERT_DIR", "/nowhere")
            yield
