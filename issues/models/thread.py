"""The thread of an issue: comments, mentions, and who is woken by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agents.models import Agent
from issues.models.base import IssueBase
from issues.models.comment import Comment
from issues.models.wakes import Wake
from paperclip import audit
from paperclip.exceptions import BadRequest

if TYPE_CHECKING:
    from paperclip.actors import Actor

LONGEST = 65_536


class Thread(IssueBase):
    class Meta:
        abstract = True

    def _post(self, body: str, *, by: Actor) -> Comment:
        if not body.strip():
            raise BadRequest("A comment needs some text.")
        must_be_sayable(body)
        said = Comment.objects.create(
            issue_id=self.pk,
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

    def mentions(self, said: Comment | None) -> list[Wake]:
        """Agents called in a comment: `@Name` or `[@Name](agent://id)`."""
        if said is None or not ("@" in said.body or "agent://" in said.body):
            return []
        colleagues = Agent.objects.employed().filter(company_id=self.company_id)
        return [
            Wake(agent, "automation", "issue_comment_mentioned", self)
            for agent in colleagues
            if f"agent://{agent.pk}" in said.body
            or re.search(rf"(?<!\w)@{re.escape(agent.name)}(?!\w)", said.body, re.I)
        ]


def must_be_sayable(body: str) -> None:
    if len(body) > LONGEST:
        raise BadRequest(f"A comment is at most {LONGEST} characters long.")
