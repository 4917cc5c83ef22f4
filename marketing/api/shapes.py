"""What answers about the marketing look like."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DictField,
    FloatField,
    IntegerField,
    JSONField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from agents.api.approval_shapes import VerdictShape
from issues.api.criteria_shapes import EvidenceShape
from marketing.outreach import addresses
from marketing.report import Told
from marketing.standing import Card
from paperclip.api.shapes import Moment, Shape


class JobRunShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    job = CharField()
    status = CharField(help_text="running, ok, noop, partial, failed or blocked.")
    dryRun = BooleanField(source="is_dry")
    startedBy = CharField(source="started_by")
    issueId = UUIDField(source="issue_id", allow_null=True)
    tickAt = Moment(source="tick_at")
    finishedAt = Moment(source="finished_at", allow_null=True)
    counters = DictField()


class JobShape(Shape):
    """A job as it stands."""

    job = CharField(source="schedule.job")
    title = CharField(source="schedule")
    schedule = SerializerMethodField(help_text="In words, or as a cron line.")
    isOn = BooleanField(source="schedule.is_on")
    state = SerializerMethodField(help_text="running, waiting, off or stopped.")
    nextRunAt = Moment(source="next", allow_null=True)
    lastRun = JobRunShape(source="last", allow_null=True)

    def get_schedule(self, card: Card) -> str:
        task = card.schedule.task
        return str(task.interval or task.crontab or "")

    def get_state(self, card: Card) -> str:
        if card.last is not None and card.last.status == "running":
            return "running"
        if self.context["stopped"]:
            return "stopped"
        return "waiting" if card.schedule.is_on else "off"


class ClaimedShape(Shape):
    """What a run says that it did, and what a checker has seen of it."""

    criterionId = UUIDField(source="criterion.pk")
    title = CharField(source="criterion.title")
    type = CharField(source="criterion.type")
    state = CharField(help_text="verified, unverified or refuted.")
    evidence = SerializerMethodField()

    def get_evidence(self, told: Told) -> dict[str, Any] | None:
        if told.receipt is None:
            return None
        proof = {"proof": {told.criterion.pk: told.receipt}}
        return dict(EvidenceShape(told.receipt, context=proof).data)


class JobRunDetail(JobRunShape):
    lines = ListField(child=CharField(), help_text="What it did, in sentences.")
    waiting = ListField(child=DictField(), help_text="What waits for a person.")
    progress = CharField()
    note = CharField(help_text="Why it failed, is blocked, or was partly done.")
    claims = ClaimedShape(many=True)


class StartedShape(VerdictShape):
    """`run` is null until a person has said yes."""

    run = JobRunShape(source="row", allow_null=True)


class GapShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    term = CharField()
    kind = CharField(help_text="missing, untapped or weak.")
    priority = CharField()
    score = FloatField()
    components = JSONField()
    titles = ListField(child=CharField(), help_text="Suggestions for a post.")
    rivals = ListField(child=CharField())
    isDismissed = BooleanField(source="is_dismissed")
    issueId = UUIDField(source="issue_id", allow_null=True)
    firstSeenAt = Moment(source="first_seen_at")
    lastSeenAt = Moment(source="last_seen_at")


class PostShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    keyword = CharField()
    slug = CharField()
    title = CharField()
    language = CharField()
    state = CharField()
    stateSince = Moment(source="state_since")
    reasons = ListField(child=CharField(), help_text="Why it was rejected.")
    url = CharField()
    issueId = UUIDField(source="issue_id", allow_null=True)
    approvalId = UUIDField(source="approval_id", allow_null=True)
    commit = CharField()
    pushedAt = Moment(source="pushed_at", allow_null=True)
    liveAt = Moment(source="live_at", allow_null=True)
    createdAt = Moment(source="created_at")


class VersionShape(Shape):
    number = IntegerField()
    sha256 = CharField()
    byName = CharField(source="by_name")
    document = JSONField()
    source = CharField(help_text="The file, as it is committed.")  # type: ignore[assignment]
    gates = ListField(child=DictField(), help_text="{rule, passed, said}")
    createdAt = Moment(source="created_at")


class PostDetail(PostShape):
    versions = VersionShape(many=True, help_text="The newest first.")


class ReadingShape(Shape):
    """One measurement. `position` is null unless it was measured."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    keywordId = UUIDField(source="keyword_id")
    keyword = CharField(source="keyword.text")
    engine = CharField()
    country = CharField()
    device = CharField()
    metric = CharField(help_text="Never put two of them into one series.")
    day = CharField()
    status = CharField()
    position = FloatField(allow_null=True)
    url = CharField()
    depth = IntegerField(allow_null=True)
    clicks = IntegerField(allow_null=True)
    impressions = IntegerField(allow_null=True)
    provider = CharField()
    isFinal = BooleanField(source="is_final")


class MessageShape(Shape):
    """A mail as it goes out. Who may not write to people outside, an agent too, reads
    their addresses masked."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    job = CharField()
    category = CharField()
    state = CharField()
    messageId = CharField(source="message_id")
    to = SerializerMethodField()
    outlet = SerializerMethodField()
    subject = CharField()
    body = CharField()
    articleUrl = CharField(source="article_url")
    approvalId = UUIDField(source="approval_id", allow_null=True)
    smtpReply = SerializerMethodField()
    sentAt = Moment(source="sent_at", allow_null=True)
    foundInSentAt = Moment(source="found_at", allow_null=True)
    repliedAt = Moment(source="replied_at", allow_null=True)
    createdAt = Moment(source="created_at")

    def get_to(self, message: Any) -> str:
        return addresses.shown(message.to, self.context["whole"])

    def get_smtpReply(self, message: Any) -> str:
        return addresses.shown(message.smtp_reply, self.context["whole"])

    def get_outlet(self, message: Any) -> str | None:
        return message.contact.outlet if message.contact else None
