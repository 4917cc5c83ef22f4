"""What a run is told of the approvals that its agent asked for."""

from __future__ import annotations

from agents.loop.fence import fenced
from agents.loop.tools.base import cut
from agents.models import Run
from agents.outside import note_rows
from paperclip.actors import Actor

# Characters of one decision, and of all of them.
LONGEST_NOTICE, LONGEST_TOLD = 4_000, 16_000


def told(run: Run) -> dict[str, str]:
    """What became of the approvals that its agent asked for: the last one by its id,
    and all of them as a text."""
    rows = run.notices.select_related("event__approval", "event__by_agent")
    found = list(rows.select_related("event__by_user"))
    reader = Actor.of_agent(run.agent, run)
    note_rows(reader, *(notice.event.approval for notice in found))
    last = found[-1].event.approval
    links = last.issue_links.values_list("issue_id", flat=True)
    texts = [
        fenced(
            f"approval {notice.event.approval_id}, by {notice.event.author}",
            cut(notice.text, LONGEST_NOTICE),
        )
        for notice in found
    ]
    return {
        "PAPERCLIP_APPROVAL_ID": str(last.pk),
        "PAPERCLIP_APPROVAL_STATUS": last.status,
        "PAPERCLIP_LINKED_ISSUE_IDS": ",".join(map(str, links)),
        "PAPERCLIP_TOLD": cut("\n".join(texts), LONGEST_TOLD),
    }
