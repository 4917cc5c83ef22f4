"""`doctor` says when passwords could be read on their way."""

from __future__ import annotations

import pytest

from paperclip.doctor import machine


@pytest.mark.parametrize(
    ("bound", "https", "state"),
    [
        ("127.0.0.1", False, "ok"),
        ("0.0.0.0", True, "ok"),  # noqa: S104 (what is warned of)
        ("0.0.0.0", False, "warn"),  # noqa: S104
        ("192.168.1.7", False, "warn"),
    ],
)
def test_an_address_for_others_wants_encryption(
    monkeypatch, settings, bound: str, https: bool, state: str
) -> None:
    monkeypatch.setenv("PAPERCLIP_BIND", bound)
    settings.HTTPS = https
    found = machine.address()
    assert found.state == {"ok": machine.OK, "warn": machine.WARN}[state]
    assert state == "ok" or "PAPERCLIP_URL" in found.todo
