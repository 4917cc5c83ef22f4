"""What a company looks like from outside, without what differs from run to run: ids,
times, and the numbers that issues got in a race."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from issues.models.base import JOB
from tests.instance import Instance


class Card(NamedTuple):
    title: str
    assignee: str
    status: str
    priority: str
    parent: str
    comments: list[tuple[str, str]]
    documents: dict[str, str]


class Watched:
    """A company of an instance, seen through the API."""

    def __init__(self, instance: Instance, company_id: str) -> None:
        self.instance, self.id = instance, company_id

    def get(self, path: str) -> Any:
        answer = self.instance.api("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def of(self, what: str) -> list[dict[str, Any]]:
        """Its rows, without those of the marketing jobs, which are no part of the
        story."""
        rows: list[dict[str, Any]] = self.get(f"/companies/{self.id}/{what}?limit=200")
        if what == "heartbeat-runs":
            jobs = {one["id"] for one in self.jobs()}
            return [row for row in rows if about(row) not in jobs]
        return [row for row in rows if row.get("originKind") != JOB]

    def jobs(self) -> list[dict[str, Any]]:
        """The issues of the runs of marketing jobs."""
        rows = self.get(f"/companies/{self.id}/issues?limit=200")
        return [row for row in rows if row.get("originKind") == JOB]

    def issue(self, title: str) -> dict[str, Any] | None:
        return next((one for one in self.of("issues") if one["title"] == title), None)

    def is_over(self, goal: str) -> bool:
        """The goal is closed, and nobody works or will."""
        found = self.issue(goal)
        if found is None or found["status"] != "done":
            return False
        return not any(r["status"] in OPEN for r in self.of("heartbeat-runs"))

    def what_is_left(self) -> str:
        """Why it is not over: its newest runs, and the board."""
        told = ("status", "agentId", "createdAt", "startedAt", "errorCode", "error")
        runs = [{k: run.get(k) for k in told} for run in self.of("heartbeat-runs")]
        return f"{runs[:12]}; {self.board()}"

    def board(self) -> list[Card]:
        issues = self.of("issues")
        names = {one["id"]: one["name"] for one in self.of("agents")}
        titles = {one["id"]: one["title"] for one in issues}
        called = {one["identifier"]: one["title"] for one in issues}

        def plain(text: str) -> str:
            return re.sub(r"\b[A-Z]+-\d+\b", lambda m: called.get(m[0], m[0]), text)

        cards = []
        for one in issues:
            path = f"/issues/{one['id']}"
            said = [
                (names.get(row["authorAgentId"], ""), plain(row["body"]))
                for row in reversed(self.get(f"{path}/comments?limit=200"))
            ]
            documents = {
                row["key"]: plain(self.get(f"{path}/documents/{row['key']}")["body"])
                for row in self.get(f"{path}/documents")
            }
            cards.append(
                Card(
                    one["title"],
                    names.get(one["assigneeAgentId"], ""),
                    one["status"],
                    one["priority"],
                    titles.get(one["parentId"], ""),
                    said,
                    documents,
                )
            )
        return sorted(cards)


def about(run: dict[str, Any]) -> str:
    return str((run.get("contextSnapshot") or {}).get("issueId"))


OPEN = ("queued", "running")
