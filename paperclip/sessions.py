"""Who is signed in, kept so that nobody who reads the database, or a backup of it, can
go on as them: what a browser's cookie says is there as a hash only."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.contrib.sessions.backends import db
from django.utils.timezone import now

SIZE = 40  # characters that the column takes: 160 bits


class SessionStore(db.SessionStore):
    """Django's, with the hash of the key wherever it meets the database."""

    def _get_session_from_db(self) -> Any:
        key = hashed(self.session_key or "")
        found = self.model.objects.filter(session_key=key, expire_date__gt=now())
        row = found.first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return super().exists(hashed(session_key))

    def create_model_instance(self, data: Any) -> Any:
        row = super().create_model_instance(data)
        row.session_key = hashed(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(hashed(key))


def hashed(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:SIZE]
