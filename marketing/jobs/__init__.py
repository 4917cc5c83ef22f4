"""The six jobs: a table, one class each, one way to run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from marketing.models.schedule import JobName

if TYPE_CHECKING:
    from marketing.jobs.base import Job

JOBS: dict[str, str] = {
    JobName.CONTENT: "marketing.jobs.content.ContentEngine",
    JobName.BLOG: "marketing.jobs.blog.BlogPublisher",
    JobName.SPY: "marketing.jobs.spy.CompetitorSpy",
    JobName.BACKLINKS: "marketing.jobs.backlinks.BacklinkOutreach",
    JobName.RANKS: "marketing.jobs.ranks.RankMonitor",
    JobName.PR: "marketing.jobs.pr.PrOutreach",
}
# Nothing that they do is seen outside.
ONLY_READS = frozenset({JobName.SPY})


def job_class(name: str) -> type[Job]:
    found: type[Job] = import_string(JOBS[name])
    return found
