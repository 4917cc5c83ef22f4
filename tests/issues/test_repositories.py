"""Work shared over HTTP: bundles down, branches up, merges of what was approved."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from agents.rehearsal.world import look_up
from issues import repositories, uploads
from issues.models import Issue, Project, WorkProduct
from paperclip import home
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Missing
from paperclip.git import GitError
from paperclip.models import Activity, Company
from tests import make
from tests.clones import Clone, clone
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def project(company: Company) -> Project:
    return make.project(company, name="Our site")


def task(project: Project, **fields: object) -> Issue:
    dev = make.agent(project.company, max_concurrent_runs=2)
    return make.issue(project.company, project=project, assignee_agent=dev, **fields)


def tip(project: Project, branch: str = "main") -> str | None:
    return repositories.of(project).commit_of(branch)


def test_a_clone_begins_with_one_commit(project: Project, tmp_path: Path) -> None:
    issue = task(project)
    mine = clone(tmp_path / "a", issue)
    assert mine.space == {
        "projectId": str(project.pk),
        "branchName": issue.identifier,
        "baseRef": "main",
        "repositoryUrl": f"/api/projects/{project.pk}/repository",
        "branchUrl": f"/api/issues/{issue.pk}/branch",
        "warning": None,
    }
    assert (mine.place / "README.md").read_text() == "# Our site\n"
    context = mine.client.get(f"/api/issues/{issue.pk}/heartbeat-context").json()
    assert context["currentExecutionWorkspace"] == mine.space


def test_a_branch_goes_up_and_others_get_it(project: Project, tmp_path: Path) -> None:
    issue = task(project)
    mine = clone(tmp_path / "a", issue)
    commit = mine.write("site/index.html", "<h1>Hello</h1>\n")
    answer = mine.upload()
    assert answer.status_code == 201, answer.json()
    product = answer.json()
    assert (product["type"], product["externalId"]) == ("branch", issue.identifier)
    assert product["status"] == "active"
    assert product["metadata"]["commit"] == commit
    assert product["metadata"]["files"] == ["site/index.html"]
    assert product["summary"] == "1 file changed, 1 insertion(+)"
    reviewer = clone(tmp_path / "b", task(project))
    text = reviewer.git("show", f"origin/{issue.identifier}:site/index.html")
    assert text == "<h1>Hello</h1>"
    assert tip(project) == product["metadata"]["base"]


def test_the_same_upload_again_changes_nothing(
    project: Project, tmp_path: Path
) -> None:
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "a")
    first, again = mine.upload(), mine.upload()
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    acts = Activity.objects.filter(action="issue.branch_uploaded")
    assert acts.count() == 1
    mine.write("a.txt", "b")
    assert mine.upload().status_code == 200
    assert acts.count() == 2


def test_only_what_is_new_comes_down(project: Project, tmp_path: Path) -> None:
    mine = clone(tmp_path / "a", task(project))
    other = clone(tmp_path / "b", task(project))
    assert mine.fetch(*mine.tips()) == 204
    other.write("big.txt", "\n".join(map(str, range(20_000))))
    other.upload()
    assert mine.fetch(*mine.tips()) == 200
    assert mine.fetch(*mine.tips()) == 204
    assert mine.fetch("f" * 40) == 200
    # A branch that came to stand on a commit one has is news as well.
    repositories.merge(other.issue, by=SYSTEM)
    assert mine.fetch(*mine.tips()) == 200
    assert mine.git("rev-parse", "origin/main") == tip(project)


def test_eight_agents_edit_one_file(project: Project, tmp_path: Path) -> None:
    clones = [clone(tmp_path / str(n), task(project)) for n in range(8)]
    before = tip(project)
    for number, one in enumerate(clones):
        one.write("README.md", f"# Version {number}\n")
        assert one.upload().status_code == 201
    branches = repositories.of(project).branches()
    assert branches.keys() == {"main", *(one.branch for one in clones)}
    assert tip(project) == before
    first, second = clones[0].issue, clones[1].issue
    assert repositories.merge(first, by=SYSTEM).commit == tip(project)
    assert repositories.show(project, "main", "README.md") == b"# Version 0\n"
    merged = tip(project)
    done = repositories.merge(second, by=SYSTEM)
    assert (done.commit, done.conflicts) == (None, ["README.md"])
    assert tip(project) == merged
    # Merging twice is merging once.
    assert repositories.merge(first, by=SYSTEM).commit == merged
    assert Activity.objects.filter(action="issue.branch_merged").count() == 1


def test_branches_of_other_files_are_both_merged(
    project: Project, tmp_path: Path
) -> None:
    one, two = (clone(tmp_path / str(n), task(project)) for n in range(2))
    for clone_, name in (one, "one.txt"), (two, "two.txt"):
        clone_.write(name, name)
        clone_.upload()
        assert repositories.merge(clone_.issue, by=SYSTEM).conflicts == []
    assert repositories.show(project, "main", "one.txt") == b"one.txt"
    assert repositories.show(project, "main", "two.txt") == b"two.txt"
    subjects = [c["subject"] for c in repositories.of(project).log("main")]
    assert subjects[0] == f"Merge {two.branch}: {two.issue.title}"


def test_a_fix_continues_the_branch_it_fixes(project: Project, tmp_path: Path) -> None:
    issue = task(project)
    mine = clone(tmp_path / "a", issue)
    mine.write("a.txt", "wrong")
    mine.upload()
    dev = issue.assignee_agent
    fix = make.issue(
        project.company, parent=issue, assignee_agent=dev, origin_kind="review_fix"
    )
    again = clone(tmp_path / "b", fix)
    assert again.branch == issue.identifier
    again.git("reset", "-q", "--hard", f"origin/{again.branch}")
    commit = again.write("a.txt", "right")
    assert again.upload().json()["issueId"] == str(issue.pk)
    assert issue.work_products.get().metadata["commit"] == commit


def test_a_fix_put_elsewhere_reaches_no_other_branch(
    project: Project, tmp_path: Path
) -> None:
    issue, other = task(project), task(project)
    fix = make.issue(
        project.company,
        parent=issue,
        assignee_agent=issue.assignee_agent,
        origin_kind="review_fix",
        origin_id=str(issue.pk),
    )
    assert repositories.branch_of(fix) == issue.identifier
    mine = clone(tmp_path / "a", fix)
    mine.write("a.txt", "a")
    mine.client.patch(f"/api/issues/{fix.pk}", {"parentId": str(other.pk)})
    fix.refresh_from_db()
    assert fix.parent == other
    assert mine.upload().json()["code"] == "bad_bundle"
    assert tip(project, other.identifier) is None


def test_a_branch_only_moves_forward(project: Project, tmp_path: Path) -> None:
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "a")
    mine.upload()
    mine.git("commit", "-q", "--amend", "-m", "Something else")
    answer = mine.upload()
    assert answer.status_code == 409
    assert answer.json()["code"] == "not_fast_forward"
    assert "Fetch, merge" in answer.json()["error"]


def test_what_is_refused_takes_no_room(project: Project, tmp_path: Path) -> None:
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "a")
    mine.upload()
    bare = repositories.of(project)
    before = bare.git("count-objects", "-v")
    mine.git("reset", "-q", "--hard", mine.base)
    (mine.place / "big").write_bytes(os.urandom(100_000))
    mine.write("b.txt", "b")
    assert mine.upload().json()["code"] == "not_fast_forward"
    assert bare.git("count-objects", "-v") == before
    lonely = Clone(tmp_path / "b", mine.client, task(project))
    lonely.git("checkout", "-q", "--orphan", "lonely")
    (lonely.place / "big").write_bytes(os.urandom(100_000))
    lonely.write("b.txt", "b")
    lonely.git("branch", "-f", lonely.branch)
    lonely.client = make.client_of(make.owner_of(project.company))
    assert lonely.send(lonely.bundle()).json()["code"] == "bad_bundle"
    assert bare.git("count-objects", "-v") == before


def test_what_others_named_gives_way_to_what_git_says(
    project: Project, tmp_path: Path
) -> None:
    mine = clone(tmp_path / "a", task(project))
    commit = mine.write("a.txt", "a")
    facts = {"commit": commit, "base": commit, "files": ["README.md"]}
    body = {"type": "branch", "title": "x", "externalId": mine.branch}
    url = f"/api/issues/{mine.issue.pk}/work-products"
    made = mine.client.post(url, {**body, "metadata": facts, "url": "https://a/b"})
    assert made.status_code == 201
    assert repositories.merge(mine.issue, by=SYSTEM).commit is None
    answer = mine.upload()
    assert answer.status_code == 201
    product = mine.issue.work_products.get()
    assert (product.provider, product.url) == ("git", None)
    assert product.metadata["files"] == ["a.txt"]
    assert product.metadata["base"] == tip(project)


def refused(mine: Clone, data: bytes, code: str) -> str:
    """That it is refused and leaves nothing behind; what was said."""
    bare = repositories.of(mine.issue.project)  # type: ignore[arg-type]
    before = bare.git("for-each-ref"), sorted(p.name for p in home_files())
    answer = mine.send(data)
    assert answer.status_code in (400, 409), answer.content
    assert answer.json()["code"] == code
    assert (bare.git("for-each-ref"), sorted(p.name for p in home_files())) == before
    return str(answer.json()["error"])


def home_files() -> list[Path]:
    return list(home.directory("repositories").iterdir())


def test_what_is_no_bundle_of_the_branch_is_refused(
    project: Project, tmp_path: Path
) -> None:
    mine = clone(tmp_path / "a", task(project))
    commit = mine.write("a.txt", "a")
    mine.git("branch", "evil")
    mine.git("branch", "-f", "main")
    refused(mine, b"", "empty")
    refused(mine, b"# v2 git bundle\n\nPACK", "bad_bundle")
    for spec in (["main"], [mine.branch, "evil"], ["evil"]):
        assert "exactly" in refused(mine, mine.bundle(*spec), "bad_bundle")
    good = mine.bundle()
    refused(mine, good[:-10], "bad_bundle")
    refused(mine, good[:-40] + b"\0" * 40, "bad_bundle")
    mine.write("b.txt", "b")
    short = mine.bundle(f"{commit}..{mine.branch}")
    assert "not here" in refused(mine, short, "missing_prerequisites")
    mine.git("checkout", "-q", "--orphan", "lonely")
    mine.write("c.txt", "c")
    mine.git("branch", "-f", mine.branch, "lonely")
    assert "in common" in refused(mine, mine.bundle(), "bad_bundle")


def test_unsound_objects_are_refused(project: Project, tmp_path: Path) -> None:
    mine = clone(tmp_path / "a", task(project))
    blob = mine.git("hash-object", "-w", "README.md")
    # A file named .git would be obeyed by whoever checks it out.
    inner = tree_of(mine, f"100644 blob {blob}\tconfig")
    root = tree_of(mine, f"40000 tree {inner}\t.git")
    commit = mine.git("commit-tree", root, "-p", mine.base, "-m", "evil")
    mine.git("update-ref", f"refs/heads/{mine.branch}", commit)
    assert "hasDotgit" in refused(mine, mine.bundle(), "bad_bundle")


def tree_of(mine: Clone, line: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(mine.place), "mktree"],
        input=line + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_hooks_and_settings_are_never_obeyed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = clone(tmp_path / "a", task(project))
    trap, hook = tmp_path / "sprung", tmp_path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    account = tmp_path / "gitconfig"
    account.write_text(f"[core]\n\thooksPath = {hook.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(account))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    in_repository = repositories.of(project).path / "hooks" / hook.name
    in_repository.parent.mkdir(exist_ok=True)
    os.link(hook, in_repository)
    mine.write(".gitattributes", "*.txt merge=evil diff=evil\n")
    mine.write("a.txt", "a")
    assert mine.upload().status_code == 201
    assert repositories.merge(mine.issue, by=SYSTEM).conflicts == []
    assert not trap.exists()


def test_a_bundle_has_a_largest_size(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "a")
    monkeypatch.setattr(uploads, "LARGEST", 100)
    assert "larger than 100 bytes" in refused(mine, mine.bundle(), "too_large")


def test_only_who_works_on_it_uploads(project: Project, tmp_path: Path) -> None:
    issue = task(project)
    mine = clone(tmp_path / "a", issue)
    mine.write("a.txt", "a")
    data = mine.bundle()
    url = f"/api/issues/{issue.pk}/branch"
    stranger = make.agent(project.company)

    def send(client: object) -> int:
        answer = client.generic(  # type: ignore[attr-defined]
            "POST", url, data, content_type="application/x-git-bundle"
        )
        return int(answer.status_code)

    run = make.live_run(stranger)[0]
    assert send(make.client_of(stranger, run=run)) == 409
    assert send(make.client_of(stranger)) == 403
    assert send(make.client_of(make.operator(project.company, "viewer"))) == 403
    foreign = make.client_of(make.operator(make.company()))
    assert send(foreign) == 404
    assert foreign.get(mine.space["repositoryUrl"]).status_code == 404
    assert send(mine.client) == 201
    assert send(make.client_of(make.owner_of(project.company))) == 200


def test_nothing_is_uploaded_while_it_is_reviewed(
    project: Project, tmp_path: Path
) -> None:
    company = project.company
    boss = make.agent(company)
    qa = make.agent(company, reports_to=boss)
    dev = make.agent(company, reviewer=qa, reports_to=boss, max_concurrent_runs=2)
    issue = make.issue(company, project=project, assignee_agent=dev)
    mine = clone(tmp_path / "a", issue)
    mine.write("a.txt", "wrong")
    mine.upload()
    by_dev = Actor.of_agent(dev, issue.live_holder())
    issue.change(by=by_dev, status="done", comment="There.")
    by_qa = make.working(qa, issue)
    issue.check_out(qa, by_qa.run, ["in_review"], by=by_qa)
    issue.change(by=by_qa, status="in_progress", comment="It is wrong.")
    fix = issue.children.get()
    again = clone(tmp_path / "b", fix)
    again.git("reset", "-q", "--hard", f"origin/{again.branch}")
    seen = again.write("a.txt", "right")
    assert again.upload().status_code == 200
    fix.change(by=Actor.of_agent(dev, fix.live_holder()), status="done", comment="So.")
    issue.refresh_from_db()
    assert issue.is_under_review
    # Through the closed fix, its own issue and a new fix; and so not by anybody.
    again.write("a.txt", "sneaky")
    other = make.issue(
        company, parent=issue, assignee_agent=dev, origin_kind="review_fix"
    )
    owner = make.client_of(make.owner_of(company))
    reviewer = make.client_of(qa, run=by_qa.run)
    for client, of, code in (
        (again.client, fix, "issue_closed"),
        (again.client, issue, "under_review"),
        (again.client, other, "under_review"),
        (reviewer, issue, "under_review"),
        (owner, issue, "under_review"),
    ):
        again.client, again.space["branchUrl"] = client, f"/api/issues/{of.pk}/branch"
        answer = again.upload()
        assert (answer.status_code, answer.json()["code"]) == (409, code), code
    issue.check_out(qa, by_qa.run, ["in_review"], by=by_qa)
    issue.change(by=by_qa, status="done", comment="Right.")
    assert repositories.show(project, "main", "a.txt") == b"right"
    assert repositories.of(project).holds(seen, str(tip(project)))
    again.client, again.space["branchUrl"] = owner, f"/api/issues/{issue.pk}/branch"
    assert again.upload().json()["code"] == "issue_closed"


def test_an_issue_without_a_project_has_no_branch(company: Company) -> None:
    issue = make.issue(company)
    client = make.client_of(make.owner_of(company))
    assert (
        client.get(f"/api/issues/{issue.pk}").json()["currentExecutionWorkspace"]
        is None
    )
    url = f"/api/issues/{issue.pk}/branch"
    answer = client.generic("POST", url, b"x", content_type="application/octet-stream")
    assert answer.status_code == 422
    assert repositories.merge(issue, by=SYSTEM).commit is None


def test_only_what_is_played_is_shown_to_everybody(company: Company) -> None:
    played = Company.objects.found(
        owner=make.operator(), by=SYSTEM, name="Played", rehearsal=True
    )
    for one in company, played:
        project = make.project(one)
        bare = repositories.ready(project)
        blob = bare.git("hash-object", "-w", "--stdin", given=b"secret").strip()
        tree = bare.git("mktree", given=b"100644 blob %s\tx.html\n" % blob).strip()
        root = bare.git("mktree", given=b"40000 tree %s\tsite\n" % tree).decode()
        commit = bare.git("commit-tree", "-m", "x", root.strip()).decode().strip()
        assert bare.move("main", commit, tip(project))
        status, _, body = look_up(f"/1/{project.pk}/site/x.html")
        assert status.startswith("200" if one == played else "404")
        assert (body == b"secret") is (one == played)


def test_the_main_branch_goes_on_under_another_name(project: Project) -> None:
    repositories.ready(project)
    was = tip(project)
    project.change(by=SYSTEM, default_branch="trunk")
    repositories.ready(project)
    assert tip(project, "trunk") == was


@pytest.mark.parametrize("have", ["main", "abc", "-x", "f" * 40 + ",--all"])
def test_what_one_has_is_named_by_whole_hashes(project: Project, have: str) -> None:
    client = make.client_of(make.owner_of(project.company))
    url = f"/api/projects/{project.pk}/repository"
    assert client.get(url, {"have": have}).status_code == 400


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "", "a\nb", "..", "\0", "nothing", ":README.md"]
)
def test_only_files_of_the_commit_are_shown(project: Project, path: str) -> None:
    repositories.ready(project)
    assert repositories.show(project, "main", path) is None
    assert repositories.show(project, "nowhere", "README.md") is None
    assert repositories.show(project, "--help", "README.md") is None
    assert repositories.show(project, "main", "/README.md") == b"# Our site\n"


def test_a_branch_can_be_looked_at(project: Project, tmp_path: Path) -> None:
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "one\ntwo\n")
    mine.upload()
    product = mine.issue.work_products.get()
    patch, cut = repositories.diff(product)
    assert "+++ b/a.txt" in patch and "+two" in patch and not cut
    assert repositories.diff(product, most=10) == (patch[:10], True)
    assert [one["subject"] for one in repositories.log(product)] == ["Write a.txt"]
    assert repositories.of(project).files("main") == ["README.md"]


def test_what_was_only_named_is_never_asked_of_git(
    project: Project, tmp_path: Path, client: Client
) -> None:
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "one\n")
    mine.upload()
    tip, file = mine.git("rev-parse", "HEAD"), tmp_path / "written"
    client.force_login(make.owner_of(project.company))
    for base in f"--output={file}", 5, None, [tip], tip:
        url = f"/api/issues/{mine.issue.pk}/work-products"
        facts = {"base": base, "commit": f"{tip}~1..{tip}", "files": 5}
        body = {"type": "branch", "title": "Look", "metadata": facts}
        made = mine.client.post(url, body)
        assert made.status_code == 201
        product = WorkProduct.objects.get(pk=made.json()["id"])
        with pytest.raises(Missing):
            repositories.diff(product)
        assert repositories.log(product) == []
        page = client.get(reverse("admin:product", args=[mine.branch, product.pk]))
        assert page.status_code == 200
        assert "not uploaded" in page.content.decode()
    assert not file.exists()


def test_git_is_only_given_whole_hashes(project: Project, tmp_path: Path) -> None:
    bare, file = repositories.ready(project), tmp_path / "written"
    tip = str(bare.commit_of("main"))
    for wrong in f"--output={file}", "", "main", tip[:10], f"{tip}\n", f"{tip}..{tip}":
        asked: list[tuple[Callable[..., object], *tuple[str, ...]]] = [
            (bare.diff, wrong, tip),
            (bare.diff, tip, wrong),
            (bare.change, wrong, tip),
            (bare.change, tip, wrong),
            (bare.holds, wrong, tip),
            (bare.base_of, tip, wrong),
            (bare.merge, "main", wrong, "x"),
            (bare.move, "main", wrong, tip),
            (bare.move, "main", tip, wrong),
        ]
        for ask, *arguments in asked:
            with pytest.raises(GitError, match="full hash"):
                ask(*arguments)
    with pytest.raises(GitError, match="full hash"):
        bare.log("main", since=f"--output={file}")
    assert not file.exists() and bare.commit_of("main") == tip


@pytest.mark.django_db(transaction=True)
def test_many_begin_upload_and_merge_at_once(tmp_path: Path) -> None:
    project = make.project(make.company())
    made = together(8, lambda n: repositories.ready(project).branches()["main"])
    assert {*made} == {tip(project)}
    clones = [clone(tmp_path / str(n), task(project)) for n in range(8)]
    for number, one in enumerate(clones):
        one.write(f"{number}.txt", str(number))
    answers = together(8, lambda n: clones[n].upload().status_code)
    assert answers == [201] * 8
    done = together(8, lambda n: repositories.merge(clones[n].issue, by=SYSTEM))
    assert [one.conflicts for one in done] == [[]] * 8
    for number in range(8):
        assert repositories.show(project, "main", f"{number}.txt") == b"%d" % number
    left = [p.name for p in home_files() if p.name.startswith(".")]
    assert left == []


@pytest.mark.django_db(transaction=True)
def test_of_two_uploads_of_one_branch_none_is_lost(tmp_path: Path) -> None:
    project = make.project(make.company())
    one = clone(tmp_path / "one", task(project))
    # A second clone of the same agent, as after a run that was lost.
    two = Clone(tmp_path / "two", one.client, one.issue)
    for mine in (one, two):
        mine.write("a.txt", mine.place.name)
    codes = together(2, lambda n: (one, two)[n].upload().status_code)
    assert sorted(codes) == [201, 409]
    winner = (one, two)[codes.index(201)]
    assert tip(project, one.branch) == winner.git("rev-parse", "HEAD")
    assert one.issue.work_products.get().metadata["commit"] == tip(project, one.branch)


def test_what_a_killed_process_left_is_removed(
    project: Project, tmp_path: Path
) -> None:
    place = home.directory("repositories")
    old, new = place / ".incoming-old", place / ".bundle-new"
    (old / "objects").mkdir(parents=True)
    new.write_text("being written")
    os.utime(old, (0, 0))
    mine = clone(tmp_path / "a", task(project))
    mine.write("a.txt", "a")
    assert mine.upload().status_code == 201
    assert new.exists() and not old.exists()
    new.unlink()
