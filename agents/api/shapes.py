"""What answers about agents, their keys and their runs look like."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DictField,
    IntegerField,
    JSONField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from agents.models import Agent, Run
from agents.models.roles import PERMISSIONS
from paperclip.api.shapes import Moment, Shape, Unset

MASK = "***REDACTED***"


class AgentShape(Shape):
    """An agent. The values of its environment are shown to itself and to operators:
    put `clear=True`, or `self`, the agent that asks, into the context."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    name = CharField()
    urlKey = CharField(source="url_key")
    role = CharField()
    title = CharField(allow_null=True)
    icon = CharField(allow_null=True)
    status = CharField(source="state")
    errorReason = CharField(source="error_reason", allow_null=True)
    reportsTo = UUIDField(source="reports_to_id", allow_null=True)
    reviewerAgentId = UUIDField(source="reviewer_id", allow_null=True)
    capabilities = CharField(allow_null=True)
    tools = ListField(child=CharField())
    adapterType = CharField(source="adapter_type")
    adapterConfig = SerializerMethodField()
    runtimeConfig = SerializerMethodField()
    budgetMonthlyCents = IntegerField(source="budget_monthly_cents")
    spentMonthlyCents = IntegerField(source="spent_monthly_cents")
    pauseReason = CharField(source="pause_reason", allow_null=True)
    pausedAt = Moment(source="paused_at", allow_null=True)
    permissions = SerializerMethodField()
    lastHeartbeatAt = Moment(source="last_heartbeat_at", allow_null=True)
    nextHeartbeatAt = Moment(source="next_heartbeat_at", allow_null=True)
    metadata = JSONField(allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_adapterConfig(self, agent: Agent) -> dict[str, Any]:
        config = agent.adapter_config
        clear = self.context.get("clear") or self.context.get("self") == agent.pk
        if clear or "env" not in config:
            return config
        return {**config, "env": dict.fromkeys(config["env"], MASK)}

    def get_permissions(self, agent: Agent) -> dict[str, bool]:
        return {name: agent.may(name) for name in sorted(PERMISSIONS)}

    def get_runtimeConfig(self, agent: Agent) -> dict[str, Any]:
        return {
            "heartbeat": {
                "enabled": agent.heartbeat_enabled,
                "intervalSec": agent.interval_seconds,
                "wakeOnDemand": agent.wake_on_demand,
                "maxConcurrentRuns": agent.max_concurrent_runs,
                "skipUnchanged": agent.skip_unchanged,
                "activeDays": agent.active_days,
                "activeFrom": agent.active_from,
                "activeTo": agent.active_to,
                "timeZone": agent.time_zone,
            }
        }


class ManagerShape(Shape):
    id = UUIDField()
    name = CharField()
    role = CharField()
    title = CharField(allow_null=True)


class AgentDetail(AgentShape):
    chainOfCommand = SerializerMethodField()
    access = SerializerMethodField()

    def get_chainOfCommand(self, agent: Agent) -> list[dict[str, Any]]:
        return ManagerShape(agent.chain_of_command(), many=True).data  # type: ignore[return-value]

    def get_access(self, agent: Agent) -> dict[str, bool]:
        return {"canAssignTasks": agent.may("canAssignTasks")}


class OrgShape(Shape):
    id = UUIDField()
    name = CharField()
    role = CharField()
    status = CharField(source="state")
    reports = ListField(child=DictField(), help_text="The same again, for each report.")


def org_chart(agents: list[Agent]) -> list[dict[str, Any]]:
    """The tree of these agents; one whose manager is not among them is a root."""
    nodes: dict[UUID | None, dict[str, Any]] = {
        agent.pk: {
            "id": str(agent.pk),
            "name": agent.name,
            "role": agent.role,
            "status": agent.state,
            "reports": [],
        }
        for agent in agents
    }
    roots: list[dict[str, Any]] = []
    for agent in agents:
        above = nodes.get(agent.reports_to_id)
        (above["reports"] if above else roots).append(nodes[agent.pk])
    return roots


class KeyShape(Shape):
    id = UUIDField()
    name = CharField()
    scope = SerializerMethodField()
    createdAt = Moment(source="created_at")
    lastUsedAt = Moment(source="last_used_at", allow_null=True)
    revokedAt = Moment(source="revoked_at", allow_null=True)

    def get_scope(self, key: object) -> dict[str, str]:
        return {"kind": "standard"}


class NewKeyShape(KeyShape):
    token = CharField(
        allow_null=True, help_text="Shown this one time; null when replayed."
    )


class DoneShape(Shape):
    ok = BooleanField()


class RunRow(Shape):
    """A run in a list: without what its program printed."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    agentId = UUIDField(source="agent_id")
    issueId = UUIDField(source="issue_id", allow_null=True)
    invocationSource = CharField(source="invocation_source")
    triggerDetail = CharField(source="trigger_detail")
    status = CharField()
    attempt = IntegerField()
    holdReason = CharField(source="hold")
    progressed = BooleanField(allow_null=True)
    startedAt = Moment(source="started_at", allow_null=True)
    finishedAt = Moment(source="finished_at", allow_null=True)
    leaseExpiresAt = Moment(source="lease_expires_at", allow_null=True)
    error = CharField(allow_null=True)
    errorCode = CharField(source="error_code", allow_null=True)
    exitCode = IntegerField(source="exit_code", allow_null=True)
    signal = CharField(allow_null=True)
    wakeupRequestId = UUIDField(source="wakeup_id", allow_null=True)
    usageJson = JSONField(source="usage", allow_null=True)
    resultJson = Unset()
    sessionIdBefore = CharField(source="session_id_before", allow_null=True)
    sessionIdAfter = CharField(source="session_id_after", allow_null=True)
    externalRunId = Unset()
    logStore = SerializerMethodField()
    logRef = SerializerMethodField()
    logBytes = IntegerField(source="log_bytes", allow_null=True)
    logSha256 = CharField(source="log_sha256", allow_null=True)
    logCompressed = SerializerMethodField()
    stdoutExcerpt = Unset()
    stderrExcerpt = Unset()
    processPid = IntegerField(source="process_pid", allow_null=True)
    processStartedAt = Moment(source="process_started_at", allow_null=True)
    retryOfRunId = UUIDField(source="retry_of_id", allow_null=True)
    processLossRetryCount = SerializerMethodField()
    nextEventSeq = IntegerField(source="next_event_seq")
    contextSnapshot = SerializerMethodField()
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_logStore(self, run: Run) -> str | None:
        return "local_file" if run.started_at else None

    def get_logRef(self, run: Run) -> str | None:
        return f"{run.pk}/{run.log_file.name}" if run.started_at else None

    def get_logCompressed(self, run: Run) -> bool:
        return False

    def get_processLossRetryCount(self, run: Run) -> int:
        return run.attempt - 1

    def get_contextSnapshot(self, run: Run) -> dict[str, Any]:
        return context_of(run)


class RunShape(RunRow):
    resultJson = JSONField(  # type: ignore[assignment]
        source="result", allow_null=True
    )
    stdoutExcerpt = CharField(  # type: ignore[assignment]
        source="stdout_excerpt", allow_null=True
    )
    stderrExcerpt = CharField(  # type: ignore[assignment]
        source="stderr_excerpt", allow_null=True
    )


def context_of(run: Run) -> dict[str, Any]:
    """Why it was woken and about what; all reasons, when several came together."""
    last = run.wakes[-1] if run.wakes else {}
    context: dict[str, Any] = {
        "wakeReason": last.get("reason"),
        "wakeSource": last.get("source"),
        "wakeTriggerDetail": last.get("detail"),
        "wakes": run.wakes,
    }
    if run.issue_id:
        context |= dict.fromkeys(("issueId", "taskId", "taskKey"), str(run.issue_id))
    if comments := run.comment_ids:
        context |= {"wakeCommentId": comments[-1], "wakeCommentIds": comments}
    return context


class LiveRunShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    status = CharField()
    invocationSource = CharField(source="invocation_source")
    triggerDetail = CharField(source="trigger_detail")
    contextCommentId = SerializerMethodField()
    contextWakeCommentId = SerializerMethodField()
    startedAt = Moment(source="started_at", allow_null=True)
    finishedAt = Moment(source="finished_at", allow_null=True)
    createdAt = Moment(source="created_at")
    agentId = UUIDField(source="agent_id")
    agentName = CharField(source="agent.name")
    adapterType = CharField(source="agent.adapter_type")
    logBytes = IntegerField(source="log_bytes", allow_null=True)
    processStartedAt = Moment(source="process_started_at", allow_null=True)
    issueId = UUIDField(source="issue_id", allow_null=True)

    def get_contextCommentId(self, run: Run) -> str | None:
        return run.comment_ids[-1] if run.comment_ids else None

    get_contextWakeCommentId = get_contextCommentId


class RunEventShape(Shape):
    id = IntegerField()
    companyId = UUIDField(source="run.company_id")
    runId = UUIDField(source="run_id")
    agentId = UUIDField(source="run.agent_id")
    seq = IntegerField()
    eventType = CharField(source="event_type")
    stream = CharField()
    level = CharField()
    message = CharField()
    payload = JSONField(allow_null=True)
    createdAt = Moment(source="created_at")


class LogShape(Shape):
    runId = UUIDField()
    store = CharField()
    logRef = CharField()
    content = CharField(help_text="Whole lines of JSON: {ts, stream, chunk, seq}.")
    nextOffset = IntegerField(
        required=False, help_text="Where to go on; absent at the end of an ended run."
    )
