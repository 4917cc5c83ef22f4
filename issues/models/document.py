from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models, transaction
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models.check import KEY
from paperclip import audit
from paperclip.exceptions import BadRequest, Conflict
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.issue import Issue
    from paperclip.actors import Actor

PLAN = "plan"
LARGEST = 512 * 1024


class DocumentQuerySet(ScopedQuerySet):
    def told(self) -> Self:
        """Adds `revision_id`, the newest one's, and who made the first and the newest:
        `created_by_agent`, `created_by_user`, `updated_by_agent`, `updated_by_user`."""
        every = DocumentRevision.objects.filter(document=OuterRef("pk"))
        first, last = every.order_by("number"), every.order_by("-number")
        return self.annotate(
            revision_id=Subquery(last.values("pk")[:1]),
            created_by_agent=Subquery(first.values("author_agent")[:1]),
            created_by_user=Subquery(first.values("author_user")[:1]),
            updated_by_agent=Subquery(last.values("author_agent")[:1]),
            updated_by_user=Subquery(last.values("author_user")[:1]),
        )

    @transaction.atomic
    def write(
        self,
        issue: Issue,
        key: str,
        *,
        by: Actor,
        body: str,
        title: str | None = None,
        base_revision: UUID | None = None,
        change_summary: str | None = None,
    ) -> tuple[Document, bool]:
        """Write the document of that key, a new one or a new revision; and whether it
        is new. What it says already is not written again.

        Conflict unless `base_revision` is the newest one (none for a new document),
        or while another agent's live run holds the issue; BadRequest for a key that is
        none and a text of more than 512 KiB.
        """
        must_be_sound(key, body)
        # One writer at a time, and before anything is read.
        type(issue).objects.select_for_update(no_key=True).get(pk=issue.pk)
        issue.refresh_from_db(fields=["checkout_run", "status", "assignee_agent"])
        issue.must_be_writable(by)
        document = self.filter(issue=issue, key=key).first()
        latest = document.revisions.first() if document else None
        if document and latest and latest.says(body, title):
            return document, False
        must_be_latest(base_revision, latest, key)
        is_new = document is None
        document = document or Document(issue=issue, company_id=issue.company_id)
        document.key, document.body = key, body
        document.title = document.title if title is None else title
        document.revision_number = latest.number + 1 if latest else 1
        document.save()
        document._keep(change_summary, by=by)
        act = "issue.document_created" if is_new else "issue.document_updated"
        audit.record(by, act, issue, **document.named(issue))
        return document, is_new


def must_be_sound(key: str, body: str) -> None:
    if not KEY.regex.fullmatch(key):  # type: ignore[union-attr]
        raise BadRequest(
            "A document's key has 1 to 64 characters: a-z, 0-9, - and _, beginning with"
            " a letter or a number.",
            code="validation",
            path=["key"],
        )
    if len(body.encode()) > LARGEST:
        raise BadRequest(
            f"A document is at most {LARGEST} bytes long.", code="too_large"
        )


def must_be_latest(
    base: UUID | None, latest: DocumentRevision | None, key: str
) -> None:
    if base == (latest.pk if latest else None):
        return
    raise Conflict(
        f"The document {key} has changed: read it, and write again with the id of the"
        " revision you read as baseRevisionId."
        if latest
        else f"There is no document {key} (any more): leave baseRevisionId out.",
        code="stale_revision",
        baseRevisionId=str(base) if base else None,
        latestRevisionId=str(latest.pk) if latest else None,
        latestRevisionNumber=latest.number if latest else None,
    )


class Document(Scoped):
    """A text that belongs to an issue, in Markdown, by its key: `plan`, `report`. The
    newest body stands here, all of them in its revisions. Made by objects.write."""

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="documents")
    key = models.CharField(_("key"), max_length=64, validators=[KEY])
    title = models.CharField(_("title"), max_length=300, blank=True, default="")
    body = models.TextField(_("text"))
    revision_number = models.PositiveIntegerField(default=1)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        verbose_name = _("document")
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(
                fields=["issue", "key"], name="one_document_per_key"
            )
        ]

    def __str__(self) -> str:
        return self.title or self.key

    def _keep(self, change_summary: str | None, *, by: Actor) -> None:
        self.revisions.create(
            id=uuid4(),
            number=self.revision_number,
            title=self.title,
            body=self.body,
            change_summary=change_summary or None,
            author_agent=by.agent,
            author_user=by.user,
            run_id=by.run_id,
        )

    def named(self, issue: Issue) -> dict[str, str | int]:
        """What the log says of it."""
        return {
            "identifier": issue.identifier,
            "documentId": str(self.pk),
            "key": self.key,
            "revisionNumber": self.revision_number,
        }

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        """Delete it with its revisions. Operators only."""
        by.must_be_operator(self.company_id, "delete a document")
        audit.record(by, "issue.document_deleted", self.issue, **self.named(self.issue))
        self.delete()


class DocumentRevision(models.Model):
    """One version of a document. Added, never changed."""

    id = models.UUIDField(primary_key=True, editable=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField()
    change_summary = models.CharField(max_length=500, null=True)  # noqa: DJ001
    author_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="+"
    )
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    run_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "number"], name="one_revision_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.document} #{self.number}"

    def says(self, body: str, title: str | None) -> bool:
        """Whether it holds this already."""
        return self.body == body and title in (None, self.title)
