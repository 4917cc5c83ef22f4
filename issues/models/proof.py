"""What an agent names as proof when it says that its work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.models import Run
from issues import repositories
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from paperclip.actors import Actor

TYPES = ("commit", "run", "document", "message")


def must_be_true(issue: Any, named: list[dict[str, str]], *, by: Actor) -> None:
    """Invalid (422) for a commit that the branch of this very issue does not hold now,
    an old run or one about something else, and a document that was changed since. What
    is elsewhere, such as a message, is looked up by the check."""
    for one in named:
        problem = PROBLEMS[one["type"]](issue, one["ref"], by)
        if problem:
            raise Invalid(
                f"This is no proof that {issue.identifier} is done: {problem}",
                code="stale_evidence",
                type=one["type"],
                ref=one["ref"],
            )


def of_commit(issue: Any, ref: str, by: Actor) -> str:
    product = repositories.uploads(issue).first()
    held = repositories.facts_of(product).get("commit") if product else None
    if held is None:
        return f"no branch of it was handed over, so nothing is known of {ref[:10]}."
    if held == ref:
        return ""
    return f"its branch is at {held[:10]}, not at {ref[:10]}. Hand it over first."


def of_run(issue: Any, ref: str, by: Actor) -> str:
    runs = Run.objects.filter(issue_id=issue.pk).exclude(started_at=None)
    newest = runs.order_by("-started_at").values_list("pk", flat=True).first()
    if ref in {str(by.run_id), str(newest)}:
        return ""
    return f"{ref} is not the newest run about it."


def of_document(issue: Any, ref: str, by: Actor) -> str:
    newest = (each.revisions.first() for each in issue.documents.all())
    if ref in {str(one.pk) for one in newest if one}:
        return ""
    return f"{ref} is not the newest revision of a document of it."


def of_message(issue: Any, ref: str, by: Actor) -> str:
    return ""


PROBLEMS = dict(zip(TYPES, (of_commit, of_run, of_document, of_message), strict=True))
