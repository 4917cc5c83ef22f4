"""Backups: what cannot be made again, in a directory of its own for each.

A backup is `database.dump` (pg_dump's custom format), `files.tar.gz` (repositories, the
logs of runs and the signed checkpoints) and `manifest.json`, which says what is in
them: the migrations of the version it is of, the rows and a checksum of every table,
the length and SHA-256 of every file. It is **good** only once it was restored into an
empty place and all of that was found again. Not in it are the keys in `secrets/`
(`manage.py backup --keys FILE` writes those), the workspaces of agents, and Valkey's
messages, which are only doorbells.
"""

from paperclip.backups.store import Backup, latest_good, listed
from paperclip.backups.take import take

__all__ = ["Backup", "latest_good", "listed", "take"]
