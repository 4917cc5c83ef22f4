"""One commit on top of what is there: real repositories, over files and HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketing import publishing
from marketing.jobs.base import Blocked
from marketing.models import Site
from marketing.publishing import Copy, Raced, Remote, Unreached
from paperclip import home
from paperclip.actors import SYSTEM
from paperclip.git.command import askpass, credentials
from tests import make
from tests.clones import git
from tests.gitserver import GitServer, serving
from tests.marketing import deploys, scene
from tests.races import together

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PATH, KEY = "content/blog/a.md", "11111111-1111-4111-8111-111111111111"
MESSAGE = publishing.message("Publish: A", KEY)


@pytest.fixture
def site() -> Site:
    company = make.company(rehearsal=True)
    place = home.directory("worlds", str(company.pk))
    return scene.site(company, repo_url=f"file://{deploys.repository(place)}")


@pytest.fixture
def bare(site: Site) -> Path:
    return Path(site.repo_url.removeprefix("file://"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving(tmp_path / "server") as one:
        yield one


@pytest.fixture
def copy(site: Site) -> Copy:
    return Copy.of(site, Remote.of(site, by=SYSTEM))


def put(copy: Copy, path: str = PATH, text: str = "Text.\n") -> str:
    base = copy.fetch()
    commit = copy.commit(base, {path: text}, MESSAGE, AT)
    copy.push(commit)
    return commit


def test_a_commit_is_on_top_of_what_is_there(copy, bare) -> None:
    commit = put(copy)
    assert copy.remote.head() == commit and copy.holds(commit)
    assert git(bare, "show", f"main:{PATH}") == "Text."
    assert git(bare, "show", "main:README.md") == "# Our site"
    assert f"Post-Key: {KEY}" in git(bare, "log", "-1", "--format=%B", "main")
    assert git(bare, "log", "-1", "--format=%aI", "main") == "2026-11-20T09:00:00+00:00"


def test_the_same_on_the_same_is_the_same_commit(copy) -> None:
    base = copy.fetch()
    one = copy.commit(base, {PATH: "Text.\n"}, MESSAGE, AT)
    assert one == copy.commit(base, {PATH: "Text.\n"}, MESSAGE, AT)
    assert one != copy.commit(base, {PATH: "Other.\n"}, MESSAGE, AT)


def test_several_files_are_one_commit_and_none_is_gone(copy, bare) -> None:
    put(copy)
    base = copy.fetch()
    changes = {PATH: None, "a/b.md": "B\n", "README.md": "# Other\n"}
    commit = copy.commit(base, changes, MESSAGE, AT)
    copy.push(commit)
    assert copy.changed_by(commit) == ["README.md", "a/b.md", PATH]
    assert git(bare, "ls-tree", "-r", "--name-only", "main").split() == [
        "README.md",
        "a/b.md",
    ]


def test_what_is_there_already_is_found(copy, bare, tmp_path) -> None:
    blob = copy.blob_of("Text.\n")
    assert copy.with_key(copy.fetch(), KEY, PATH, blob) == ""
    commit = put(copy)
    assert copy.with_key(copy.fetch(), KEY, PATH, blob) == commit
    # Also when somebody has changed or removed it since.
    git(tmp_path, "clone", "-q", str(bare), "other")
    deploys.add(tmp_path / "other", PATH, "Changed.\n")
    assert copy.with_key(copy.fetch(), KEY, PATH, blob) == commit
    assert copy.with_key(copy.fetch(), KEY, PATH, copy.blob_of("No.\n")) == ""


def test_the_same_bytes_without_a_key_are_adopted(copy, bare, tmp_path) -> None:
    git(tmp_path, "clone", "-q", str(bare), "other")
    by_hand = deploys.add(tmp_path / "other", PATH, "Text.\n")
    deploys.add(tmp_path / "other", "b.md", "B\n")
    blob = copy.blob_of("Text.\n")
    assert copy.with_key(copy.fetch(), KEY, PATH, blob) == by_hand


def test_nothing_is_forced(copy, bare, tmp_path) -> None:
    base = copy.fetch()
    git(tmp_path, "clone", "-q", str(bare), "other")
    theirs = deploys.add(tmp_path / "other", "b.md", "B\n")
    commit = copy.commit(base, {PATH: "Text.\n"}, MESSAGE, AT)
    with pytest.raises(Raced):
        copy.push(commit)
    assert git(bare, "rev-parse", "main") == theirs


@pytest.mark.django_db(transaction=True)
def test_six_publishers_land_all(site, bare) -> None:
    def publish(n: int) -> str:
        # Each has a copy of its own, as workers on several hosts do.
        own = Copy(
            Remote(site.repo_url, "main"), publishing.Bare(f"site-{site.pk}-{n}")
        )
        own.bare.make("main")
        for attempt in range(publishing.TRIES):
            try:
                return put(own, f"content/{n}.md", f"{n}\n")
            except Raced:
                publishing.rest(attempt, 0.05)
        raise AssertionError("it did not land in eight tries")

    done = together(6, publish)
    assert all(isinstance(one, str) for one in done), done
    assert len(deploys.commits(bare)) == 7


@pytest.mark.parametrize(
    ("hook", "script"),
    [
        ("pre-receive", "echo 'GH006: Protected branch update failed'; exit 1"),
        ("update", "echo no; exit 1"),
    ],
)
def test_a_protected_branch_blocks(copy, bare, hook, script) -> None:
    deploys.hook(bare, hook, script)
    with pytest.raises(Blocked, match="Token for the repository"):
        put(copy)
    assert len(deploys.commits(bare)) == 1
    (bare / "hooks" / hook).unlink()
    put(copy)


def test_a_hook_of_ours_is_never_run(copy, tmp_path) -> None:
    place = copy.bare.path / "hooks"
    place.mkdir(exist_ok=True)
    (place / "pre-push").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (place / "pre-push").chmod(0o755)
    put(copy)
    assert not (tmp_path / "ran").exists()


def test_a_branch_that_is_not_there_blocks(site) -> None:
    copy = Copy.of(site, Remote(site.repo_url, "next"))
    with pytest.raises(Blocked, match="no branch next"):
        copy.fetch()


def test_a_repository_that_is_not_there_blocks(site) -> None:
    site.repo_url += ".no"
    with pytest.raises(Blocked):
        Copy.of(site, Remote.of(site, by=SYSTEM)).fetch()


# --- over HTTP ------------------------------------------------------------------------


def over_http(site: Site, server: GitServer, token: str) -> Copy:
    place = server.repository("site.git")
    git(server.root, "clone", "-q", str(place), "first")
    git(server.root / "first", "checkout", "-q", "-b", "main")
    deploys.add(server.root / "first", "README.md", "# Ours\n")
    server.login = "x-access-token:t0ken-0123456789"
    return Copy.of(site, Remote(f"{server.url}/site.git", "main", token))


def test_the_token_is_told_and_kept_nowhere(site, server) -> None:
    before = credentials().read_text() if credentials().exists() else ""
    copy = over_http(site, server, "t0ken-0123456789")
    commit = put(copy)
    assert copy.remote.head() == commit
    after = credentials().read_text() if credentials().exists() else ""
    assert after == before
    kept = [p for p in copy.bare.path.rglob("*") if p.is_file()]
    assert not [p for p in kept if b"t0ken" in p.read_bytes()]
    assert "t0ken" not in askpass().read_text()
    assert askpass().stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("token", ["", "wr0ng-t0ken-42"])
def test_who_is_not_let_in_is_told_so(site, server, token) -> None:
    copy = over_http(site, server, token)
    with pytest.raises(Blocked) as no:
        copy.fetch()
    assert "wr0ng" not in str(no.value)


def test_a_server_that_is_away_is_no_refusal(site, server) -> None:
    copy = over_http(site, server, "t0ken-0123456789")
    server.broken = True
    with pytest.raises(Unreached):
        copy.fetch()


# --- what may be set ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repo_url": ""}, "is not set"),
        ({"repo_url": "https://user:pass@github.com/a/b.git"}, "without a password"),
        ({"repo_url": "https://github.com/a/b?token=x"}, "without a password"),
        ({"repo_url": "https://github.com/a/b.git"}, "this company rehearses"),
        ({"repo_url": "file:///etc"}, "without a password"),
        ({"repo_url": "ext::sh -c id"}, "without a password"),
        ({"repo_url": "--upload-pack=id"}, "without a password"),
        ({"repo_branch": "--force"}, "no name of a branch"),
        ({"post_path": "content/post.md"}, "need {slug}"),
        ({"post_path": "../{slug}.md"}, "no path"),
        ({"post_path": ".git/hooks/{slug}"}, "no path"),
        ({"post_path": "/etc/{slug}"}, "no path"),
        ({"post_path": "a b/{slug}"}, "no path"),
    ],
)
def test_a_setting_that_leads_elsewhere_blocks(site, fields, said) -> None:
    for name, value in fields.items():
        setattr(site, name, value)
    with pytest.raises(Blocked, match=re.escape(said)):
        Remote.of(site, by=SYSTEM)


def test_another_companys_world_is_none_of_ours(site) -> None:
    other = make.company(rehearsal=True)
    place = home.directory("worlds", str(other.pk))
    site.repo_url = f"file://{place}/site.git"
    with pytest.raises(Blocked):
        Remote.of(site, by=SYSTEM)
    site.repo_url = f"file://{publishing.worlds(site)}/../{other.pk}/site.git"
    with pytest.raises(Blocked):
        Remote.of(site, by=SYSTEM)


def test_a_real_company_has_no_file_for_a_repository(site) -> None:
    site.company.rehearsal = False
    with pytest.raises(Blocked, match="without a password"):
        Remote.of(site, by=SYSTEM)
