"""What the console calls what the program calls by names: states, reasons, tools."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TONES = {
    "running": "live",
    "in_progress": "live",
    "active": "good",
    "succeeded": "good",
    "completed": "good",
    "done": "good",
    "achieved": "good",
    "queued": "wait",
    "issue_created": "wait",
    "claimed": "live",
    "deferred_issue_execution": "wait",
    "todo": "wait",
    "in_review": "wait",
    "planned": "wait",
    "paused": "warn",
    "blocked": "warn",
    "timed_out": "bad",
    "failed": "bad",
    "error": "bad",
    "critical": "bad",
    "high": "warn",
    "pending": "wait",
    "approved": "good",
    "rejected": "bad",
    "revision_requested": "warn",
}
LABELS = {
    "running": _("running"),
    "error": _("error"),
    "timed_out": _("timed out"),
    "in_progress": _("in progress"),
    "in_review": _("in review"),
    "todo": _("to do"),
    "issue_created": _("issue filed"),
    "claimed": _("taken up"),
    "coalesced": _("joined"),
    "pending_approval": _("pending approval"),
    "deferred_issue_execution": _("waits for another agent"),
    "revision_requested": _("sent back"),
}
REASONS = {
    "job_due": _("its job was due"),
    "heartbeat_timer": _("its timer rang"),
    "issue_assigned": _("an issue was assigned"),
    "issue_checked_out": _("an issue was handed over"),
    "issue_commented": _("somebody commented"),
    "issue_comment_mentioned": _("somebody mentioned it"),
    "issue_reopened_via_comment": _("an issue was opened again"),
    "issue_status_changed": _("an issue left the backlog"),
    "issue_blockers_resolved": _("what blocked an issue is done"),
    "issue_blocker_cancelled": _("what blocks an issue was cancelled"),
    "issue_children_completed": _("all parts of an issue are closed"),
    "process_lost_retry": _("the run before was lost"),
    "transient_failure_retry": _("the run before failed; it is tried again"),
    "issue_unfinished": _("its issue is not finished yet"),
    "missing_issue_comment": _("it moved its issue on without a word"),
    "issue_waiting": _("an issue waits for it"),
    "issue_check_failed": _("the check of its work failed"),
    "put_off": _("it was put off until there is room"),
    "not_picked": _("it was not picked for the start"),
    "rehearsal_left": _("the rehearsal was left"),
    "stopped": _("somebody stopped everything"),
    "manual": _("somebody pressed Wake"),
    "budget": _("its budget is spent"),
    "budget_raised": _("its budget was raised"),
    "approval_approved": _("what it asked for was approved"),
    "approval_rejected": _("what it asked for was rejected"),
    "approval_revision_requested": _("what it asked for was sent back"),
    "approval_commented": _("somebody commented on what it asked for"),
    "approval_cancelled": _("what it asked for was withdrawn"),
}
# The roles of agents that people do not write like a word.
ROLES = {"devops": "DevOps"} | {
    short: short.upper() for short in ("ceo", "cto", "cmo", "cfo", "pm", "qa")
}
TOOL_ICONS = {
    "shell": "terminal",
    "read_file": "description",
    "write_file": "edit_document",
    "edit_file": "edit_document",
    "list_files": "folder_open",
    "search_files": "search",
    "http_request": "language",
    "inbox": "inbox",
    "list_issues": "checklist",
    "checkout": "front_hand",
    "read_issue": "task_alt",
    "comment": "chat",
    "create_subtask": "add_task",
    "request_review": "rate_review",
    "approve": "check_circle",
    "request_changes": "undo",
    "ask_person": "contact_support",
    "write_document": "article",
    "read_document": "article",
    "hand_over": "upload",
    "run_job": "campaign",
    "list_colleagues": "groups",
}


def role(code: str) -> str:
    """What an agent is, as people write it: `cto` as `CTO`, `engineer` as
    `Engineer`."""
    return ROLES.get(code, code.capitalize())


def reason(code: str) -> Any:
    """Why somebody was woken, in words."""
    return REASONS.get(code, str(code).replace("_", " "))
