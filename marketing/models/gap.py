"""What others write about and we do not, and who in the company is to do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models import Issue
from marketing.models.site import empty_list
from marketing.words import words
from paperclip import audit
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from marketing.models.site import Site
    from paperclip.actors import Actor

# The origin of the issues that gaps became.
GAP, GAPS = "keyword_gap", "keyword_gaps"
# So many a run, and so many that nobody has done yet.
MOST_A_RUN, MOST_OPEN = 3, 6
# Who searches for one of these wants to buy: that is a page of the site, not a post.
_BUYING = (
    "agency agencies company companies service services pricing price cost hire"
    " consulting consultancy consultant developers agência empresa empresas serviço"
    " serviços preço preços contratar consultoria"
)
BUYING = frozenset(_BUYING.split())


class KeywordGapQuerySet(ScopedQuerySet):
    def open(self) -> Self:
        """Those that nobody has taken up or waved aside."""
        return self.filter(is_dismissed=False, issue=None)

    def for_the_site(self, company_id: Any) -> list[KeywordGap]:
        """High gaps that a page of the site is to close, as many as may be handed over
        now; what a post is for is left to the briefs."""
        left = (
            MOST_OPEN
            - Issue.objects.open().filter(company=company_id, origin_kind=GAP).count()
        )
        high = self.open().filter(company=company_id, priority="high")
        found = [one for one in high.order_by("-score", "term") if one.is_for_the_site]
        return found[: max(0, min(MOST_A_RUN, left))]


class KeywordGap(Scoped):
    """A term of theirs that is none of ours. `components` are the parts of the score,
    `titles` suggestions for a post."""

    class Class(models.TextChoices):
        MISSING = "missing", _("missing")
        UNTAPPED = "untapped", _("untapped")
        WEAK = "weak", _("weak")

    class Priority(models.TextChoices):
        HIGH = "high", _("high")
        MEDIUM = "medium", _("medium")
        LOW = "low", _("low")

    term = models.CharField(max_length=200)
    stem_key = models.CharField(max_length=200)
    score = models.FloatField()
    components = models.JSONField(default=dict)
    kind = models.CharField(max_length=8, choices=Class.choices)
    priority = models.CharField(max_length=8, choices=Priority.choices)
    titles = models.JSONField(default=empty_list)
    rivals = models.JSONField(default=empty_list)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    is_dismissed = models.BooleanField(default=False)
    issue = models.ForeignKey(Issue, models.SET_NULL, null=True, related_name="+")

    objects = KeywordGapQuerySet.as_manager()

    class Meta:
        verbose_name = _("keyword gap")
        ordering = ["-score", "term"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "stem_key"], name="a_gap_is_there_once"
            )
        ]

    def __str__(self) -> str:
        return self.term

    @property
    def is_for_the_site(self) -> bool:
        """Whether a page of the site closes it, and not a post: one of ours is not
        found, or who searches for it wants to buy."""
        return self.kind == self.Class.WEAK or bool(BUYING & set(words(self.term)))

    @transaction.atomic
    def dismiss(self, *, by: Actor, again: bool = False) -> None:
        """Wave it aside: it becomes no brief and no issue. With `again` it is a gap
        once more."""
        by.must_be_operator(self.company_id, "change keywords")
        rows = KeywordGap.objects.filter(pk=self.pk, is_dismissed=again)
        if rows.update(is_dismissed=not again, updated_at=now()):
            act = "gap.taken_back" if again else "gap.dismissed"
            audit.record(by, act, self, term=self.term)
        self.refresh_from_db()

    @transaction.atomic
    def hand_over(self, site: Site, *, by: Actor) -> Issue | None:
        """Make it an issue for who builds the site, once; None when it is one already,
        or nobody builds it. All of them are parts of one issue, which stays open."""
        row = KeywordGap.objects.select_for_update(no_key=True).get(pk=self.pk)
        dev = builder_of(self.company_id)
        if row.issue_id or row.is_dismissed or dev is None:
            return None
        self.issue = Issue.objects.file(
            self.company,
            by=by,
            title=f"Close the keyword gap “{self.term}”"[:200],
            description=self._task(),
            origin_kind=GAP,
            origin_id=str(self.pk),
            parent=whole_of(site, by=by),
            project=site.project,
            goal=site.goal,
            priority=2,
            status="todo",
            assignee_agent=dev,
            # The job is the agent's, though its program needs no right to assign.
            created_by_agent=site.agent,
        )
        self.save(update_fields=["issue", "updated_at"])
        audit.record(by, "gap.handed_over", self, issue=self.issue.identifier)
        return self.issue

    def _task(self) -> str:
        ours = self.components.get("update")
        what = (
            f"Our page {ours} is meant for it, and is not among the first ten: better"
            " its title, headings and text."
            if ours
            else "No page of ours is meant for it: make one, and link to it."
        )
        titles = "".join(f"\n- {one}" for one in self.titles)
        return (
            f"Who searches for “{self.term}” finds {', '.join(self.rivals)}, and not"
            f" us. {what}\n\nScore {self.score:.0f} of 100 ({self.get_kind_display()})."
            + (f"\n\nTitles that nobody has yet:\n{titles}" if titles else "")
        )


def whole_of(site: Site, *, by: Actor) -> Issue:
    """The issue that they are parts of: an open one, or a new one. A run's own issue
    ends with the run, and cannot have parts that do not."""
    rows = Issue.objects.open().filter(company=site.company_id, origin_kind=GAPS)
    found: Issue | None = rows.first()
    return found or Issue.objects.file(
        site.company,
        by=by,
        title="Close the gaps to our competitors",
        description="What they are found for and we are not, a part for each term.",
        origin_kind=GAPS,
        project=site.project,
        goal=site.goal,
        created_by_agent=site.agent,
    )


def builder_of(company_id: Any) -> Agent | None:
    """The agent that builds the site."""
    rows = Agent.objects.employed().filter(company=company_id, role="engineer")
    found: Agent | None = rows.order_by("created_at").first()
    return found
