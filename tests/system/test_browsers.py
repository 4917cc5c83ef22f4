"""Which browser is taken, and what is tried when there is none."""

from pathlib import Path

import pytest

from paperclip import browsers, home, processes
from tests.instance import wait_for


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser, and without Playwright's."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(browsers, "NAMES", ("our-chromium", "our-chrome"))
    monkeypatch.setattr(browsers, "playwrights_own", lambda: None)
    monkeypatch.delenv("PAPERCLIP_CHROMIUM", raising=False)
    return tmp_path


def put(place: Path, name: str, code: int = 0) -> str:
    file = place / name
    file.write_text(f"#!/bin/sh\nexit {code}\n")
    file.chmod(0o755)
    return str(file)


def test_the_named_browser_comes_first(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(machine, "our-chromium")
    mine = put(machine, "mine")
    monkeypatch.setenv("PAPERCLIP_CHROMIUM", mine)
    assert browsers.find() == mine


def test_a_named_browser_that_does_not_start_is_none(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And another one is neither taken nor brought: the operator has chosen."""
    put(machine, "our-chromium")
    broken = put(machine, "broken", code=1)
    monkeypatch.setattr(browsers, "from_playwright", lambda: pytest.fail("brought"))
    for named in (broken, "/nonexistent"):
        monkeypatch.setenv("PAPERCLIP_CHROMIUM", named)
        assert browsers.find() is None and browsers.install() is None


def test_a_browser_that_does_not_start_is_passed_over(machine: Path) -> None:
    put(machine, "our-chromium", code=1)
    assert browsers.find() is None
    chrome = put(machine, "our-chrome")
    assert browsers.find() == chrome


def test_playwright_is_tried_before_debian(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def debian() -> None:
        tried.append("debian")
        put(machine, "our-chromium")

    monkeypatch.setattr(browsers, "from_playwright", lambda: tried.append("playwright"))
    monkeypatch.setattr(browsers, "from_debian", debian)
    assert browsers.install() == str(machine / "our-chromium")
    assert tried == ["playwright", "debian"]
    assert browsers.install() == str(machine / "our-chromium")
    assert tried == ["playwright", "debian"]


def test_it_says_so_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsers, "from_playwright", lambda: None)
    monkeypatch.setattr(browsers, "from_debian", lambda: None)
    assert browsers.install() is None


def test_a_browser_is_brought_aside(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it, it says how it went, and it ends with the instance."""
    monkeypatch.setenv("PAPERCLIP_HOME", str(machine / "home"))
    slow = "#!/bin/sh\nsleep 600\n"
    (machine / "chromium").write_text(slow)
    (machine / "chromium").chmod(0o755)
    browsers.install_aside()
    marks = {"PAPERCLIP_UP": home.instance_id(), "PAPERCLIP_PROGRAM": "browser"}
    wait_for(lambda: len(processes.carriers(marks)) >= 2, 10)
    processes.end(marks, grace=0)
    assert not processes.carriers(marks)
    mine = put(machine, "chromium")
    browsers.install_aside()
    log = machine / "home" / "logs" / "browser.log"
    wait_for(lambda: log.read_text().endswith("\n"), 20)
    assert log.read_text() == f"The browser is {mine}.\n"
