"""An agent of the built-in loop, run for real against a scripted model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from agents import sessions
from agents.adapters.base import Context, Outcome
from agents.adapters.litellm import LiteLLM
from agents.models import Agent, Run, Session
from issues.heartbeat import Lease, environment
from issues.models import Issue
from tests import make
from tests.loop.model import Answer, Model, model


@dataclass
class Played:
    """One run, when it is over."""

    run: Run
    outcome: Outcome
    model: Model

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its transcript, as the log of the run has it."""
        text = "".join(
            json.loads(line)["chunk"]
            for line in self.run.log_file.read_text().split("\n")
            if line and json.loads(line)["stream"] == "stdout"
        )
        return [json.loads(line) for line in text.split("\n") if line]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    @property
    def results(self) -> list[str]:
        """What its tools answered."""
        return [line["result"] for line in self.of("tool")]

    @property
    def code(self) -> str | None:
        code: str | None = self.outcome.columns.get("error_code")
        return code


def agent(company: Any = None, **fields: Any) -> Agent:
    config = {"model": "openai/test", **fields.pop("config", {})}
    return make.agent(company, adapter_type="litellm", adapter_config=config, **fields)


def play(worker: Agent, issue: Issue | None, *answers: Answer) -> Played:
    """Wake the agent, run it to its end, and write down how it went."""
    with model(*answers) as scripted:
        return played(worker, issue, scripted)


def played(worker: Agent, issue: Issue | None, scripted: Model) -> Played:
    """The same with a model that the test has."""
    run = worker.runs.filter(status="queued", issue_id=issue and issue.pk).first()
    run = run or make.queued_run(worker, issue)
    token = run.claim(host="test")
    assert token is not None
    with spoken_to(scripted):
        thread = sessions.begin(run)
        env = environment(run, token)
        outcome = LiteLLM().execute(Context(run, env, Lease(run).hold, thread))
    run.finish(outcome.status, **outcome.columns)
    Session.objects.keep(run, thread)
    assert token not in run.log_file.read_text()
    return Played(run, outcome, scripted)


@contextmanager
def spoken_to(scripted: Model) -> Iterator[None]:
    before, settings.GATEWAY_URL = settings.GATEWAY_URL, scripted.url
    try:
        yield
    finally:
        settings.GATEWAY_URL = before
