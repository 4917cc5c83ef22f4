from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from marketing import links
from marketing.models import Backlink, Site
from marketing.web.addresses import host_of
from marketing.web.client import Web
from marketing.web.robots import Robots
from paperclip.api.forms import Form

State = Backlink.State


class Link(Checker):
    """The page is fetched anew and has a link to us in its document."""

    Settings = Form
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        return f"{settings.get('source')} has a link to {settings.get('target')}."

    def check(self, job: Job) -> Result:
        told = job.settings
        site = Site.objects.of(job.issue.company_id)
        with Web.of(site, {host_of(told["source"])}) as web:
            seen = links.look(
                web, Robots(web), told["source"], told["target"], site.own_hosts
            )
        facts = {"source": told["source"], "state": seen.state, "path": seen.path}
        if seen.state == State.UNREADABLE:
            return unable(seen.said, **facts)
        if seen.state not in links.FOUND:
            return failed(seen.said, **facts)
        if seen.state != told["state"]:
            return failed(f"It is {seen.state}, and not {told['state']}.", **facts)
        name, text = told.get("name", ""), seen.body.decode("utf-8", "replace")
        if name.casefold() not in text.casefold():
            return failed(f"The page does not name {name}.", **facts)
        return passed(seen.said, **facts, rel=seen.rel, isNoindex=seen.is_noindex)
