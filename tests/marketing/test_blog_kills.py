"""kill -9 of the Blog Publisher's own program at every step: exactly one commit comes
of it, one call of the hook, and the row says how far it came."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils.timezone import now
from pytest_httpserver import HTTPServer

from agents.models import Run
from marketing.models import Brief, JobRun, Post
from paperclip.home import BASE_DIR
from tests.instance import wait_for
from tests.long import long
from tests.marketing import deploys
from tests.marketing.blogscene import Blog
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = 471_147
# Whoever says that it is at this step waits there.
STOP = """
CREATE OR REPLACE FUNCTION wait_at_step() RETURNS trigger AS $$
BEGIN
    IF NEW.progress LIKE '{step}%' AND OLD.progress IS DISTINCT FROM NEW.progress THEN
        PERFORM pg_advisory_lock({lock});
        PERFORM pg_advisory_unlock({lock});
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER wait_at_step BEFORE UPDATE ON marketing_jobrun
    FOR EACH ROW EXECUTE FUNCTION wait_at_step();
"""
GO_ON = """
DROP TRIGGER IF EXISTS wait_at_step ON marketing_jobrun;
DROP FUNCTION IF EXISTS wait_at_step();
"""


@pytest.fixture
def blog(httpserver: HTTPServer) -> Blog:
    return Blog.set_up(httpserver)


def sql(text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchone() if cursor.description else None


class Program:
    """A run of the job in a process of its own."""

    def __init__(self, blog: Blog) -> None:
        self.blog, work = blog, blog.work(now())
        self.row = work.job_run
        self.run = Run.objects.live().get(issue_id=self.row.issue_id)
        until = now() + timedelta(minutes=10)
        Run.objects.filter(pk=self.run.pk).update(lease_expires_at=until)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "marketing.program"],
            cwd=BASE_DIR,
            env=os.environ
            | {
                "DATABASE_URL": database_url(),
                "REDIS_URL": settings.REDIS_URL,
                "PAPERCLIP_HOME": str(settings.HOME),
                "PAPERCLIP_CONSOLE": "no",
                "PAPERCLIP_GATEWAY_URL": self.blog.model.server.url_for("").rstrip("/"),
                "PAPERCLIP_RUN_ID": str(self.run.pk),
                "PAPERCLIP_API_KEY": "t",
            },
        )

    def to_its_end(self) -> JobRun:
        assert self.start().wait(120) == 0
        self.row.refresh_from_db()
        return self.row

    @contextmanager
    def killed_at(self, step: str) -> Iterator[None]:
        """Start it, and kill it when it is about to do this."""
        sql(f"SELECT pg_advisory_lock({LOCK})")
        sql(STOP.format(step=step, lock=LOCK))
        try:
            with self.killed(lambda: bool(sql(WAITING))):
                pass
        finally:
            sql(f"SELECT pg_advisory_unlock({LOCK})")
            wait_for(lambda: not sql(WAITING), 10)
            sql(GO_ON)
        yield

    @contextmanager
    def killed(self, when: Any) -> Iterator[None]:
        child = self.start()
        try:
            wait_for(when, 60, lambda: f"it is over: {child.poll()}")
        finally:
            child.kill()
            child.wait()
        yield


WAITING = f"""
SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE objid = {LOCK} AND NOT granted AND datname = current_database()
"""  # noqa: S608


@pytest.mark.parametrize("step", [long("Begins"), long("Writes about"), "Holds"])
def test_killed_on_the_way_to_the_question(blog: Blog, step: str) -> None:
    blog.brief()
    program = Program(blog)
    with program.killed_at(step):
        states = {"Begins": [], "Writes about": ["brief"], "Holds": ["drafted"]}
        assert [*Post.objects.values_list("state", flat=True)] == states[step]
    row = program.to_its_end()
    assert (row.status, blog.post.state) == ("ok", "awaiting_approval"), row.note
    assert (Post.objects.count(), len(blog.model.asked)) == (1, 1)
    assert blog.post.versions.count() == 1
    assert Brief.objects.get().state == "used"


@pytest.mark.parametrize(
    ("step", "state"),
    [
        long("Looks at the repository", "approved"),
        ("Pushes", "committed"),
        long("Asks for the deployment", "pushed"),
        long("Looks for", "deploy_requested"),
        long("Its claims", "deploy_requested"),
    ],
)
def test_killed_on_the_way_to_the_page(blog: Blog, step: str, state: str) -> None:
    blog.with_hook()
    blog.brief()
    blog.run(now())
    post = blog.approve()
    program = Program(blog)
    with program.killed_at(step):
        post.refresh_from_db()
        assert post.state == state
        there = deploys.commits(blog.repository, post.path)
        assert len(there) == (0 if state in ("approved", "committed") else 1)
    row = program.to_its_end()
    post.refresh_from_db()
    assert (row.status, post.state) == ("ok", "live"), (row.note, row.lines)
    assert len(deploys.commits(blog.repository, post.path)) == 1
    assert blog.deployer.hooks == [post.commit]
    row.issue.refresh_from_db()
    assert blog.claims(row) == ["verified"] and row.issue.status == "done"


@pytest.mark.parametrize("name", [long("pre-receive"), "post-receive"])
def test_killed_while_the_repository_takes_it(blog: Blog, name: str) -> None:
    """Before it is there, and when it is there and no row says so."""
    blog.brief()
    blog.run(now())
    post = blog.approve()
    place = blog.repository.parent
    script = f"touch {place}/asked; while [ ! -e {place}/go ]; do sleep 0.05; done"
    deploys.hook(blog.repository, name, script)
    program = Program(blog)
    with program.killed((place / "asked").exists):
        post.refresh_from_db()
        assert post.state == "committed"
    there = deploys.commits(blog.repository, post.path)
    assert len(there) == (1 if name == "post-receive" else 0)
    # The push that was under way lives on, and ends while the next run looks.
    again = program.start()
    (place / "go").touch()
    assert again.wait(120) == 0
    program.row.refresh_from_db()
    post.refresh_from_db()
    assert (program.row.status, post.state) == ("ok", "live"), program.row.note
    assert len(deploys.commits(blog.repository, post.path)) == 1
    assert len(deploys.commits(blog.repository)) == 2


def test_killed_while_it_takes_a_post_offline(blog: Blog) -> None:
    blog.brief()
    blog.run(now())
    post = blog.approve()
    blog.run(now())
    post.refresh_from_db()
    assert post.state == "live"
    post.unpublish(by=blog.person())
    JobRun.objects.live().update(status="noop")  # the run that the click started
    program = Program(blog)
    with program.killed_at("Pushes the end"):
        assert blog.deployer.file(post.path) is not None
    program.to_its_end()
    post.refresh_from_db()
    assert post.state == "unpublished"
    assert blog.deployer.file(post.path) is None
    assert len(deploys.commits(blog.repository)) == 3
