"""The recurring jobs of the marketing, by the agent whose jobs they are."""

from __future__ import annotations

from agents.loop.api import part
from agents.loop.desk import Desk
from agents.loop.errors import ToolError

# What each does, for the model. The job itself is code of the floors above.
JOBS = {
    "content": "groups keywords, writes briefs, tells search engines of changed pages",
    "blog": "writes the next post, publishes what was approved",
    "spy": "reads our competitors and scores keyword gaps",
    "backlinks": "prepares directory entries and mails, checks links to us",
    "ranks": "measures where we are found",
    "pr": "reads answers, drafts pitches, sends what was approved",
}


def run_job(desk: Desk, job: str) -> str:
    """The server says whether a person has to be asked: it knows what this run read."""
    path = f"/companies/{desk.api.company_id}/jobs/{part(job)}/run"
    answer = desk.api.post(path, {})
    run = answer["run"]
    if run is None:
        raise ToolError(f"Not started: {answer['verdict']}. {answer['reason']}")
    if run["issueId"] is None or run["status"] == "blocked":
        raise ToolError(f"Not started: {answer['reason']}")
    name = desk.api.issue(run["issueId"])["identifier"]
    return (
        f"{job} is queued as {name}. It is a run of its own and begins when you have"
        " room for one: after this run, unless you do several at a time. Do not wait"
        f" for it here; read {name} in a later run."
    )
