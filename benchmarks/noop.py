"""An adapter that does nothing, in the worker itself: what is left is the engine."""

from agents.adapters import base
from agents.models.run import Run


class Noop(base.Adapter):
    def execute(self, context: base.Context) -> base.Outcome:
        return base.Outcome(Run.Status.SUCCEEDED, {"exit_code": 0})
