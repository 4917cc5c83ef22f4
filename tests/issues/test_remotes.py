"""Projects with a remote: a real git server, reached over HTTP."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils.timezone import now

from agents.models import Approval, EffectPolicy, Run
from issues import remotes, repositories
from issues.models import Issue, Project, WorkProduct
from paperclip.actors import SYSTEM
from paperclip.exceptions import Refused
from paperclip.git.command import credentials
from paperclip.models import Activity, Company, Instance
from tests import make
from tests.clones import Clone, clone, git
from tests.gitserver import GitServer, serving
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving(tmp_path / "server") as one:
        yield one


@pytest.fixture
def theirs(server: GitServer, tmp_path: Path) -> Path:
    """The remote repository, with one commit of somebody else's."""
    place = server.repository("site.git")
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(place), str(other))
    commit(other, "index.html", "<h1>One</h1>")
    return place


def trusting() -> Company:
    """A company whose work is pushed without asking."""
    company = make.company(ask_after_outside_text=False)
    EffectPolicy.objects.put(company, "push_protected_branch", "allow", by=SYSTEM)
    return company


@pytest.fixture
def project(server: GitServer, theirs: Path) -> Project:
    return make.project(trusting(), repo_url=f"{server.url}/site.git")


def commit(other: Path, name: str, text: str) -> str:
    """Somebody else commits and pushes."""
    (other / name).write_text(text)
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", f"Write {name}")
    git(other, "push", "-q", "origin", "HEAD:main")
    return git(other, "rev-parse", "HEAD")


def task(project: Project) -> Issue:
    dev = make.agent(project.company)
    return make.issue(project.company, project=project, assignee_agent=dev)


def a_minute_later(project: Project) -> None:
    state = repositories.of(project).path / "paperclip-fetched"
    old = state.stat().st_mtime - remotes.FRESH - 1
    os.utime(state, (old, old))


def uploaded(place: Path, project: Project, name: str = "a.txt") -> Clone:
    mine = clone(place, task(project))
    mine.write(name, f"{name} of {mine.branch}")
    assert mine.upload().status_code == 201
    return mine


def product_of(mine: Clone) -> WorkProduct:
    return mine.issue.work_products.get()


def test_a_clone_has_what_the_remote_has(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    mine = clone(tmp_path / "a", task(project))
    assert (mine.place / "index.html").read_text() == "<h1>One</h1>"
    new = commit(tmp_path / "other", "index.html", "<h1>Two</h1>")
    assert mine.fetch(*mine.tips()) == 204  # looked at less than a minute ago
    a_minute_later(project)
    assert mine.fetch(*mine.tips()) == 200
    assert mine.git("rev-parse", "origin/main") == new


def test_an_uploaded_branch_is_pushed(
    project: Project, theirs: Path, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project)
    assert product_of(mine).status == "pushing"
    main = git(theirs, "rev-parse", "main")
    remotes.push_waiting()
    assert product_of(mine).status == "pushed"
    assert git(theirs, "show", f"{mine.branch}:a.txt") == f"a.txt of {mine.branch}"
    assert git(theirs, "rev-parse", "main") == main
    act = Activity.objects.get(action="issue.branch_pushed")
    assert act.actor_type == "system"
    # Again is the same.
    remotes.push(product_of(mine))
    assert Activity.objects.filter(action="issue.branch_pushed").count() == 1


def test_nothing_is_pushed_while_it_is_stopped(
    project: Project, theirs: Path, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project)
    instance = Instance.objects.current()
    instance.stop(by=SYSTEM)
    remotes.push_waiting()
    instance.resume(by=SYSTEM)
    project.company.pause(by=SYSTEM)
    remotes.push_waiting()
    assert product_of(mine).status == "pushing"
    project.company.resume(by=SYSTEM)
    remotes.push_waiting()
    assert product_of(mine).status == "pushed"


@pytest.mark.django_db(transaction=True)
def test_a_stop_during_one_push_holds_the_next_back(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    ours = [uploaded(tmp_path / name, project, f"{name}.txt") for name in "ab"]

    def stop_and_answer(request: Any, address: Any) -> None:
        Instance.objects.current().stop(by=SYSTEM)
        connection.close()
        GitServer.finish_request(server, request, address)

    server.finish_request = stop_and_answer  # type: ignore[method-assign]
    remotes.push_waiting()
    assert sorted(product_of(one).status for one in ours) == ["pushed", "pushing"]


def test_what_was_approved_is_pushed_with_what_came_meanwhile(
    project: Project, theirs: Path, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project)
    commit(tmp_path / "other", "news.html", "News")
    assert repositories.merge(mine.issue, by=SYSTEM).conflicts == []
    remotes.push_waiting()
    product = product_of(mine)
    assert (product.status, product.review_state) == ("pushed", "approved")
    assert git(theirs, "show", "main:a.txt") == f"a.txt of {mine.branch}"
    assert git(theirs, "show", "main:news.html") == "News"


def test_what_others_push_to_a_branch_is_not_merged_with_it(
    project: Project, theirs: Path, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project)
    remotes.push_waiting()
    other = tmp_path / "other"
    git(other, "fetch", "-q", "origin", mine.branch)
    git(other, "checkout", "-q", "FETCH_HEAD")
    (other / "sneaky.txt").write_text("unseen")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "Sneak")
    git(other, "push", "-q", "origin", f"HEAD:{mine.branch}")
    a_minute_later(project)
    assert mine.fetch(*mine.tips()) == 200
    moved = git(other, "rev-parse", "HEAD")
    assert repositories.of(project).commit_of(mine.branch) == moved
    assert repositories.merge(mine.issue, by=SYSTEM).conflicts == []
    assert repositories.show(project, "main", "a.txt") is not None
    assert repositories.show(project, "main", "sneaky.txt") is None


def test_an_empty_remote_gets_its_first_commit(
    server: GitServer, tmp_path: Path
) -> None:
    place = server.repository("new.git")
    project = make.project(trusting(), repo_url=f"{server.url}/new.git")
    mine = uploaded(tmp_path / "a", project)
    remotes.push_waiting()
    assert product_of(mine).status == "pushed"
    assert git(place, "show", "main:README.md") == f"# {project.name}"


def test_an_unreachable_remote_is_explained_and_the_last_state_served(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    server.broken = True
    client = make.client_of(make.owner_of(project.company))
    url = f"/api/projects/{project.pk}/repository"
    refused = client.get(url)
    assert (refused.status_code, refused.json()["code"]) == (409, "remote_unusable")
    assert "500" in refused.json()["error"]
    server.broken = False
    assert client.get(url).json() == refused.json()  # it is not asked again at once
    a_minute_later(project)
    assert client.get(url).status_code == 200
    server.broken = True
    a_minute_later(project)
    assert client.get(url).status_code == 200
    mine = clone(tmp_path / "a", task(project))
    assert "cannot be used" in mine.space["warning"]


def test_a_push_is_tried_again_and_given_up_in_the_end(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project)
    server.broken = True
    remotes.push_waiting()
    product = product_of(mine)
    assert (product.status, product.metadata["tries"]) == ("pushing", 1)
    assert "500" in product.metadata["pushError"]
    remotes.push_waiting()  # too soon
    assert product_of(mine).metadata["tries"] == 1
    for _ in range(remotes.TRIES):
        WorkProduct.objects.update(updated_at=now() - timedelta(hours=1))
        remotes.push_waiting()
    product = product_of(mine)
    assert (product.status, product.metadata["tries"]) == ("push_failed", remotes.TRIES)
    act = Activity.objects.get(action="issue.branch_push_failed")
    assert "500" in act.details["reason"]
    # The next upload is a new beginning.
    server.broken = False
    mine.write("b.txt", "b")
    assert mine.upload().json()["status"] == "pushing"
    remotes.push_waiting()
    assert product_of(mine).status == "pushed"


def test_one_bad_row_does_not_stop_the_others(
    project: Project, theirs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issue = task(project)
    rows = WorkProduct.objects
    named = {"type": "branch", "project": project, "status": "pushing"}
    of = {"issue": issue, "company": project.company, **named}
    # As an agent could have named them once: not ours, so never pushed.
    rows.create(**of, title="x", external_id="*", metadata={"tries": 5000})
    rows.create(
        **of, title="b", external_id="b", provider="git", metadata={"tries": {}}
    )
    often = rows.create(
        **of, title="c", external_id="c", provider="git", metadata={"tries": 5000}
    )
    mine = uploaded(tmp_path / "a", project)
    remotes.push_waiting()
    assert product_of(mine).status == "pushed"
    assert caplog.text.count("could not push") == 1
    assert git(theirs, "branch", "--format=%(refname:short)").split() == [
        mine.branch,
        "main",
    ]
    assert not remotes.is_due(often)
    often.updated_at -= timedelta(hours=1)
    assert remotes.is_due(often)


def test_contradictions_with_the_remote_are_named(
    project: Project, theirs: Path, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project, "index.html")
    commit(tmp_path / "other", "index.html", "<h1>Mine!</h1>")
    before = git(theirs, "rev-parse", "main")
    assert repositories.merge(mine.issue, by=SYSTEM).conflicts == []
    remotes.push_waiting()
    product = product_of(mine)
    assert product.status == "pushing"
    assert "index.html" in product.metadata["pushError"]
    assert git(theirs, "rev-parse", "main") == before


def test_only_the_control_plane_knows_the_password(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    server.login = "bot:s3cret"
    client = make.client_of(make.owner_of(project.company))
    url = f"/api/projects/{project.pk}/repository"
    assert client.get(url).status_code == 409
    a_minute_later(project)
    credentials().write_text(f"http://bot:s3cret@127.0.0.1:{server.server_port}\n")
    try:
        mine = uploaded(tmp_path / "a", project)
        remotes.push_waiting()
        assert product_of(mine).status == "pushed"
        kept = [repositories.of(project).path, mine.place]
        found = [p for place in kept for p in place.rglob("*") if p.is_file()]
        assert not [p for p in found if b"s3cret" in p.read_bytes()]
    finally:
        credentials().unlink()


def test_a_default_branch_that_is_not_there_is_explained(
    project: Project,
) -> None:
    project.change(by=SYSTEM, default_branch="trunk")
    client = make.client_of(make.owner_of(project.company))
    answer = client.get(f"/api/projects/{project.pk}/repository")
    assert answer.status_code == 409
    assert "no branch trunk" in answer.json()["error"]
    # Another setting is tried at once.
    project.change(by=SYSTEM, default_branch="main")
    url = f"/api/projects/{project.pk}/repository"
    assert client.get(url).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_silent_remote_holds_up_one_request_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remotes, "PATIENCE", 4.0)
    monkeypatch.setattr(remotes, "IN_LINE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        project = make.project(trusting(), repo_url=f"http://127.0.0.1:{port}/x")
        done = together(4, lambda n: timed(project))
        codes, seconds = zip(*sorted(done), strict=True)
        assert codes == (*["remote_busy"] * 3, "remote_unusable")
        assert max(seconds[:3]) < 3.5 < seconds[3]
        # It is known by now, and nobody waits again.
        code, took = timed(project)
        assert code == "remote_unusable" and took < 2
        # Where something was fetched before, that is served meanwhile.
        bare = repositories.of(project)
        bare.begin("main", "# Here\n")
        a_minute_later(project)
        done = together(3, lambda n: timed(project))
        assert [code for code, _ in done] == [""] * 3
        assert sorted(took for _, took in done)[1] < 3.5


def timed(project: Project) -> tuple[str, float]:
    """The code of the refusal, and how many seconds it took."""
    began, code = time.monotonic(), ""
    try:
        repositories.ready(project)
    except Refused as no:
        code = no.code
    return code, time.monotonic() - began


# --- what may leave ----------------------------------------------------------------


def asks(project: Project, effect: str, rule: str = "ask") -> None:
    EffectPolicy.objects.put(project.company, effect, rule, by=SYSTEM)


def branches(server: GitServer) -> str:
    place = server.root / "site.git"
    return git(place, "for-each-ref", "--format=%(refname:short)")


def test_a_branch_waits_for_a_person(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    asks(project, "push_branch")
    mine = uploaded(tmp_path / "a", project)
    for _ in range(3):
        remotes.push_waiting()
    assert mine.branch not in branches(server)
    approval = Approval.objects.get()
    assert (approval.type, approval.requested_by_agent) == ("publish", None)
    assert approval.issue_links.get().issue == mine.issue
    assert approval.payload["commit"] == product_of(mine).metadata["commit"]
    assert "A person was asked" in product_of(mine).metadata["pushError"]
    approval.decide("approved", by=make.by(make.operator(project.company)))
    remotes.push_waiting()
    assert product_of(mine).status == "pushed" and mine.branch in branches(server)
    approval.refresh_from_db()
    assert approval.used_at is not None


def test_what_a_person_refuses_is_not_pushed(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    asks(project, "push_branch")
    mine = uploaded(tmp_path / "a", project)
    remotes.push_waiting()
    person = make.by(make.operator(project.company))
    Approval.objects.get().decide("rejected", by=person, note="Not yet.")
    remotes.push_waiting()
    product = product_of(mine)
    assert (
        product.status == "push_failed" and "Not yet." in product.metadata["pushError"]
    )
    assert mine.branch not in branches(server)


def test_an_approval_is_for_that_commit_only(project: Project, tmp_path: Path) -> None:
    asks(project, "push_branch")
    mine = uploaded(tmp_path / "a", project)
    remotes.push_waiting()
    person = make.by(make.operator(project.company))
    Approval.objects.get().decide("approved", by=person)
    mine.write("b.txt", "More.")
    mine.upload()
    remotes.push_waiting()
    assert product_of(mine).status == "pushing"
    assert Approval.objects.filter(status="pending").count() == 1


def test_a_run_that_read_outside_text_does_not_push_by_itself(
    project: Project, server: GitServer, tmp_path: Path
) -> None:
    mine = uploaded(tmp_path / "a", project)
    Run.objects.update(outside="page https://evil.example/")
    project.company.change(by=SYSTEM, ask_after_outside_text=True)
    remotes.push_waiting()
    assert mine.branch not in branches(server)
    assert "evil.example" in product_of(mine).metadata["pushError"]
