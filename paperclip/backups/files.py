"""The files of a backup, in one compressed stream."""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from paperclip import home
from paperclip.backups.database import Slow
from paperclip.exceptions import Refused

PARTS = ("repositories", "runs", "checkpoints")
# Of a repository first what names commits: what is added meanwhile is then only more.
LAST = "objects"
Facts = dict[str, list[int | str]]


def pack(file: Path, deadline: float) -> Facts:
    """Write all of them to one file: the length and SHA-256 of each, by its path below
    the home. A file that is being written is there as far as it was."""
    facts: Facts = {}
    with tarfile.open(file, "w:gz", compresslevel=3) as archive:
        for path in every():
            in_time(deadline)
            with suppress(FileNotFoundError), path.open("rb") as content:
                entry = archive.gettarinfo(fileobj=content, arcname=name_of(path))
                if entry.isreg():
                    counted = Counted(content, entry.size)
                    archive.addfile(entry, counted)  # type: ignore[arg-type]
                    facts[entry.name] = counted.facts
    return facts


def every() -> Iterator[Path]:
    for part in PARTS:
        for place, below, names in os.walk(home.path() / part):
            below.sort(key=lambda name: (name == LAST, name))
            yield from (Path(place, name) for name in sorted(names))


def name_of(path: Path) -> str:
    return str(path.relative_to(home.path()))


def in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise Slow("Packing the files took longer than a backup may.")


class Counted:
    """A file as it is read: so many bytes of it, which are there for certain."""

    def __init__(self, content: IO[bytes], size: int) -> None:
        self._content, self._left, self._size = content, size, size
        self._digest = hashlib.sha256()

    def read(self, length: int) -> bytes:
        data = self._content.read(min(length, self._left))
        # Of one that was cut meanwhile the rest is nothing, as tar must have its size.
        data += b"\0" * (min(length, self._left) - len(data))
        self._left -= len(data)
        self._digest.update(data)
        return data

    @property
    def facts(self) -> list[int | str]:
        return [self._size, self._digest.hexdigest()]


def unpack(file: Path, into: Path) -> None:
    """Write them below a directory. Refused for what would lead out of it."""
    try:
        with tarfile.open(file, "r:gz") as archive:
            archive.extractall(into, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Refused(f"{file.name} cannot be unpacked: {error}") from error


def differences(file: Path, wanted: dict[str, Any], deadline: float) -> list[str]:
    """What is not in the archive as it was packed, in words."""
    found: Facts = {}
    try:
        with tarfile.open(file, "r:gz") as archive:
            for entry in archive:
                in_time(deadline)
                content = archive.extractfile(entry)
                if content is not None:
                    digest = hashlib.file_digest(content, "sha256")  # type: ignore[arg-type]
                    found[entry.name] = [entry.size, digest.hexdigest()]
    except (tarfile.TarError, OSError, EOFError) as error:
        return [f"{file.name}: {error}"]
    return [
        f"{name} is not what was packed"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]
