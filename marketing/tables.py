"""Tables that people bring along (CSV): each line is taken or comes back with what is
wrong with it, so that nothing is lost."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from django.db import transaction

from paperclip.exceptions import Invalid, Refused

LARGEST, MOST_LINES = 2_000_000, 5_000
# How the files of spreadsheets begin.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# A cell that a spreadsheet would calculate, or could not.
FORMULA = re.compile(r"=|[@+-].*[(!|]|#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)")
YES, NO = {"yes", "y", "true", "1", "x", "sim"}, {"no", "n", "false", "0", "", "não"}


# The column that says so, in what is to be corrected.
PROBLEM = "problem"


@dataclass(frozen=True)
class Problem:
    """A line that was not taken: its number in the file, its cells, and why."""

    line: int
    cells: list[str]
    said: str


@dataclass
class Imported:
    """How many rows are new, were filled in, or were there already; and what was not
    taken."""

    header: list[str] = field(default_factory=list)
    made: int = 0
    filled: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)
    # Columns nobody knows what to do with.
    ignored: list[str] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return self.made + self.filled

    @property
    def rest(self) -> str:
        """The lines that were not taken, as a table to correct and to import again."""
        if not self.problems:
            return ""
        out = io.StringIO()
        writer = csv.writer(out)
        # What was wrong the time before is told anew.
        kept = [i for i, cell in enumerate(self.header) if column(cell) != PROBLEM]
        writer.writerow([*(self.header[i] for i in kept), PROBLEM])
        for one in self.problems:
            cells = one.cells + [""] * len(self.header)
            writer.writerow([*(cells[i] for i in kept), one.said])
        return out.getvalue()


@dataclass(frozen=True)
class Table:
    """A file as lines of named values."""

    header: list[str]
    # (number of the line, its cells, what they are by field)
    lines: list[tuple[int, list[str], dict[str, str]]]
    ignored: list[str] = field(default_factory=list)


def read_table(data: bytes | str, columns: Mapping[str, tuple[str, ...]]) -> Table:
    """The table in this file: commas, semicolons or tabs, in any usual encoding, its
    columns in any order. Invalid when it has none of the columns, or is too large."""
    if len(data) > LARGEST:
        raise Invalid(f"The file is larger than {LARGEST // 1_000_000} MB: split it.")
    rows = list(cells_of(text_of(data) if isinstance(data, bytes) else data))
    if not rows:
        raise Invalid("The file is empty.")
    names = {name: to for to, ways in columns.items() for name in ways}
    header = rows[0][1]
    fields = [names.get(column(cell), "") for cell in header]
    first = next(iter(columns))
    if not any(fields):
        if len(header) > 1 or first != "text":
            raise Invalid(
                "The first line names no column. Take of these:"
                f" {', '.join(ways[0] for ways in columns.values())}."
            )
        # A bare list of keywords.
        header, fields, rows = ["keyword"], [first], [(0, []), *rows]
    if len(rows) > MOST_LINES + 1:
        raise Invalid(
            f"It has {len(rows) - 1:,} lines, and {MOST_LINES:,} are taken at once."
            " Split it, and import one part after the other. Nothing was imported."
        )
    return Table(
        header,
        [
            (line, cells, {to: v for to, v in zip(fields, cells, strict=False) if to})
            for line, cells in rows[1:]
        ],
        [
            cell
            for cell, to in zip(header, fields, strict=True)
            if cell and not to and column(cell) != PROBLEM
        ],
    )


def text_of(data: bytes) -> str:
    """Invalid for the file of a spreadsheet."""
    if data.startswith(WORKBOOKS):
        raise Invalid(
            "It is a workbook, not a table of text: in the spreadsheet choose “Save as”"
            " and there “CSV UTF-8”."
        )
    ways = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",)
    for way in (*ways, "cp1252"):
        try:
            return data.decode(way)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def cells_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line that has any. Invalid for a quote that is
    never closed: nobody can tell where its line ends."""
    text = text.lstrip("\ufeff").replace("\x00", "")
    head = text.lstrip().partition("\n")[0].strip()
    # Excel may say first what parts the cells.
    named = re.fullmatch(r"sep=(.)", head, re.IGNORECASE)
    delimiter = named[1] if named else max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    if named:
        next(reader)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise Invalid(
            f"Line {reader.line_num} is no line of a table: {error}"
        ) from None


def column(name: str) -> str:
    return re.sub(r"[\s.-]+", "_", name.strip().lower())


def flag(value: str) -> bool:
    if value.lower() in YES:
        return True
    if value.lower() in NO:
        return False
    raise Invalid(f"“{value}” is neither yes nor no.")


def take(table: Table, one: Callable[[dict[str, str]], str]) -> Imported:
    """Do `one` with each line; it says made, filled or known, or refuses."""
    done = Imported(table.header, ignored=table.ignored)
    for line, cells, values in table.lines:
        if said := problem_of(cells, len(table.header)):
            done.problems.append(Problem(line, cells, said))
            continue
        try:
            with transaction.atomic():
                what = one({name: v for name, v in values.items() if v})
            setattr(done, what, getattr(done, what) + 1)
        except Refused as no:
            done.problems.append(Problem(line, cells, str(no)))
    return done


def problem_of(cells: list[str], width: int) -> str:
    """What is wrong with a line whatever its cells mean; empty when nothing."""
    if len(cells) > width and any(cells[width:]):
        return f"It has {len(cells)} cells, the first line {width}."
    formula = next((cell for cell in cells if FORMULA.match(cell)), "")
    if formula:
        return f"“{formula[:40]}” is a formula: put there what it comes to."
    return ""


def country_of(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text):
        raise Invalid(f"“{text}” is no two-letter code of a country, as PT is.")
    return text.upper()


def number_of(text: str) -> int:
    digits = re.sub(r"[\s,.']", "", text)
    if not digits.isdecimal() or len(digits) > 9:
        raise Invalid(f"“{text}” is no number of searches.")
    return int(digits)


def day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"“{text}” is no day, as 2026-11-30 is.") from None
