from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import Any

from django.conf import settings as instance
from rest_framework import serializers

from agents.sandbox import Unavailable
from issues import parameters
from issues.checkers import program
from issues.checkers.base import Branch, Checker, Job, Result, failed, passed, unable
from issues.checkers.git import paths
from paperclip.api.forms import Form, Text, Whole
from paperclip.git import GitError, lay_out
from paperclip.git.checkout import entries, named, pattern

SECONDS, LONGEST = 300, 3600
TOLD = 1500  # characters of the output that a failure tells
WHY = {
    "time": "took longer than {seconds} s",
    "output": f"printed more than {program.MOST:,} bytes",
}
# What says nothing about the work: it may be too much for this host alone.
TOO_MUCH = {
    "crowd": "started more than {processes} processes (PAPERCLIP_MOST_PROCESSES)",
    "memory": "took more than {megabytes} MB of memory (PAPERCLIP_CHECK_MEMORY_MB)",
}
# What `python -m` runs that is no part of the work.
RUNNERS = sys.stdlib_module_names | {
    *("pytest", "coverage", "nose2", "tox", "nox", "mypy", "ruff", "black", "flake8")
}
# What ends like that was killed, as this machine does when memory is short.
KILLED = 128 + 9


class CommandSettings(Form):
    """A program with its arguments, each for itself: no shell reads them. It runs in
    the branch that was handed over, with its `own_files` (tests and their settings) as
    they were before the branch began, and has to end with 0 and to print `expects`."""

    command = serializers.ListField(
        child=Text(max_length=1000, trim_whitespace=False), min_length=1, max_length=60
    )
    own_files = paths()
    expects = Text(max_length=300, required=False)
    seconds = Whole(required=False, min_value=1, max_value=LONGEST)

    def validate_command(self, command: list[str]) -> list[str]:
        if parameters.PLACE.search(command[0]):
            raise serializers.ValidationError("The program itself is no parameter.")
        return command


class Command(Checker):
    """A program says so. It runs here, sandboxed, on a clean checkout."""

    Settings = CommandSettings

    def in_words(self, settings: Mapping[str, Any]) -> str:
        said = f"{shlex.join(settings.get('command', []))} ends well"
        if files := settings.get("own_files"):
            said += f", with {', '.join(files)} from before the change"
        return f"{said}."

    def check(self, job: Job) -> Result:
        branch, settings = job.branch, job.settings
        if branch is None:
            return failed("No branch was handed over: there is nothing to run it on.")
        named = settings.get("own_files", [])
        own = [*named, *stand_ins(settings["command"])]
        facts: dict[str, Any] = {
            "command": settings["command"],
            "commit": branch.commit,
            "base": branch.base,
            "ownFiles": own,
        }
        if named and not has_own(branch, named):
            said = "there was none of its own files before the branch began"
            return unable(f"It cannot be run: {said} ({', '.join(named)}).", **facts)
        try:
            facts["treeDigest"] = lay_out(
                branch.bare, branch.commit, job.scratch, own=own, base=branch.base
            )
            job.beat()
            ended = self._run(job)
        except (GitError, Unavailable, OSError) as error:
            return unable(f"It cannot be run here: {error}", **facts)
        return judged(settings, ended, facts)

    def _run(self, job: Job) -> program.Ended:
        seconds = job.settings.get("seconds", SECONDS)
        command, mark = job.settings["command"], str(job.claim.pk)
        scrubber = job.scrubber
        return program.run(command, job.scratch, mark, job.beat, seconds, scrubber)


def stand_ins(command: list[str]) -> list[str]:
    """What Python would take for the module that it is told to run, because it looks
    among the files of the work first: no branch brings that along."""
    words = command[1:] if "python" in command[0].rpartition("/")[2] else []
    after = words[words.index("-m") + 1 :] if "-m" in words else []
    name = after[0].partition(".")[0] if after else ""
    return [name, f"{name}.*"] if name in RUNNERS else []


def has_own(branch: Branch, own: list[str]) -> bool:
    matches = [pattern(one) for one in own]
    return any(named(name, matches) for name in entries(branch.bare, branch.base))


def judged(
    settings: Mapping[str, Any], ended: program.Ended, facts: dict[str, Any]
) -> Result:
    facts |= {
        "exitCode": ended.code,
        "outputDigest": ended.digest,
        "output": ended.output,
        "seconds": ended.seconds,
    }
    line = f"`{shlex.join(settings['command'])}`"
    tail = f"\n\n```\n{ended.output.strip()[-TOLD:]}\n```"
    if why := WHY.get(ended.by):
        said = why.format(seconds=settings.get("seconds", SECONDS))
        return failed(f"{line} {said} and was ended.{tail}", **facts)
    if why := TOO_MUCH.get(ended.by):
        limits = (instance.MOST_PROCESSES, instance.CHECK_MEMORY_MB)
        said = why.format(processes=limits[0], megabytes=limits[1])
        return unable(f"{line} {said} and was ended.{tail}", **facts)
    if ended.code in (KILLED, -9):
        return unable(f"{line} was killed, maybe for want of memory.{tail}", **facts)
    if ended.code and ended.output.startswith("bwrap: "):
        return unable(f"{line} cannot be run here: {ended.output.strip()}", **facts)
    if ended.code:
        return failed(f"{line} ended with exit code {ended.code}.{tail}", **facts)
    expects = settings.get("expects", "")
    if expects not in ended.output:
        return failed(f"{line} did not print “{expects}”.{tail}", **facts)
    return passed(f"{line} ended with exit code 0.", **facts)
