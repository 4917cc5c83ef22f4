"""The planted bugs are real: every version of every tool is run against every test."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agents.rehearsal.kits import KITS, Edit, Kit
from agents.rehearsal.post import file_of, html_of
from agents.rehearsal.roles.qa import POST_TEST
from agents.rehearsal.topics import TOPICS, Topic

each_kit = pytest.mark.parametrize("kit", KITS, ids=lambda kit: kit.module)
each_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.keyword)


def put(place: Path, name: str, text: str) -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)


def edited(code: str, edits: list[Edit]) -> str:
    for old, new in edits:
        assert code.count(old) == 1
        code = code.replace(old, new)
    return code


def passes(place: Path, module: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", module],
        cwd=place,
        capture_output=True,
        text=True,
    )
    assert "Ran " in done.stderr, done.stderr
    return done.returncode == 0


@each_kit
def test_a_bug_that_only_qa_finds_takes_two_fixes(tmp_path: Path, kit: Kit) -> None:
    put(tmp_path, kit.test_file, kit.own_test)
    put(tmp_path, "review.py", kit.review)
    half = edited(kit.first, kit.half)
    whole = edited(half, kit.whole)
    verdicts = []
    for code in (kit.first, half, whole):
        put(tmp_path, kit.file, code)
        assert passes(tmp_path, f"tests.test_{kit.module}")
        verdicts.append(passes(tmp_path, "review"))
    assert verdicts == [False, False, True]
    # What the CTO reads is the line that is wrong, once.
    assert half.count(kit.suspect) == 1 and kit.suspect not in whole


@each_kit
@each_topic
def test_a_post_stands_our_own_tool(tmp_path: Path, kit: Kit, topic: Topic) -> None:
    put(tmp_path, kit.file, edited(edited(kit.first, kit.half), kit.whole))
    file = file_of(topic)
    put(tmp_path, file, html_of(topic, 1))
    command = kit.use.format(title=topic.titles[0], file=file, keyword=topic.keyword)
    said = subprocess.check_output(shlex.split(command), cwd=tmp_path, text=True)
    said = said.strip()
    expected = {
        "slugs": said.replace(" ", "-").lower(),
        "reading_time": "1",
        "snippets": "fits",
        "keywords": said if said.isdigit() and int(said) else "1 or more",
    }
    assert said == expected[kit.module]


@each_topic
def test_a_post_stands_the_review(tmp_path: Path, topic: Topic) -> None:
    put(tmp_path, "review.py", POST_TEST.format(keyword=topic.keyword))
    assert not passes(tmp_path, "review")
    put(tmp_path, file_of(topic), html_of(topic, 2))
    assert passes(tmp_path, "review")
    put(tmp_path, file_of(topic), html_of(topic, 2).replace("BlogPosting", "Recipe"))
    assert not passes(tmp_path, "review")
