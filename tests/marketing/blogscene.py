"""A site with a repository, a deployer and a model, and runs of the Blog Publisher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer

from agents.models import Secret
from marketing import conduct, keys, report
from marketing.jobs.base import Work
from marketing.models import Brief, JobRun, JobSchedule, KeywordCluster, Post, Site
from marketing.writer import Writer
from paperclip import home
from paperclip.actors import SYSTEM
from tests import make
from tests.marketing import deploys, scene
from tests.marketing.deploys import Deploys, Model
from tests.marketing.drafts import FACTS, SHOPS

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
KEYWORD = "ai agents for small shops"


@dataclass
class Blog:
    """Everything that a run needs, and what came of it."""

    site: Site
    deployer: Deploys
    model: Model
    repository: Path

    @classmethod
    def set_up(
        cls, server: HTTPServer, answers: Sequence[Any] = (SHOPS,), **fields: Any
    ) -> Blog:
        company = make.company(rehearsal=True)
        place = home.directory("worlds", str(company.pk))
        repository = deploys.repository(place)
        deployer = Deploys(server, repository)
        values = {
            "base_url": deployer.url("/"),
            "repo_url": f"file://{repository}",
            "facts": FACTS,
            "author": "Ana Silva",
            "brands": ["Digiton"],
            "languages": ["en"],
            "endpoints": {"vercel": deployer.url("")},
            **fields,
        }
        site = scene.site(company, **values)
        return cls(site, deployer, Model(server, list(answers)), repository)

    def secret(self, path: str, value: str) -> None:
        company = self.site.company
        kept = Secret.objects.keep(company, by=SYSTEM, name=path, value=value)
        keys.bind(self.site, path, kept, by=SYSTEM)

    def with_vercel(self) -> None:
        self.site.vercel_project = deploys.PROJECT
        self.site.save()
        self.secret("vercel_token", deploys.TOKEN)

    def with_hook(self) -> None:
        self.site.deploy_trigger = Site.Deploy.HOOK
        self.site.save()
        self.deployer.by_push = False
        self.secret("deploy_hook", self.deployer.hook_url)

    def brief(self, keyword: str = KEYWORD, **fields: Any) -> Brief:
        company = self.site.company
        cluster = fields.pop("cluster", None) or KeywordCluster.objects.create(
            company=company, name=keyword
        )
        values = {"week": "2026-W47", "state": "approved", "facts": FACTS, **fields}
        made: Brief = Brief.objects.create(
            company=company, cluster=cluster, primary=keyword, **values
        )
        return made

    def work(self, at: datetime = AT, **how: Any) -> Work:
        self.site.refresh_from_db()
        base = self.model.server.url_for("").rstrip("/")
        return scene.work(
            self.site, "blog", clock=lambda: at, writer=Writer(base, "t"), **how
        )

    def run(self, at: datetime = AT, **how: Any) -> JobRun:
        row = conduct.conduct(self.work(at, **how))
        row.refresh_from_db()
        if row.issue is not None:
            row.issue.refresh_from_db()
        return row

    @property
    def post(self) -> Post:
        """The newest one."""
        rows = Post.objects.filter(company=self.site.company)
        found: Post = rows.order_by("-created_at")[0]
        return found

    def person(self) -> Any:
        return make.by(make.operator(self.site.company))

    def approve(self, post: Post | None = None) -> Post:
        """A person says yes; the run that this starts is left to the test."""
        post = post or self.post
        schedule = JobSchedule.objects.filter(company=self.site.company)
        schedule.update(is_on=False)
        post.approval.decide("approved", by=self.person())
        schedule.update(is_on=True)
        post.refresh_from_db()
        return post

    def live_post(self, keyword: str, number: int = 1, **fields: Any) -> Post:
        """A post that is live, as far as the rows say."""
        slug = f"live-{number}"
        values = {
            "state": "live",
            "title": f"What we know about {keyword}",
            "path": f"content/blog/{slug}.md",
            "url": self.deployer.url(f"/blog/{slug}"),
            "pushed_at": AT - timedelta(days=number + 1),
            **fields,
        }
        made: Post = Post.objects.create(
            company=self.site.company, keyword=keyword, slug=slug, **values
        )
        return made

    def claims(self, row: JobRun) -> list[str]:
        """What is known of each claim of a run."""
        assert row.issue is not None
        return [one.state for one in report.claims_of(row.issue)]
