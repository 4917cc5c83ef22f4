"""From `up` on a machine without a key until the company has done its first week."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agents.rehearsal.plot import GOAL, REPORT_TITLE
from benchmarks.report import figure, heading
from marketing.rehearsal.founding import ORDER
from paperclip.first_start import MODELS
from tests.instance import Instance, wait_for
from tests.rehearsal.board import Watched

SETTINGS: dict[str, str] = {}
NO_KEYS = dict.fromkeys([*MODELS, "PAPERCLIP_MODEL_API_BASE"], "")


def measure(instance: Instance) -> None:
    instance.stop()  # another one, whose `up` is part of what is measured
    with TemporaryDirectory() as place:
        played = Instance(
            Path(place) / "home", PAPERCLIP_FIRST_COMPANY="digiton", **NO_KEYS
        )
        began = time.time()
        try:
            played.start()
            company = Watched(played, played.company())
            wait_for(lambda: company.is_over(GOAL), 300, company.board)
            report(company, began)
            wait_for(lambda: len(proven(company)) == len(ORDER), 400, company.board)
            last = max(proven(company).values()) - began
            figure("until all six marketing jobs are verified", last, "s", 300)
        finally:
            played.stop()


def report(company: Watched, began: float) -> None:
    runs = sorted(company.of("heartbeat-runs"), key=lambda run: run["startedAt"])
    firsts: dict[str, float] = {}
    for run in runs:
        firsts.setdefault(run["agentId"], at(run["startedAt"]) - began)
    results = [whole(company, run) for run in runs]
    (written,) = (one for one in company.of("issues") if one["title"] == REPORT_TITLE)
    heading("The rehearsal, from `up` in an empty home")
    figure("until the first agent acts", min(firsts.values()), "s", 60)
    figure(f"until all {len(firsts)} have acted", max(firsts.values()), "s", 180)
    figure("until the weekly report", at(written["completedAt"]) - began, "s", 180)
    figure("until nobody works any more", at(runs[-1]["finishedAt"]) - began, "s", 180)
    figure("runs", len(runs), "")
    figure("calls of the model", sum(one["turns"] for one in results), "")
    for kind in ("input", "output"):
        total = sum(one[f"{kind}Tokens"] for one in results)
        figure(f"{kind} tokens", total / 1000, "k")


def proven(company: Watched) -> dict[str, float]:
    """The marketing jobs that ended with their claims verified, and when: what could
    not be verified keeps a job's issue open."""
    return {
        one["title"].partition(",")[0]: at(one["completedAt"])
        for one in company.jobs()
        if one["status"] == "done"
    }


def whole(company: Watched, run: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = company.get(f"/heartbeat-runs/{run['id']}")["resultJson"]
    return result


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
