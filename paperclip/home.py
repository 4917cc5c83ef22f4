"""The instance's home directory: where everything that is not in the database lives.

Standard library only: settings and the embedded servers both read it.

    <home>/secrets/<name>    generated secrets, mode 600
    <home>/run/<name>        ports, pid files and locks of the running instance
    <home>/postgres  valkey  data of the embedded servers
    <home>/logs              output of the instance's own processes
    <home>/runs/<run id>     log of one heartbeat run, and an outcome to be delivered
    <home>/workspaces/<id>   one agent's working directory
    <home>/checkpoints/<company>.jsonl  signed ends of its log of acts
    <home>/repositories/<id>.git  the shared work of one project
    <home>/checks/<name>     what is being checked, gone afterwards
"""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
# Whether this command neither reads nor writes it. bootstrap.py says so.
is_left_alone = False


def path() -> Path:
    """The home: PAPERCLIP_HOME, else .paperclip beside manage.py. Always absolute."""
    return Path(os.environ.get("PAPERCLIP_HOME") or BASE_DIR / ".paperclip").absolute()


def directory(*names: str) -> Path:
    """A directory below the home, made when missing, closed to other users."""
    place = path().joinpath(*names)
    if not place.is_dir():
        path().mkdir(parents=True, exist_ok=True, mode=0o700)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def secret(name: str) -> str:
    """The generated secret of that name. Made on first use, mode 600. Where the home
    is left alone, one that opens nothing."""
    if is_left_alone:
        return secrets.token_urlsafe(48)
    file = directory("secrets") / name
    if not file.exists():
        handle, draft = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(48))
        # link, not rename: of two processes that start at once, the first one's stays.
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        os.unlink(draft)
    return file.read_text()


def port_of(server: str) -> int | None:
    """The loopback port an embedded server was last started on; None if never."""
    try:
        return int((path() / "run" / f"{server}.port").read_text())
    except (OSError, ValueError):
        return None


def instance_id() -> str:
    """A short name of this home, the same however its path is spelled."""
    return hashlib.sha256(str(path().resolve()).encode()).hexdigest()[:12]
