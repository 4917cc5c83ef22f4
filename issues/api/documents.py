"""Documents of an issue over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from issues.api.issues import IssueEndpoint
from issues.api.work_forms import DocumentForm
from issues.api.work_shapes import DocumentShape, RevisionShape
from issues.models import Document
from issues.models.document import DocumentQuerySet
from paperclip.api.schema import doc
from paperclip.exceptions import Missing
from paperclip.pages import Pages

DOCUMENTS = Pages(("key",), limit=100, maximum=100)
REVISIONS = Pages(("-number",), limit=20, maximum=100)


class Documents(IssueEndpoint):
    @doc(
        "list_documents",
        "The documents of an issue with their texts",
        gives=DocumentShape,
        pages=DOCUMENTS,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(told(self.issue().documents), DOCUMENTS, DocumentShape)


class DocumentEndpoint(IssueEndpoint):
    def document(self) -> Document:
        key = self.kwargs["key"]
        found = told(self.issue().documents).filter(key=key).first()
        if found is None:
            raise Missing("Document not found")
        return found


class OneDocument(DocumentEndpoint):
    @doc("get_document", "A document", gives=DocumentShape)
    def get(self, request: Request, **path: str) -> Response:
        return Response(DocumentShape(self.document()).data)

    @doc(
        "change_document",
        "Write a document: a new one, or a new revision of the one that was read",
        takes=DocumentForm,
        gives=DocumentShape,
        status=(201, 200),
    )
    def put(self, request: Request, **path: str) -> Response:
        issue, fields = self.issue(), self.read(DocumentForm)
        if fields.get("title", "") is None:
            fields["title"] = ""
        key = self.kwargs["key"]
        written, is_new = Document.objects.write(issue, key, by=self.actor, **fields)
        fresh = Document.objects.told().get(pk=written.pk)
        return Response(DocumentShape(fresh).data, status=201 if is_new else 200)

    @doc("delete_document", "Delete a document with its revisions", status=204)
    def delete(self, request: Request, **path: str) -> Response:
        self.document().remove(by=self.actor)
        return Response(status=204)


class Revisions(DocumentEndpoint):
    @doc(
        "list_document_revisions",
        "All that a document ever said, the newest first",
        gives=RevisionShape,
        pages=REVISIONS,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(self.document().revisions.all(), REVISIONS, RevisionShape)


def told(documents: DocumentQuerySet) -> DocumentQuerySet:
    return documents.all().told()
