"""The heartbeat of a job: its program runs as a child, with Paperclip's own code and
rights, supervised, limited and ended like every other run."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from agents.adapters import base
from agents.adapters.child import Call, over_budget, run_child
from agents.models import Run

PROGRAM = [sys.executable, "-m", "marketing.program"]
SECONDS = 3600
GRACE = 10


class JobProgram(base.Adapter):
    def execute(self, context: base.Context) -> base.Outcome:
        """Succeeded is: the job has said how it went, also when that is a failure."""
        ended = run_child(
            context,
            Call(
                argv=PROGRAM,
                cwd=settings.BASE_DIR,
                env={**os.environ, **context.env, "PAPERCLIP_CONSOLE": "no"},
                secrets=[context.env["PAPERCLIP_API_KEY"]],
                timeout=SECONDS,
                grace=GRACE,
            ),
        )
        if ended.by == "budget":
            return over_budget(ended, ended.columns)
        if ended.by == "timeout":
            said = {"error": "The job took over an hour.", "error_code": "timeout"}
            return base.Outcome(Run.Status.TIMED_OUT, ended.columns | said)
        if ended.went_well:
            return base.Outcome(Run.Status.SUCCEEDED, ended.columns)
        said = {
            "error": f"The job's program broke off.{ended.last_word}",
            "error_code": "process_lost",
        }
        return base.Outcome(Run.Status.FAILED, ended.columns | said)
