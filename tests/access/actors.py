"""Who asks, and what sets of them are called."""

from __future__ import annotations

BAD = {"anonymous", "garbage", "ended", "revoked"}
FOREIGN = {"stranger", "foreigner"}  # the owner and an agent of another company

VIEWER, KEEPERS = {"viewer"}, {"admin", "owner"}
OPERATORS = {"operator"} | KEEPERS
PEOPLE = VIEWER | OPERATORS
# `agent` is the run that holds the issue, `second` another run of the same agent, `key`
# the agent without a run, `peer` and `manager` are runs of its colleagues.
HOLDER, RUNS_OF_IT = {"agent"}, {"agent", "second"}
ITSELF = RUNS_OF_IT | {"key"}
RUNS = RUNS_OF_IT | {"peer", "manager"}
AGENTS = ITSELF | {"peer", "manager"}
MEMBERS = PEOPLE | AGENTS
WRITERS = OPERATORS | AGENTS
ANYBODY = BAD | FOREIGN | MEMBERS
ALL = sorted(ANYBODY)
