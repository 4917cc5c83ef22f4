"""With which session a run begins: the one rule for every adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents import found
from agents.loop.tools.base import cut
from agents.models.run import Run
from agents.models.session import Session, digest_of

# Of what was said at the end of earlier runs: so many of them, the newest in full.
WORDS, NEWEST, OLDER = 5, 4_000, 600
UNKNOWN = "It could not be found any more."


@dataclass(frozen=True)
class Thread:
    """What a run goes on with. `resumes` is a session of its adapter, or empty: then it
    begins afresh. `hand_over` is for a fresh start, also one that comes about because
    nobody knows the session any more."""

    resumes: str = ""
    hand_over: str = ""
    digest: str = ""
    adapter_type: str = ""


def begin(run: Run) -> Thread:
    """The thread of a run that starts now; its row and its events say which.

    Resumed is the session of its agent about its issue while adapter and configuration
    are what they were and it has room for another run. A run about no issue has none:
    it reads an inbox, and would only pile up that there was nothing in it.
    """
    if run.issue_id is None:
        return Thread()
    digest, kind = digest_of(run.agent), run.agent.adapter_type
    session = Session.objects.of(run).select_related("agent").first()
    if session is None:
        return Thread(digest=digest, adapter_type=kind)
    why = session.why_over(digest)
    text = hand_over(session, why or UNKNOWN)
    note_outside(run, session)
    if why:
        run.log_event("session", f"Begins a new session. {why}", handOver=text)
        return Thread("", text, digest, kind)
    set_before(run, session.session_id)
    run.log_event("session", f"Goes on with session {session.session_id}.")
    return Thread(session.session_id, text, digest, kind)


def note_outside(run: Run, session: Session) -> None:
    """What the conversation has read from outside, who goes on with it has read, also
    when only its last words are handed over."""
    before = Run.objects.filter(agent=run.agent_id, issue_id=run.issue_id)
    since = before.filter(started_at__gte=session.started_at).exclude(outside="")
    source = since.exclude(pk=run.pk).values_list("outside", flat=True).first()
    if source:
        run.note_outside(source)


def lost(run: Run, session_id: str, how: str) -> None:
    """The adapter knows no such session: the same run begins afresh."""
    set_before(run, None)
    said = f"Session {session_id} is unknown, so it begins afresh. {how}".strip()
    run.log_event("session", said, level="warn")


def set_before(run: Run, session_id: str | None) -> None:
    run.session_id_before = session_id
    Run.objects.filter(pk=run.pk).update(session_id_before=session_id)


def hand_over(session: Session, why: str) -> str:
    """What the conversation leaves to the one after it: why it ended, what was done in
    it by the log of acts, and its last words."""
    runs = Run.objects.filter(
        agent=session.agent_id,
        issue_id=session.issue_id,
        status=Run.Status.SUCCEEDED,
        started_at__gte=session.started_at,
    ).defer("stdout_excerpt", "stderr_excerpt")
    last = list(runs.order_by("-created_at")[:WORDS])[::-1]
    head = (
        f"Your earlier conversation about this issue (session {session.session_id},"
        f" runs: {session.runs}) is over. {why}"
    )
    parts = [head]
    if acts := found.acts_of(last):
        parts.append("\n".join(["What you did in its last runs:", *acts]))
    words = [said(run, NEWEST if run is last[-1] else OLDER) for run in last]
    if told := [text for text in words if text]:
        parts.append("\n".join(["What you said at the end of them:", *told]))
    return "\n\n".join(parts)


def said(run: Run, longest: int) -> str:
    """The last words of a run, with when that was; empty when it left none."""
    result: Any = run.result if isinstance(run.result, dict) else {}
    text = str(result.get("message") or result.get("result") or "").strip()
    when = run.finished_at or run.created_at
    return f"{when:%Y-%m-%d %H:%M} UTC: {cut(text, longest)}" if text else ""
