"""200 routines that are due at the same minute: how late each files its issue."""

from __future__ import annotations

from typing import Any

from benchmarks.report import figure, heading, p50_p95
from benchmarks.wake_to_start import at
from tests.instance import Instance, wait_for

ROUTINES = 200
SETTINGS: dict[str, str] = {}


def scheduled(instance: Instance, company: str, number: int) -> str:
    """A routine that is due every minute."""
    body = {"title": f"Routine {number}", "concurrencyPolicy": "always_enqueue"}
    made = instance.api("POST", f"/companies/{company}/routines", body).body
    every_minute = {"kind": "schedule", "cronExpression": "* * * * *"}
    instance.api("POST", f"/routines/{made['id']}/triggers", every_minute)
    return str(made["id"])


def measure(instance: Instance) -> None:
    company = instance.company()
    ids = [scheduled(instance, company, number) for number in range(ROUTINES)]

    def last_runs() -> list[dict[str, Any]]:
        """The last run of each; empty until all have one of the same minute."""
        rows = instance.api("GET", f"/companies/{company}/routines?limit=500").body
        found = [row["lastRun"] for row in rows if row["lastRun"]]
        whole = len(found) == len(ids) and len({run["slotAt"] for run in found}) == 1
        return found if whole else []

    runs = wait_for(last_runs, 180)
    late = [(at(run["createdAt"]) - at(run["slotAt"])) * 1000 for run in runs]
    if {run["status"] for run in runs} != {"issue_created"}:
        raise SystemExit("Some have filed no issue.")
    heading(f"{ROUTINES} routines due at the same minute, each files an issue")
    figure("from the minute to the issue, p50", p50_p95(late)[0], "ms")
    figure("from the minute to the issue, p95", p50_p95(late)[1], "ms", 10_000)
