from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from marketing.jobs.base import Blocked
from marketing.models import Message
from marketing.outreach import imap, sent
from paperclip.actors import SYSTEM
from paperclip.api.forms import Form

OK = "250 "


class Sent(Checker):
    """The mail server took it, in its own words, and it is in the folder of what was
    sent. One of both alone proves nothing."""

    Settings = Form
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        return (
            f"The mail server took {settings.get('message_id')}, and it is in Sent,"
            " seen over a connection of its own."
        )

    def check(self, job: Job) -> Result:
        told = job.settings
        rows = Message.objects.filter(company=job.issue.company_id, pk=told["message"])
        message = rows.select_related("mailbox__company").first()
        if message is None or message.message_id != told["message_id"]:
            return failed("There is no such mail.")
        if message.sha256 != told["sha256"] or not message.is_as_approved:
            return failed("The mail is not the one that this is about.")
        facts = {"messageId": message.message_id, "smtpReply": message.smtp_reply}
        try:
            with imap.opened(message.mailbox, by=SYSTEM) as server:
                found = imap.is_in_sent(server, message.message_id)
        except (imap.NoFolder, Blocked) as no:
            return unable(f"Sent cannot be read: {no}", **facts, inSent=None)
        facts["inSent"] = found
        if found:
            sent.found(message, job.claim.began_at)
        if found and message.smtp_reply.startswith(OK):
            return passed(f"It is in Sent: {message.smtp_reply}", **facts)
        if found:
            return unable("It is in Sent, and no server said that it took it.", **facts)
        return unable(
            f"“{message.smtp_reply or 'nothing'}”, said the server, and it is not in"
            " Sent.",
            **facts,
        )
