from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from issues.checkers.base import Checker, Job, Result, failed, passed
from issues.models import Claim
from paperclip.api.forms import Flag, Form


class ChildrenSettings(Form):
    verified = Flag(required=False)


class Children(Checker):
    """Every part of the issue is done, and with `verified` proven to be."""

    Settings = ChildrenSettings

    def in_words(self, settings: Mapping[str, Any]) -> str:
        proven = " and verified" if settings.get("verified") else ""
        return f"Every part of it is done{proven}."

    def check(self, job: Job) -> Result:
        parts = list(job.issue.children.exclude(status="cancelled").order_by("number"))
        told = {one.identifier: one.status for one in parts}
        if not parts:
            return failed("It has no parts.", parts=told)
        left = [one.identifier for one in parts if one.status != "done"]
        if left:
            return failed(f"Not done: {', '.join(left)}.", parts=told)
        if job.settings.get("verified"):
            # Of a part that was opened again since, the last answer counts.
            last = Claim.objects.filter(issue__in=parts).last_words()
            known = {one.issue_id for one in last if one.status == "verified"}
            left = [one.identifier for one in parts if one.pk not in known]
            if left:
                return failed(f"Done and not verified: {', '.join(left)}.", parts=told)
        return passed(f"All {len(parts)} parts are done.", parts=told)
