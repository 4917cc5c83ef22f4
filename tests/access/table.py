"""Who may do what over HTTP: one row a method and address, and a test for each.

    ("POST", "goals/:goal", WRITERS, {"title": "New"})

says that the actors of the set may, with this body, and that all the others may not:
who shows no good credential gets 401; who is of another company gets 404, to the byte
what is answered for an id that is none; the rest gets 403. A `:name` in an address or a
body is the id of that row of `world.World`. An address without a `:name` belongs to no
company: there the owner and the agent of another company are owner and agent as well.

A new route needs a row here (one of the console in `pages`), or the tests fail. Choose
the narrowest set of `actors` that works, or join sets (`OPERATORS | ITSELF`), and give
a body with which it succeeds: the test wants success for at least one of those who may.
What is answered otherwise than by the rule is said in a fifth place, by actor."""

from __future__ import annotations

from tests.access.actors import (
    AGENTS,
    ANYBODY,
    BAD,
    HOLDER,
    ITSELF,
    KEEPERS,
    MEMBERS,
    OPERATORS,
    PEOPLE,
    RUNS,
    WRITERS,
)


def but(who: set[str], status: int) -> dict[str, int]:
    return dict.fromkeys(who, status)


AGENT_REQUIRED = but(PEOPLE | {"stranger"}, 401)
NEW_CHECK = {"key": "new", "type": "human", "title": "New", "settings": {}}
NEW_AGENT = {"name": "New", "role": "qa", "adapterConfig": {"command": "true"}}
TRIGGER = {"kind": "schedule", "cronExpression": "0 9 * * *"}
COST = {
    "agentId": ":agent",
    "provider": "openai",
    "model": "gpt-5",
    "costCents": 1,
}
LIMIT = {"scopeType": "agent", "scopeId": ":agent", "amount": 5}
ASKED = {"type": "approve_ceo_strategy", "payload": {"plan": "new"}}
EFFECT = {"effect": "spend_money", "payload": {"cents": 5}}
AS_VIEWER = {"membershipRole": "viewer"}
SECRET = {"name": "new", "value": "another value of some length"}

# Who is told that another run holds the issue.
HELD = but({"second", "peer", "manager"}, 409)
NO_BUNDLE = {**HELD, **but(OPERATORS | HOLDER, 400)}
TAKEN = {**but(OPERATORS | {"second"}, 409), "key": 401}
# A credential that is sent is looked at, also where none is needed.
SIGNED = but(BAD - {"anonymous"}, 401)

API = [
    ("GET", "health", ANYBODY),
    ("GET", "openapi.json", ANYBODY),
    ("POST", "routine-triggers/public/:public/fire", set(), {}, but(ANYBODY, 401)),
    # --- the instance ----------------------------------------------------------------
    ("GET", "instance", PEOPLE),
    ("POST", "instance/stop", OPERATORS),
    ("POST", "instance/resume", KEEPERS, {}, but(KEEPERS | {"stranger"}, 409)),
    ("GET", "instance/database-backups", KEEPERS),
    ("POST", "instance/database-backups", KEEPERS),
    ("GET", "provider-accounts", PEOPLE),
    ("GET", "cli-auth/me", PEOPLE),
    ("GET", "skills/heartbeat", MEMBERS),
    # --- companies -------------------------------------------------------------------
    ("GET", "companies", MEMBERS),
    ("POST", "companies", OPERATORS, {"name": "New"}),
    ("GET", "companies/:company", MEMBERS),
    ("PATCH", "companies/:company", KEEPERS, {"name": "New"}),
    ("POST", "companies/:company/stop", OPERATORS),
    ("POST", "companies/:company/resume", OPERATORS, {}, but(OPERATORS, 409)),
    ("GET", "companies/:company/activity", MEMBERS),
    ("GET", "companies/:company/dashboard", MEMBERS),
    ("GET", "companies/:company/sidebar-badges", MEMBERS),
    ("GET", "companies/:company/org", MEMBERS),
    ("GET", "companies/:company/org.svg", MEMBERS),
    # --- people ----------------------------------------------------------------------
    ("GET", "companies/:company/members", MEMBERS),
    (
        "PATCH",
        "companies/:company/members/:place",
        KEEPERS,
        {"membershipRole": "viewer"},
    ),
    ("DELETE", "companies/:company/members/:place", OPERATORS),
    ("GET", "companies/:company/invites", KEEPERS),
    ("POST", "companies/:company/invites", KEEPERS, AS_VIEWER),
    ("POST", "invites/:invite/revoke", KEEPERS),
    ("GET", "invites/:invitation", ANYBODY, {}, SIGNED),
    (
        "POST",
        "invites/:invitation/accept",
        {"anonymous", "stranger"},
        {"username": "newcomer", "password": "a long enough pass phrase"},
        {**SIGNED, **but(PEOPLE, 409), **but(AGENTS | {"foreigner"}, 403)},
    ),
    # --- agents ----------------------------------------------------------------------
    ("GET", "companies/:company/agents", MEMBERS),
    ("POST", "companies/:company/agents", KEEPERS, NEW_AGENT),
    ("POST", "companies/:company/agent-hires", KEEPERS | {"manager"}, NEW_AGENT),
    ("GET", "agents/me", AGENTS, {}, AGENT_REQUIRED),
    ("GET", "agents/me/inbox-lite", AGENTS, {}, AGENT_REQUIRED),
    ("GET", "agents/:agent", MEMBERS),
    ("PATCH", "agents/:agent", KEEPERS, {"title": "New"}),
    (
        "PATCH",
        "agents/:agent/permissions",
        KEEPERS,
        {"canCreateAgents": True},
    ),
    ("POST", "agents/:agent/pause", OPERATORS),
    ("POST", "agents/:agent/resume", OPERATORS, {}, but(OPERATORS, 409)),
    ("POST", "agents/:agent/terminate", KEEPERS),
    ("POST", "agents/:hired/approve", KEEPERS),
    ("POST", "agents/:agent/heartbeat/invoke", OPERATORS | ITSELF),
    ("POST", "agents/:agent/wakeup", OPERATORS | ITSELF, {"source": "on_demand"}),
    ("GET", "agents/:agent/task-sessions", OPERATORS),
    ("POST", "agents/:agent/runtime-state/reset-session", OPERATORS),
    ("GET", "agents/:agent/keys", KEEPERS),
    ("POST", "agents/:agent/keys", KEEPERS),
    ("DELETE", "agents/:agent/keys/:key", KEEPERS),
    ("GET", "companies/:company/secrets", KEEPERS),
    ("POST", "companies/:company/secrets", KEEPERS, SECRET),
    ("PATCH", "secrets/:secret", KEEPERS, {"description": "New"}),
    ("DELETE", "secrets/:secret", KEEPERS),
    ("POST", "secrets/:secret/rotate", KEEPERS, {"value": "another long value"}),
    # --- runs ------------------------------------------------------------------------
    ("GET", "companies/:company/heartbeat-runs", MEMBERS),
    ("GET", "companies/:company/live-runs", MEMBERS),
    ("GET", "heartbeat-runs/:run", MEMBERS),
    ("GET", "heartbeat-runs/:run/events", PEOPLE | ITSELF),
    ("GET", "heartbeat-runs/:run/log", PEOPLE | ITSELF),
    ("POST", "heartbeat-runs/:run/cancel", OPERATORS),
    ("POST", "heartbeat-runs/me/outside", RUNS, {"origin": "a page"}),
    ("GET", "companies/:company/attempts", MEMBERS),
    ("POST", "attempts/:attempt/retry", OPERATORS),
    # --- approvals, and what needs one -----------------------------------------------
    ("GET", "companies/:company/approvals", MEMBERS),
    ("POST", "companies/:company/approvals", WRITERS, ASKED),
    ("GET", "approvals/:approval", MEMBERS),
    ("POST", "approvals/:approval/approve", OPERATORS),
    ("POST", "approvals/:approval/reject", OPERATORS),
    ("POST", "approvals/:approval/request-revision", OPERATORS),
    ("POST", "approvals/:returned/resubmit", OPERATORS | ITSELF),
    ("POST", "approvals/:approval/cancel", OPERATORS | ITSELF),
    ("GET", "approvals/:approval/comments", MEMBERS),
    ("POST", "approvals/:approval/comments", WRITERS, {"body": "Why?"}),
    ("GET", "approvals/:approval/issues", MEMBERS),
    ("GET", "issues/:issue/approvals", MEMBERS),
    (
        "POST",
        "issues/:issue/approvals",
        OPERATORS | ITSELF,
        {"approvalId": ":approval"},
    ),
    ("DELETE", "issues/:issue/approvals/:returned", OPERATORS | ITSELF),
    ("GET", "companies/:company/effect-policies", MEMBERS),
    (
        "PUT",
        "companies/:company/effect-policies",
        KEEPERS,
        {"effect": "spend_money", "rule": "ask"},
    ),
    ("POST", "effects/authorize", AGENTS, EFFECT, AGENT_REQUIRED),
    # --- money -----------------------------------------------------------------------
    ("GET", "companies/:company/costs/summary", MEMBERS),
    ("GET", "companies/:company/costs/by-agent", MEMBERS),
    ("GET", "companies/:company/costs/by-project", MEMBERS),
    ("POST", "companies/:company/cost-events", OPERATORS | ITSELF, COST),
    ("GET", "companies/:company/budgets/overview", MEMBERS),
    ("POST", "companies/:company/budgets/policies", KEEPERS, LIMIT),
    ("PATCH", "companies/:company/budgets", KEEPERS, {"budgetMonthlyCents": 5}),
    ("PATCH", "agents/:agent/budgets", KEEPERS, {"budgetMonthlyCents": 5}),
    (
        "POST",
        "companies/:company/budget-incidents/:incident/resolve",
        KEEPERS,
        {"action": "keep_paused"},
    ),
    # --- plans -----------------------------------------------------------------------
    ("GET", "companies/:company/goals", MEMBERS),
    ("POST", "companies/:company/goals", WRITERS, {"title": "New"}),
    ("GET", "goals/:goal", MEMBERS),
    ("PATCH", "goals/:goal", WRITERS, {"title": "New"}),
    ("GET", "companies/:company/projects", MEMBERS),
    ("POST", "companies/:company/projects", WRITERS, {"name": "New"}),
    ("GET", "projects/:project", MEMBERS),
    ("PATCH", "projects/:project", WRITERS, {"name": "New"}),
    ("GET", "projects/:project/repository", MEMBERS),
    ("GET", "companies/:company/labels", MEMBERS),
    ("POST", "companies/:company/labels", WRITERS, {"name": "new", "color": "#00ff00"}),
    # --- routines --------------------------------------------------------------------
    ("GET", "companies/:company/routines", MEMBERS),
    (
        "POST",
        "companies/:company/routines",
        OPERATORS | ITSELF,
        {"title": "New", "assigneeAgentId": ":agent"},
    ),
    ("GET", "routines/:routine", MEMBERS),
    ("PATCH", "routines/:routine", OPERATORS | ITSELF, {"title": "New"}),
    ("POST", "routines/:routine/run", OPERATORS | ITSELF),
    ("GET", "routines/:routine/runs", MEMBERS),
    ("POST", "routines/:routine/triggers", OPERATORS | ITSELF, TRIGGER),
    ("GET", "routines/:routine/revisions", MEMBERS),
    ("POST", "routines/:routine/revisions/:revision/restore", OPERATORS | ITSELF),
    ("PATCH", "routine-triggers/:trigger", OPERATORS | ITSELF, {"label": "New"}),
    ("DELETE", "routine-triggers/:trigger", OPERATORS | ITSELF),
    ("POST", "routine-triggers/:trigger/rotate-secret", OPERATORS | ITSELF),
    # --- issues ----------------------------------------------------------------------
    ("GET", "companies/:company/issues", MEMBERS),
    ("POST", "companies/:company/issues", WRITERS, {"title": "New"}),
    ("GET", "issues/:issue", MEMBERS),
    ("PATCH", "issues/:issue", OPERATORS | HOLDER, {"title": "New"}, HELD),
    (
        "POST",
        "issues/:issue/checkout",
        OPERATORS | HOLDER,
        {"agentId": ":agent", "expectedStatuses": ["todo"]},
        TAKEN,
    ),
    ("POST", "issues/:issue/release", OPERATORS | HOLDER, {}, HELD),
    ("POST", "issues/:issue/children", WRITERS, {"title": "New"}),
    ("GET", "issues/:issue/comments", MEMBERS),
    ("POST", "issues/:issue/comments", WRITERS, {"body": "New"}),
    ("GET", "issues/:issue/comments/:comment", MEMBERS),
    ("GET", "issues/:issue/heartbeat-context", MEMBERS),
    ("GET", "issues/:issue/why", MEMBERS),
    ("GET", "issues/:issue/activity", MEMBERS),
    ("GET", "issues/:issue/runs", MEMBERS),
    # --- what came of them -----------------------------------------------------------
    ("GET", "issues/:issue/documents", MEMBERS),
    ("GET", "issues/:issue/documents/:plan", MEMBERS),
    ("PUT", "issues/:issue/documents/:new", OPERATORS | HOLDER, {"body": "New"}, HELD),
    ("DELETE", "issues/:issue/documents/:plan", OPERATORS),
    ("GET", "issues/:issue/documents/:plan/revisions", MEMBERS),
    ("GET", "issues/:issue/work-products", MEMBERS),
    (
        "POST",
        "issues/:issue/work-products",
        OPERATORS | HOLDER,
        {"type": "artifact", "title": "New"},
        HELD,
    ),
    ("PATCH", "work-products/:product", OPERATORS | HOLDER, {"title": "New"}, HELD),
    ("DELETE", "work-products/:product", OPERATORS | HOLDER, {}, HELD),
    ("POST", "issues/:issue/branch", set(), b"no bundle", NO_BUNDLE),
    # --- what proves them ------------------------------------------------------------
    ("GET", "companies/:company/checks", MEMBERS),
    ("POST", "companies/:company/checks", KEEPERS, NEW_CHECK),
    ("GET", "checks/:check", MEMBERS),
    ("PATCH", "checks/:check", KEEPERS, {"title": "New"}),
    ("GET", "issues/:issue/criteria", MEMBERS),
    ("POST", "issues/:issue/criteria", OPERATORS | HOLDER, {"check": "look"}, HELD),
    ("PATCH", "criteria/:criterion", OPERATORS, {"title": "New"}, HELD),
    ("DELETE", "criteria/:criterion", OPERATORS, {}, HELD),
    ("POST", "criteria/:proposed/accept", OPERATORS),
    ("POST", "criteria/:criterion/evidence", OPERATORS),
    ("GET", "issues/:issue/evidence", MEMBERS),
    ("GET", "issues/:issue/verification", MEMBERS),
    ("POST", "issues/:issue/verification", OPERATORS),
    ("GET", "issues/:issue/decisions", MEMBERS),
    # --- marketing -------------------------------------------------------------------
    ("GET", "companies/:company/jobs", MEMBERS),
    ("POST", "companies/:company/jobs/:job/run", OPERATORS | ITSELF, {"dryRun": False}),
    ("GET", "companies/:company/jobs/:job/runs", MEMBERS),
    ("GET", "job-runs/:job_run", MEMBERS),
    ("GET", "companies/:company/keyword-gaps", MEMBERS),
    ("GET", "companies/:company/posts", MEMBERS),
    ("GET", "posts/:post", MEMBERS),
    ("GET", "companies/:company/rank-readings", MEMBERS),
    ("GET", "companies/:company/messages", MEMBERS),
    ("GET", "companies/:company/messages/export", KEEPERS),
]

# The model gateway knows the tokens of live runs, and nothing else.
NOT_A_RUN = but(ANYBODY - RUNS - {"foreigner"}, 401)
GATEWAY = [
    ("GET", "/health", ANYBODY),
    ("GET", "/v1/models", RUNS, {}, NOT_A_RUN),
    (
        "POST",
        "/v1/chat/completions",
        set(),
        {"messages": []},
        {**NOT_A_RUN, **but(RUNS | {"foreigner"}, 400)},
    ),
]
