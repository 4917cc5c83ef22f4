"""A post from its brief to the question whether it may be published: written by a
model, held against the gates, mended at most twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marketing import draft, facts, gates, publications
from marketing.draft import Draft
from marketing.jobs.base import Failed
from marketing.likeness import Corpus
from marketing.models import Brief, Post, PostVersion
from paperclip.exceptions import Conflict

if TYPE_CHECKING:
    from marketing.jobs.base import Work

State = Post.State
# A draft may be mended so often.
REPAIRS = 2
# Posts that a writer may link to, and titles that it is told of.
MOST_LINKS, MOST_TITLES = 12, 30


def write(work: Work, post: Post) -> None:
    """The first draft."""
    work.at(f"Writes about “{post.keyword}”.")
    keep(work, post, written(work, post, ""), (State.BRIEF,))
    work.count("drafts written")


def written(work: Work, post: Post, more: str) -> Draft:
    if work.writer is None:
        raise Failed("There is no model to write with.")
    titles = Post.objects.filter(company=work.company).exclude(pk=post.pk)
    known = titles.exclude(title="").order_by("-created_at")[:MOST_TITLES]
    told = draft.task(
        post, work.site, linkable(post), [one.title for one in known], more
    )
    return work.writer.write(told, Draft)


def linkable(post: Post) -> list[Post]:
    """Live posts, those that its brief names first."""
    rows = {str(one.pk): one for one in Post.objects.filter(pk__in=post.targets())}
    named = post.brief.links if post.brief else []
    first = [rows.pop(pk) for pk in map(str, named) if pk in rows]
    rest = sorted(rows.values(), key=lambda one: one.created_at, reverse=True)
    return [*first, *rest][:MOST_LINKS]


def keep(work: Work, post: Post, text: Draft, before: tuple[str, ...]) -> None:
    """Make it the newest version. A slug that another post has is never taken over."""
    at, name = work.clock(), str(work.agent or "Paperclip")
    version = post.drafted(text, work.site, name, at)
    try:
        post.take(version, before, State.DRAFTED, by=work.by, at=at)
    except Conflict as no:
        if no.code == "slug_taken":
            turn_down(work, post, [str(no)])


def judge(work: Work, post: Post) -> None:
    """Let it pass, have it mended, or turn it down with the reasons."""
    while post.state == State.DRAFTED:
        work.at(f"Holds “{post}” against the gates.")
        version = judged(work, post)
        wrong = version.failed
        if not wrong:
            post.move((State.DRAFTED,), State.GATED, by=work.by, at=work.clock())
        elif wrong[0]["rule"] == gates.QUOTA:
            work.did(f"“{post}” waits: {wrong[0]['said']}")
            return
        elif version.number > REPAIRS or gates.FINAL & {one["rule"] for one in wrong}:
            turn_down(work, post, [one["said"] for one in wrong])
            propose_update(work, post, version)
        else:
            mend(work, post, version)


def judged(work: Work, post: Post) -> PostVersion:
    """Its newest version, with what each gate says of it."""
    version = post.version
    assert version is not None  # noqa: S101 (a drafted post has one)
    text, at = Draft.of(version.document), work.clock()
    version.gates = gates.run(gates.Subject(work.site, post, text, version.source, at))
    version.save(update_fields=["gates", "updated_at"])
    return version


def mend(work: Work, post: Post, version: PostVersion) -> None:
    work.at(f"Has “{post}” mended.")
    said = "\n".join(f"- {one['rule']}: {one['said']}" for one in version.failed)
    document = Draft.of(version.document).model_dump_json()
    more = draft.REPAIR.format(document=document, said=said)
    keep(work, post, written(work, post, more), (State.DRAFTED,))
    work.count("drafts mended")


def turn_down(work: Work, post: Post, reasons: list[str]) -> None:
    if post.reject(reasons, by=work.by, at=work.clock()):
        work.count("posts rejected")
        work.did(f"“{post}” is rejected: {' '.join(reasons)}")


def propose_update(work: Work, post: Post, version: PostVersion) -> None:
    """Where a page of ours is about it already, that page may be changed: a person
    says so."""
    if not any(one["rule"] == gates.COMPETES for one in version.failed):
        return
    corpus = Corpus(work.site, post, work.clock())
    other = corpus.competing(Draft.of(version.document))
    if other is None or not other.url or post.brief is None:
        return
    Brief.objects.filter(pk=post.brief.pk, state=Brief.State.USED).update(
        kind=Brief.Kind.UPDATE, state=Brief.State.PROPOSED, target_url=other.url[:300]
    )
    work.waits_for_person(f"Say whether {other.url} is to be changed instead.")


def ask(work: Work, post: Post) -> None:
    """Ask a person; or let it out where ten of its cluster were approved by people, an
    operator said so, and nothing in it is for people to judge."""
    version, at = post.version, work.clock()
    assert version is not None  # noqa: S101 (it has passed the gates)
    rivals = Corpus(work.site, post, at).rivals
    why = facts.wants_a_person(Draft.of(version.document), rivals)
    trusted = post.cluster is not None and post.cluster.auto_approve
    if trusted and not why:
        columns: dict[str, Any] = {"approved_sha256": version.sha256}
        post.move((State.GATED,), State.APPROVED, by=work.by, at=at, **columns)
        work.did(f"“{post}” goes out without approval, as its cluster may.")
        return
    if trusted:
        work.did(f"“{post}” waits for a person all the same: {why}")
    publications.ask(post, version, at=at, run=work.job_run)
    work.count("posts handed in")


def wait(work: Work, post: Post) -> None:
    """It waits for a person, and for nobody when the question was withdrawn."""
    if post.approval is None or post.approval.status == "cancelled":
        turn_down(work, post, ["Its approval was withdrawn."])
        return
    work.waits_for_person(f"Approve “{post}”.", f"/approvals/{post.approval_id}")
