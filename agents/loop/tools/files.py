"""The files of the workspace."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from agents.loop.desk import SESSIONS, Desk
from agents.loop.errors import ToolError

LARGEST = 1_000_000
MOST_LINES = 2_000
MOST_FILES = 500
MOST_HITS = 200
# What fills a listing and interests nobody.
PASSED_OVER = {".git", "__pycache__", "node_modules", ".venv", SESSIONS}


def read_file(desk: Desk, path: str, offset: int = 1, limit: int = MOST_LINES) -> str:
    lines = text_of(desk, path).splitlines(keepends=True)
    first = max(1, offset) - 1
    shown = lines[first : first + max(1, limit)]
    left = len(lines) - first - len(shown)
    more = f"\n[{left} more lines: offset {first + len(shown) + 1}]" if left > 0 else ""
    return "".join(shown) + more


def write_file(desk: Desk, path: str, content: str) -> str:
    place = desk.place_to_write(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8", errors="replace")
    except (OSError, UnicodeError) as error:
        raise ToolError(f"{path}: {error}") from error
    return f"Wrote {place.stat().st_size} bytes to {desk.named(place)}."


def edit_file(desk: Desk, path: str, old: str, new: str) -> str:
    text = text_of(desk, path)
    found = text.count(old) if old else 0
    if found != 1:
        raise ToolError(
            f"The old text is in {path} {found} times; it must be there exactly once."
            " Read the file and give more of what is around it."
        )
    return write_file(desk, path, text.replace(old, new))


def list_files(desk: Desk, path: str = ".") -> str:
    place = desk.place(path)
    if not place.is_dir():
        raise ToolError(f"{path} is not a directory.")
    names: list[str] = []
    for file in files_below(place):
        if len(names) == MOST_FILES:
            names.append("[... and more]")
            break
        desk.note_file(file)
        names.append(str(file.relative_to(place)))
    return "\n".join(names) or "(no files)"


def search_files(desk: Desk, pattern: str, path: str = ".") -> str:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ToolError(f"{pattern!r} is no regular expression: {error}.") from error
    place = desk.place(path)
    hits: list[str] = []
    for file in files_below(place) if place.is_dir() else [place]:
        for number, line in enumerate(lines_of(file), 1):
            if wanted.search(line):
                desk.note_file(file)
                hits.append(f"{desk.named(file)}:{number}: {line.rstrip()[:300]}")
            if len(hits) == MOST_HITS:
                return "\n".join([*hits, "[... and more]"])
    return "\n".join(hits) or "Nothing matches."


def text_of(desk: Desk, path: str) -> str:
    place = desk.place(path)
    try:
        # A fifo or a device would never end.
        if not place.is_file():
            raise ToolError(f"There is no file {path}.")
        desk.note_file(place)
        size = place.stat().st_size
        if size > LARGEST:
            raise ToolError(f"{path} has {size} bytes; {LARGEST} can be read.")
        return place.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ToolError(f"{path} is no text ({size} bytes).") from error
    except OSError as error:
        raise ToolError(f"{path}: {error}") from error


def files_below(place: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(place):
        inner[:] = sorted(set(inner) - PASSED_OVER)
        yield from (Path(folder, name) for name in sorted(names))


def lines_of(file: Path) -> list[str]:
    """The lines of a text that is not too long; none of anything else."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST:
            return []
        return file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
