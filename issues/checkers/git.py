from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from issues.checkers.base import Checker, Job, Result, failed, passed
from paperclip.api.forms import Flag, Form, Text
from paperclip.git.checkout import named, pattern


def paths() -> serializers.ListField:
    return serializers.ListField(
        child=Text(max_length=300), required=False, max_length=50
    )


class GitSettings(Form):
    """`changes`: files or directories of which the branch must change some, each;
    `untouched`: such as it must not change; `merged`: it must be part of the default
    branch already, here or on the remote."""

    changes = paths()
    untouched = paths()
    merged = Flag(required=False)


class Git(Checker):
    """The branch of the issue was handed over, and git says what it holds."""

    Settings = GitSettings

    def in_words(self, settings: Mapping[str, Any]) -> str:
        words = ["Its branch is handed over"]
        if changes := settings.get("changes"):
            words.append(f"changes {', '.join(changes)}")
        if untouched := settings.get("untouched"):
            words.append(f"leaves {', '.join(untouched)} as it is")
        if settings.get("merged"):
            words.append("is merged")
        return ", ".join(words) + "."

    def check(self, job: Job) -> Result:
        branch = job.branch
        if branch is None:
            return failed("No branch was handed over: there is no commit to look at.")
        change = branch.bare.change(branch.base, branch.commit)
        facts: dict[str, Any] = {
            "commit": branch.commit,
            "base": branch.base,
            "stat": change.stat,
            "files": change.files[:50],
        }
        if not change.files:
            return failed("The branch changes nothing.", **facts)
        for wanted in job.settings.get("changes", []):
            if not any(named(one, [pattern(wanted)]) for one in change.files):
                return failed(f"The branch does not change {wanted}.", **facts)
        for kept in job.settings.get("untouched", []):
            hit = [one for one in change.files if named(one, [pattern(kept)])]
            if hit:
                return failed(f"The branch changes {hit[0]}.", **facts)
        merged = branch.bare.holds(branch.commit, branch.default_tip)
        if job.settings.get("merged") and not merged:
            return failed("The branch is not merged.", **facts)
        return passed(f"{branch.commit[:10]}: {change.stat}.", **facts)
