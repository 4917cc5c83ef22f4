"""The thread of an issue: comments, mentions, and who is woken by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db import transaction

from agents.models import Agent
from issues.models.comment import Comment
from issues.models.wakes import Wake, send_wakes
from issues.models.status import Status
from paperclip import audit
from paperclip.exceptions import BadRequest

if TYPE_CHECKING:
    from issues.models.issue import Issue
    from paperclip.actors import Actor

LONGEST = 65_536


class Thread:
    """Mixed into Issue."""

    @transaction.atomic
    def comment(
        self: Issue,
        body: str,
        *,
        by: Actor,
        reopen: bool = False,
        interrupt: bool = False,
    ) -> Comment:
        """Say something in the thread. The assignee and everyone mentioned are woken,
        never the author. `reopen` puts a closed issue back to do; `interrupt` (people
        only) ends the run that works on it first. BadRequest for an empty body."""
        by.must_write(self.company_id, "comment")
        if interrupt:
            self.interrupt(by=by)
        woken = [Wake(self.assignee_agent, "automation", "issue_commented", self.pk)]
        if reopen and self.is_closed:
            self.change(by=by, status=Status.TODO)
            woken = []  # the reopening has woken it
        elif self.is_closed:
            woken = []
        said = self._post(body, by=by)
        send_wakes(self.mentions(said) + woken, by=by, said=said)
        return said

    def _post(self: Issue, body: str, *, by: Actor) -> Comment:
        if not body.strip():
            raise BadRequest("A comment needs some text.")
        if len(body) > LONGEST:
            raise BadRequest(f"A comment is at most {LONGEST} characters long.")
        said: Comment = self.comments.create(
            company_id=self.company_id,
            author_agent=by.agent,
            author_user=by.user,
            run_id=by.run_id,
            body=body,
        )
        audit.record(
            by,
            "issue.comment_added",
            self,
            identifier=self.identifier,
            commentId=str(said.pk),
        )
        return said

    def mentions(self: Issue, said: Comment | None) -> list[Wake]:
        """Agents called in a comment: `@Name` or `[@Name](agent://id)`."""
        if said is None or "@" not in said.body and "agent://" not in said.body:
            return []
        colleagues = Agent.objects.employed().filter(company_id=self.company_id)
        return [
            Wake(agent, "automation", "issue_comment_mentioned", self.pk)
            for agent in colleagues
            if f"agent://{agent.pk}" in said.body
            or re.search(rf"(?<!\w)@{re.escape(agent.name)}(?!\w)", said.body, re.I)
        ]
