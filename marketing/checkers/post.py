from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.utils.timezone import now

from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from marketing import deploying, publications, publishing, render
from marketing.jobs.base import Blocked
from marketing.models import Site
from marketing.web.addresses import host_of
from marketing.web.client import Unreachable, Web
from paperclip.actors import SYSTEM
from paperclip.api.forms import Form
from paperclip.git import Bare, GitError, git


class Post(Checker):
    """The repository has the post and its page shows it: a hook that answers, or a page
    that answers 200, proves nothing."""

    Settings = Form
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        is_gone = settings.get("gone")
        what = "is not there any more" if is_gone else "shows the post as approved"
        return (
            "The branch is asked for and cloned anew, the deployment is looked up, and"
            f" {settings.get('url')} {what}."
        )

    def check(self, job: Job) -> Result:
        told, company = job.settings, job.issue.company_id
        site = Site.objects.of(company)
        at = job.claim.began_at or now()
        look = Look(job, site)
        try:
            result = look.gone() if told.get("gone") else look.live()
        except (publishing.Unreached, publishing.Raced, Blocked, Unreachable) as no:
            return unable(str(no), **look.facts)
        except GitError as no:
            return unable(f"The clone cannot be read: {no}", **look.facts)
        if told.get("gone"):
            return result
        if result.outcome == "passed":
            publications.seen_live(company, told["key"], at, look.content_hash)
        elif result.outcome == "failed":
            publications.seen_refuted(company, told["key"], at, result.said)
        return result


class Look:
    """One look at one claim, over connections of its own."""

    def __init__(self, job: Job, site: Site) -> None:
        self.told, self.job, self.site = job.settings, job, site
        # What the claim says, whatever the site's settings are by now.
        self.site.repo_url = self.told["repository"]
        self.site.repo_branch = self.told["branch"]
        self.facts: dict[str, Any] = {"commit": self.told["commit"]}
        self.content_hash = ""

    def live(self) -> Result:
        told = self.told
        clone = self.clone()
        if not clone.bare.holds(told["commit"], self.facts["head"]):
            said = f"The branch does not hold {told['commit'][:10]}."
            return failed(said, **self.facts)
        if wrong := self.differs(clone):
            return failed(wrong, **self.facts)
        if result := self.deployment(clone):
            return result
        self.job.beat()
        seen = self.page(told["heading"], told["graph"])
        if seen.state == "live":
            self.content_hash = seen.content_hash
            return passed(seen.said, **self.facts)
        if seen.state == "wrong":
            return failed(seen.said, **self.facts)
        return unable(seen.said, **self.facts)

    def gone(self) -> Result:
        clone = self.clone()
        if clone.blob_at(self.facts["head"], self.told["path"]):
            return failed("The file is in the branch.", **self.facts)
        if result := self.deployment(clone):
            return result
        self.job.beat()
        seen = self.page("", "")
        key_there = seen.state in ("live", "wrong")
        if key_there or (seen.state == "stale" and self.facts.get("status") != 200):
            return unable(f"The page is still there: {seen.said}", **self.facts)
        return passed(f"{self.told['url']} shows the post no more.", **self.facts)

    def clone(self) -> publishing.Copy:
        """The branch, cloned into the check's own directory."""
        place = self.job.scratch / "fresh.git"
        git("init", "-q", "--bare", str(place))
        remote = publishing.Remote.of(self.site, by=SYSTEM)
        copy = publishing.Copy(remote, Fresh(str(place)))
        # The branch is asked for, and then cloned as it is.
        self.facts["head"] = copy.fetch()
        self.job.beat()
        return copy

    def differs(self, clone: publishing.Copy) -> str:
        """What the file is that the branch has now, if not the one that was approved;
        what we added below it later does not count."""
        path, head = self.told["path"], self.facts["head"]
        self.facts["blob"] = clone.blob_at(head, path)
        if not self.facts["blob"]:
            return f"The branch has no {path}."
        if self.facts["blob"] == self.told["blob"]:
            return ""
        mine = clone.blob_of(render.bare(clone.text_at(head, path)))
        return "" if mine == self.told["blob"] else f"{path} is another text by now."

    def deployment(self, clone: publishing.Copy) -> Result | None:
        """What Vercel says of it, if that is not good; None when it is, or there is no
        token to ask with."""
        self.facts["hookJob"] = self.told.get("hook_job", "")
        rows = deploying.deployments(
            self.site, deploying.token_of(self.site, by=SYSTEM)
        )
        if rows is None:
            return None
        commit = self.told["commit"]
        holds = partial(clone.bare.holds, commit)
        found = deploying.of_commit(rows, commit, holds)
        self.facts["deployment"] = found.id if found else None
        self.facts["deploymentState"] = found.state if found else None
        if found is None:
            return unable(f"There is no deployment of {commit[:10]}.", **self.facts)
        if found.state == deploying.ERROR:
            return failed(f"The deployment {found.id} failed (ERROR).", **self.facts)
        if found.state != deploying.READY:
            said = f"The deployment {found.id} is {found.state or 'in no state'}."
            return unable(said, **self.facts)
        return None

    def page(self, title: str, graph: str) -> deploying.Seen:
        url = self.told["url"]
        with Web.of(self.site, {host_of(url)}, delay=0.0) as web:
            seen = deploying.look(web, url, self.told["key"], title, graph)
        self.facts |= {**seen.facts, "url": url, "page": seen.state}
        return seen


class Fresh(Bare):
    """A bare repository at a path of its own."""

    @property
    def path(self) -> Path:
        return Path(self.name)
