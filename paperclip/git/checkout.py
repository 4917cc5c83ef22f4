"""The files of a commit in a directory, some of them as another commit has them."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from paperclip.git.command import GitError

if TYPE_CHECKING:
    from paperclip.git.bare import Bare

# Together. What is packed into little may be anything when it is unpacked.
LARGEST = 1_000_000_000
LINK, PROGRAM = "120000", "100755"
FILES = (LINK, PROGRAM, "100644")


class Entry(NamedTuple):
    mode: str
    blob: str


def lay_out(
    bare: Bare, commit: str, place: Path, *, own: Iterable[str] = (), base: str = ""
) -> str:
    """Write the files of `commit` below the empty directory `place`, and of those that
    `own` names exactly what `base` has. A digest of what was written, names and all.

    `own` are paths of files and directories, or patterns such as `**/conftest.py`. Git
    itself checks nothing out: no attribute of the author's changes what a file says.
    GitError for more than 1 GB.
    """
    found = entries(bare, commit)
    matches = [pattern(one) for one in own]
    if matches:
        found = {name: e for name, e in found.items() if not named(name, matches)}
        for name, entry in entries(bare, base).items():
            if named(name, matches):
                make_room(found, name)
                found[name] = entry
    must_fit(bare, found)
    write(bare, found, place)
    told = "".join(f"{e.mode} {e.blob} {name}\0" for name, e in sorted(found.items()))
    return hashlib.sha256(os.fsencode(told)).hexdigest()


def entries(bare: Bare, commit: str) -> dict[str, Entry]:
    """What a commit has, by name; submodules are elsewhere."""
    listed = bare.git("ls-tree", "-r", "-z", "--full-tree", commit)
    found = {}
    for line in filter(None, listed.split(b"\0")):
        head, _, name = line.partition(b"\t")
        mode, _kind, blob = head.decode().split(" ")
        if mode in FILES:
            found[sound(os.fsdecode(name))] = Entry(mode, blob)
    return found


def sound(name: str) -> str:
    if {"", ".", "..", ".git"} & {*name.casefold().split("/")}:
        raise GitError(f"A file of it is called {name!r}.")
    return name


def pattern(text: str) -> re.Pattern[str]:
    """`tests`, `setup.cfg`, `**/conftest.py`: a file, or a directory with all below."""
    parts = re.split(r"(\*\*/|\*\*|\*)", text.strip("/"))
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    wanted = "".join(words.get(part, re.escape(part)) for part in parts)
    return re.compile(f"{wanted}(?:/.*)?", re.S)


def named(name: str, matches: Iterable[re.Pattern[str]]) -> bool:
    return any(one.fullmatch(name) for one in matches)


def make_room(found: dict[str, Entry], name: str) -> None:
    """Take away what stands where this file is to be: a file, or a link to elsewhere,
    in the place of one of its directories, or a directory of its name."""
    above = {name.rsplit("/", n)[0] for n in range(1, name.count("/") + 1)}
    for other in [one for one in found if one in above or one.startswith(f"{name}/")]:
        del found[other]


def must_fit(bare: Bare, found: dict[str, Entry]) -> None:
    blobs = "\n".join([*(entry.blob for entry in found.values()), ""])
    said = bare.git("cat-file", "--batch-check=%(objectsize)", given=blobs.encode())
    if sum(map(int, said.split())) > LARGEST:
        raise GitError(f"Its files have more than {LARGEST} bytes.")


def write(bare: Bare, found: dict[str, Entry], place: Path) -> None:
    """The links last: no file is written through one."""
    ordered = sorted(found.items(), key=lambda each: each[1].mode == LINK)
    blobs = "\n".join([*(entry.blob for _name, entry in ordered), ""])
    with tempfile.TemporaryFile(dir=place.parent) as out:
        bare.git("cat-file", "--batch", given=blobs.encode(), to=out)
        out.seek(0)
        for name, entry in ordered:
            write_one(place / name, entry, content(out))


def content(out: IO[bytes]) -> bytes:
    """The next blob of `git cat-file --batch`."""
    size = int(out.readline().split()[2])
    data = out.read(size)
    out.read(1)
    return data


def write_one(file: Path, entry: Entry, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if entry.mode == LINK:
        os.symlink(data, os.fsencode(file))
        return
    file.write_bytes(data)
    if entry.mode == PROGRAM:
        file.chmod(0o755)
