"""The log of a run: no secret in it, no end to it, and nothing lost on the way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agents import runlog
from agents.models import Run
from agents.runlog import LogWriter

TOKEN = "pcr_0123456789abcdef"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))
    return Run(status="running")


def printed(run: Run, stream: str = "stdout") -> str:
    """What the log says the program printed, read in small pieces."""
    text, offset = "", 0
    while True:
        piece, following = runlog.read(run, offset, 1024)
        chunks = list(runlog.lines(piece))
        if not chunks:
            return text
        text += "".join(one["chunk"] for one in chunks if one["stream"] == stream)
        offset = following or offset


@pytest.mark.parametrize("size", [1, 3, 7, 64])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"KEY={TOKEN}\n", "KEY=***\n"),
        (f"{TOKEN}{TOKEN}", "******"),
        (f"a{TOKEN[:-1]}", f"a{TOKEN[:-1]}"),
        (f"pcr_0{TOKEN}", "pcr_0***"),
        # One secret begins another, and one ends as another begins.
        ("password password-two", "*** ***"),
        ("password-tw", "***-tw"),
        ("two lines\nof key\n", "***\n"),
        ("short and long", "short and long"),
    ],
)
def test_a_secret_is_not_written(run: Run, text: str, shown: str, size: int) -> None:
    secrets = [TOKEN, "password", "password-two", "two lines\nof key", "short", ""]
    data = text.encode()
    with LogWriter(run, secrets) as log:
        for start in range(0, len(data), size):
            log.write("stdout", data[start : start + size])
        columns = log.columns()
    assert printed(run) == columns["stdout_excerpt"] == shown


def test_only_what_may_be_a_secret_waits_for_more(run: Run) -> None:
    with LogWriter(run, [TOKEN]) as log:
        log.write("stdout", b"Who goes there? pc")
        assert printed(run) == "Who goes there? "
        log.write("stderr", b"r_0123456789abcdef")
        log.write("stdout", b"!")
        assert printed(run) == "Who goes there? pc!"


def test_what_waited_is_written_at_the_end(run: Run) -> None:
    with LogWriter(run, [TOKEN]) as log:
        log.write("stdout", b"pcr_")
        log.write("stderr", "ü".encode()[:1])
    assert (printed(run), printed(run, "stderr")) == ("pcr_", "�")


def test_a_log_ends_somewhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "LOG_LIMIT", 40_000)
    with LogWriter(run) as log:
        for _ in range(20):
            log.write("stdout", b"y\n" * 4000)
        log.write("stdout", b"the end\n")
        columns = log.columns()
    data = run.log_file.read_bytes()
    assert 30_000 < len(data) < 41_000
    assert columns["log_bytes"] == len(data)
    assert columns["log_sha256"] == hashlib.sha256(data).hexdigest()
    assert columns["stdout_excerpt"].endswith("y\nthe end\n")
    *_, last = runlog.lines(data.decode())
    assert last["stream"] == "system" and "cut" in last["chunk"]
    assert sum(line["stream"] == "system" for line in runlog.lines(data.decode())) == 1


@pytest.mark.parametrize("text", ["\1" * 65_536, "€" * 21_000, "a\u2028b\x85c\n" * 999])
def test_nothing_is_lost_between_two_reads(run: Run, text: str) -> None:
    with LogWriter(run) as log:
        log.write("stdout", text.encode())
    assert printed(run) == text


def test_a_line_that_is_not_whole_is_not_read_yet(run: Run) -> None:
    line = json.dumps({"stream": "stdout", "chunk": "ü" * 2000}, ensure_ascii=False)
    run.directory.mkdir(parents=True)
    run.log_file.write_bytes(line.encode()[:-9])
    assert runlog.read(run, 0, 1024) == ("", 0)
    run.log_file.write_bytes(line.encode() + b"\n" + line.encode()[:9])
    whole: Any = runlog.read(run, 0, 1024)
    assert whole == (line + "\n", len(line.encode()) + 1)
    run.status = "failed"
    assert runlog.read(run, whole[1]) == ("", None)
