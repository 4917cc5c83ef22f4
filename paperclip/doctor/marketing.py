"""The credentials of each company that works for real, tried as its jobs do."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from marketing import credentials
from marketing.models import Site
from paperclip.doctor.findings import FAIL, OK, WARN, Finding, migrations

STATES = {
    credentials.WORKS: OK,
    credentials.NOT_SET: WARN,
    credentials.BROKEN: FAIL,
}


def examine() -> Iterator[tuple[str, Finding]]:
    """A line for each credential, after the prefix of its company."""
    if migrations().state != OK:
        return
    real = Site.objects.filter(company__rehearsal=False)
    for site in real.exclude(company__status="archived").select_related("company"):
        prefix = site.company.issue_prefix
        for told in credentials.examine(site.company):
            yield (
                f"{prefix} {told.name}",
                Finding(STATES[told.state], told.said, told.todo),
            )
    connection.close()
