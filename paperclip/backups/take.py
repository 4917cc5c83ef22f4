"""Taking a backup, and trying it out."""

from __future__ import annotations

import shutil
import time
from typing import Any

from django.conf import settings
from django.utils.timezone import now

from paperclip.backups import database, files, store
from paperclip.backups.store import Backup
from paperclip.exceptions import Refused

FIRST_BYTES = 64 * 2**20  # as long as nobody knows how large one is
MOST_SAID = 5


def take() -> Backup:
    """A new backup, tried out: `good`, or `failed` with the reason.

    Conflict while another is being taken; NoRoom; Slow after settings.BACKUP_MINUTES;
    Refused when PostgreSQL's programs fail. Then nothing of it is left."""
    seconds = settings.BACKUP_MINUTES * 60
    with store.alone(seconds):
        deadline = time.monotonic() + seconds
        last = next(iter(store.listed()), None)
        store.make_room(last.size * 5 // 4 if last else FIRST_BYTES)
        backup = check(written(deadline), deadline)
        store.prune()
        return backup


def written(deadline: float) -> Backup:
    began = now()
    place = store.home() / began.strftime(store.NAME)
    draft = place.with_name(place.name + store.DRAFT)
    draft.mkdir(mode=0o700)
    try:
        # The database first: what its rows speak of is among the files then.
        url = settings.DATABASE_URL
        tables, had = database.dump(url, draft / "database.dump", deadline)
        packed = files.pack(draft / "files.tar.gz", deadline)
        manifest: dict[str, Any] = {
            "version": settings.SPECTACULAR_SETTINGS["VERSION"],
            "migrations": had,
            "state": store.UNCHECKED,
            "took": round((now() - began).total_seconds(), 1),
            "tables": tables,
            "files": packed,
        }
        store.write(draft, manifest)
        draft.rename(place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Backup(place, manifest)


def check(backup: Backup, deadline: float) -> Backup:
    """The same, restored into an empty place and compared: good or failed."""
    url = settings.DATABASE_URL
    try:
        with database.scratch(url) as empty:
            database.restore(backup.place / "database.dump", empty, deadline)
            wrong = database.differences(empty, backup.manifest["tables"], deadline)
    except Exception as error:
        wrong = [str(error).strip().splitlines()[0] if str(error) else repr(error)]
    packed = backup.place / "files.tar.gz"
    try:
        wrong += files.differences(packed, backup.manifest["files"], deadline)
    except Refused as error:
        wrong.append(str(error))
    if wrong:
        more = f" And {len(wrong) - MOST_SAID} more." if len(wrong) > MOST_SAID else ""
        return backup.say(store.FAILED, "; ".join(wrong[:MOST_SAID]) + "." + more)
    return backup.say(store.GOOD)
