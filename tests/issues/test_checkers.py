"""Each checker looks for itself, and keeps to its limits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import sandbox
from agents.models import Secret, SecretBinding
from issues import check_secrets, checking, parameters, verdicts
from issues.checkers import CHECKERS, checker_class
from issues.checkers.base import Job, Result
from issues.checkers.program import KEPT
from issues.models import Check, Claim, Criterion, Evidence, Issue
from paperclip import processes
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.git import Bare, lay_out
from paperclip.models import Activity, Company
from tests import make
from tests.certificates import Certificates
from tests.issues.evidence import RIGHT, dev, project, worked_on
from tests.mailserver import LOGIN, Store, mail
from tests.mailserver import settings as mailbox
from tests.pageserver import Site, site

pytestmark = pytest.mark.django_db(transaction=True)


def asked(issue: Issue, kind: str, place: Path, **told: Any) -> Result:
    """What this checker finds about the issue."""
    form = checker_class(kind).Settings(data=told)
    assert form.is_valid(), form.errors
    named = told.pop("named", [])
    claim = issue.claims.first() or Claim.objects.create(
        issue=issue,
        company=issue.company,
        agent=issue.assignee_agent,
        status="pending",
        evidence=named,
    )
    place.mkdir(exist_ok=True)
    job = Job(told, issue, claim, place, lambda: None)
    return checker_class(kind)().check(job)


def test_the_table_is_whole() -> None:
    assert set(CHECKERS) == {
        *("command", "http", "git", "file", "mail", "children", "human"),
    }
    for kind in CHECKERS:
        assert checker_class(kind)().in_words({})


# --- command -------------------------------------------------------------------------


@pytest.fixture
def branch(tmp_path: Path) -> Issue:
    worker = dev()
    issue = make.issue(
        worker.company,
        project=project(worker.company, tmp_path / "first"),
        assignee_agent=worker,
    )
    worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    return issue


def runs(issue: Issue, place: Path, script: str, **more: Any) -> Result:
    return asked(issue, "command", place, command=["sh", "-c", script], **more)


def test_a_command_keeps_to_its_limits(branch: Issue, tmp_path: Path) -> None:
    began = time.monotonic()
    slow = runs(branch, tmp_path / "a", "sleep 60 & sleep 60", seconds=1)
    assert slow.outcome == "failed" and "took longer than 1 s" in slow.said
    assert time.monotonic() - began < 20
    loud = runs(branch, tmp_path / "b", "yes | head -c 30000000; exit 0")
    assert loud.outcome == "failed" and "printed more than" in loud.said
    assert len(loud.facts["output"]) < 40_000
    mark = {"PAPERCLIP_CHECK_ID": str(branch.claims.get().pk)}
    assert processes.carriers(mark) == []


def test_a_command_starts_not_too_many(
    branch: Issue, tmp_path: Path, settings: Any
) -> None:
    settings.MOST_PROCESSES = 10
    many = runs(branch, tmp_path / "a", "for n in $(seq 30); do sleep 60 & done; wait")
    assert many.outcome == "unable" and "more than 10 processes" in many.said
    mark = {"PAPERCLIP_CHECK_ID": str(branch.claims.get().pk)}
    assert processes.carriers(mark) == []


EATS = "import time; kept = [bytearray(8 << 20) for _ in range({})]; time.sleep(60)"


@pytest.mark.parametrize(
    "script",
    [
        f"python3 -c '{EATS.format(30)}'",
        f"for n in 1 2 3 4 5 6; do python3 -c '{EATS.format(6)}' & done; wait",
        "head -c 300000000 /dev/zero > /tmp/it; sleep 60",
        "head -c 300000000 /dev/zero > /dev/shm/it; sleep 60",
    ],
    ids=["one", "together", "files", "shared"],
)
def test_a_command_takes_not_too_much_memory(
    branch: Issue, tmp_path: Path, settings: Any, script: str
) -> None:
    settings.CHECK_MEMORY_MB = 150
    found = runs(branch, tmp_path / "a", script, seconds=30)
    assert found.outcome == "unable", found
    assert "took more than 150 MB of memory" in found.said
    # The worker goes on with the next.
    assert runs(branch, tmp_path / "b", "exit 0").outcome == "passed"


def test_one_process_cannot_ask_for_more_than_twice(
    branch: Issue, tmp_path: Path, settings: Any
) -> None:
    settings.CHECK_MEMORY_MB = 150
    script = "python3 -c 'bytearray(1 << 30)'; cat /proc/self/oom_score_adj; exit 1"
    found = runs(branch, tmp_path / "a", script)
    assert found.outcome == "failed"
    assert "MemoryError" in found.said and "1000" in found.said


def test_a_command_sees_nothing_of_ours(branch: Issue, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    look = f"cat {tmp_path}/secret; ls $PAPERCLIP_HOME/secrets; env; echo > /usr/x"
    found = runs(branch, tmp_path / "a", f"{look}; exit 0")
    assert found.outcome == "passed"
    output = found.facts["output"]
    assert "canary" not in output and "DATABASE_URL" not in output
    outside = runs(branch, tmp_path / "b", "python3 -c 'import socket as s;"
        " s.create_connection((\"1.1.1.1\", 53), 2)'")  # fmt: skip
    assert outside.outcome == "failed"


def test_a_receipt_holds_no_secret_of_an_agent(branch: Issue, tmp_path: Path) -> None:
    """Not where the output is cut, either."""
    value = "canary-" + "0123456789" * 3
    secret = Secret.objects.keep(branch.company, by=SYSTEM, name="Key", value=value)
    version = secret.read(by=SYSTEM, use="a test")
    version.held_by.add(make.agent(branch.company))
    split = KEPT - 10
    script = (
        f"head -c {split} /dev/zero | tr '\\0' x; printf '%s' $1; seq 20000; exit 1"
    )
    check = Check.objects.define(
        branch.company,
        by=SYSTEM,
        key="loud",
        type="command",
        title="Loud",
        settings={"command": ["sh", "-c", script, "sh", "{it}"]},
        parameters=[{"name": "it", "type": "text"}],
    )
    row = Criterion.objects.add(
        branch, by=SYSTEM, check=check, parameters={"it": value}
    )
    found = checking.look(branch, branch.claims.first() or claim_of(branch), row)
    assert found.outcome == "failed" and "***" in found.facts["output"]
    assert "canary" not in str(found) and "0123456" not in found.facts["output"][:KEPT]


def claim_of(issue: Issue) -> Claim:
    return Claim.objects.create(
        issue=issue, company=issue.company, agent=issue.assignee_agent, status="pending"
    )


def test_a_program_that_is_not_there_is_nobodys_fault(
    branch: Issue, tmp_path: Path
) -> None:
    found = asked(branch, "command", tmp_path / "a", command=["no-such-program"])
    assert found.outcome == "unable" and "cannot be run here" in found.said


def test_without_a_sandbox_nothing_is_run(
    branch: Issue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = sandbox.State(False, "", "There is no bwrap.")
    monkeypatch.setattr(sandbox, "_seen", (time.monotonic() + 60, gone))
    found = runs(branch, tmp_path / "a", "exit 0")
    assert found.outcome == "unable" and "There is no bwrap" in found.said


# --- a checkout of one's own ------------------------------------------------------


def committed(bare: Bare, files: dict[str, tuple[str, str]]) -> str:
    """A commit of these files: mode and content by name."""
    lines = []
    for name, (mode, text) in files.items():
        blob = bare.git("hash-object", "-w", "--stdin", given=text.encode())
        lines.append(f"{mode} {blob.decode().strip()}\t{name}")
    index = bare.path / "index"
    index.unlink(missing_ok=True)
    given = "\n".join([*lines, ""]).encode()
    bare.git("update-index", "--add", "--index-info", given=given)
    tree = bare.git("write-tree").decode().strip()
    return bare.git("commit-tree", tree, "-m", "x").decode().strip()


@pytest.fixture
def bare() -> Bare:
    made = Bare(f"layout-{os.urandom(4).hex()}")
    made.make("main", "# One\n")
    return made


def test_own_files_are_those_of_the_base(bare: Bare, tmp_path: Path) -> None:
    plain, link = "100644", "120000"
    base = committed(
        bare,
        {
            "tests/test_a.py": (plain, "base"),
            "lib/deep/conftest.py": (plain, "base"),
            "setup.cfg": (plain, "base"),
            "a.py": (plain, "old"),
        },
    )
    outside = tmp_path / "outside"
    outside.mkdir()
    commit = committed(
        bare,
        {
            "tests": (link, str(outside)),  # in the place of a directory
            "lib/deep/conftest.py": (plain, "weaker"),
            "conftest.py": (plain, "new and weaker"),
            "setup.cfg/x": (plain, "a directory"),
            "a.py": (plain, "new"),
            ".gitattributes": (plain, "*.py working-tree-encoding=UTF-16\n"),
        },
    )
    place = tmp_path / "place"
    place.mkdir()
    own = ["tests", "**/conftest.py", "setup.cfg"]
    digest = lay_out(bare, commit, place, own=own, base=base)
    found = {
        str(file.relative_to(place)): file.read_text()
        for file in place.rglob("*")
        if file.is_file()
    }
    assert found == {
        "tests/test_a.py": "base",
        "lib/deep/conftest.py": "base",
        "setup.cfg": "base",
        "a.py": "new",
        ".gitattributes": "*.py working-tree-encoding=UTF-16\n",
    }
    assert list(outside.iterdir()) == []
    again = tmp_path / "again"
    again.mkdir()
    assert lay_out(bare, commit, again, own=own, base=base) == digest
    other = tmp_path / "other"
    other.mkdir()
    assert lay_out(bare, commit, other) != digest


# --- http ----------------------------------------------------------------------------


@pytest.fixture
def pages() -> Iterator[Site]:
    with site() as server:
        yield server


def test_a_page_answers_and_says_it(pages: Site, tmp_path: Path) -> None:
    issue = make.issue()
    pages.pages["/a"] = b"Hello there"
    url = f"{pages.url}/a"
    good = asked(issue, "http", tmp_path, url=url, contains="Hello")
    assert good.outcome == "passed" and good.facts["status"] == 200
    assert len(good.facts["digest"]) == 64
    wrong = asked(issue, "http", tmp_path, url=url, contains="Bye")
    assert wrong.outcome == "failed" and "does not contain" in wrong.said
    gone = asked(issue, "http", tmp_path, url=f"{pages.url}/b")
    assert gone.said == f"{pages.url}/b answers 404, not 200."
    meant = asked(issue, "http", tmp_path, url=f"{pages.url}/b", status=404)
    assert meant.outcome == "passed"
    pages.pages["/big"] = b"x" * 3_000_000
    big = asked(issue, "http", tmp_path, url=f"{pages.url}/big")
    assert big.outcome == "failed" and "more than" in big.said
    dead = asked(issue, "http", tmp_path, url="http://127.0.0.1:1/")
    assert dead.outcome == "failed" and "does not answer" in dead.said


def test_a_page_leads_nowhere_else(pages: Site, tmp_path: Path) -> None:
    issue = make.issue()
    pages.pages["/new"] = b"Hello"
    pages.sends_on = {"/old": "/new", "/round": "/round"}
    moved = asked(issue, "http", tmp_path, url=f"{pages.url}/old")
    assert moved.facts["finalUrl"] == f"{pages.url}/new"
    with site() as other:
        pages.sends_on["/away"] = f"{other.url}/x"
        away = asked(issue, "http", tmp_path, url=f"{pages.url}/away")
        assert away.outcome == "failed" and "another server" in away.said
        assert other.asked == []
    assert "on and on" in asked(issue, "http", tmp_path, url=f"{pages.url}/round").said


# --- git and files -----------------------------------------------------------------


def test_git_says_what_was_handed_over(branch: Issue, tmp_path: Path) -> None:
    def git(**told: Any) -> Result:
        return asked(branch, "git", tmp_path / "x", **told)

    assert git(changes=["tool.py"], untouched=["tests"]).outcome == "passed"
    assert git(changes=["site"]).said == "The branch does not change site."
    assert git(untouched=["*.py"]).said == "The branch changes tool.py."
    assert git(merged=True).said == "The branch is not merged."
    bare_issue = make.issue(branch.company)
    nothing = asked(bare_issue, "git", tmp_path / "y")
    assert nothing.outcome == "failed" and "No branch" in nothing.said


def test_a_file_or_a_document_is_there(branch: Issue, tmp_path: Path) -> None:
    def file(**told: Any) -> Result:
        return asked(branch, "file", tmp_path / "x", **told)

    assert file(path="tool.py", contains="def add").outcome == "passed"
    assert file(path="tool.py", contains="def sub").outcome == "failed"
    assert file(path="nothing.py").said == "There is no nothing.py."
    assert file(document="report").said == "There is no document report."
    owner = make.by(make.owner_of(branch.company))
    documents = branch.documents.model.objects
    documents.write(branch, "report", by=owner, body="What was done.")
    good = file(document="report", at_least=5)
    assert good.outcome == "passed" and good.facts["revision"] == 1
    assert "only 14 characters" in file(document="report", at_least=50).said


# --- mail ----------------------------------------------------------------------------


@pytest.fixture
def box() -> Iterator[Store]:
    with mail() as (store, _smtp, imap):
        store.port = imap
        yield store


def letter(to: str, subject: str, message_id: str) -> bytes:
    head = f"From: p@example.com\r\nTo: {to}\r\nSubject: {subject}\r\n"
    return f"{head}Message-ID: {message_id}\r\n\r\nHello.\r\n".encode()


def press(company: Company, settings: dict[str, Any]) -> Check:
    return Check.objects.define(
        company,
        by=SYSTEM,
        key=f"mail-{Check.objects.count()}",
        type="mail",
        title="It is sent",
        settings=settings,
    )


def posted(issue: Issue, box: Store, password: str = LOGIN[1], **told: Any) -> Result:
    """What a check of the catalogue finds in the mailbox."""
    settings = {**mailbox(issue.company, box.port, password), **told}
    return checked_by(press(issue.company, settings), issue)


def test_a_mail_is_looked_up(box: Store, tmp_path: Path) -> None:
    issue = make.issue()
    ann = {"to": "ann@example.org", "subject": "Über uns"}
    assert posted(issue, box, **ann).outcome == "failed"
    encoded = "=?utf-8?q?Re=3A_=C3=9Cber_uns?="
    box.put(letter("Bob <bob@example.org>", encoded, "<1@x>"))
    box.put(letter("Ann <ann@example.org>", "Something else", "<2@x>"))
    assert posted(issue, box, **ann).outcome == "failed"
    box.put(letter("Bob <b@x.org>, Ann <ANN@example.org>", encoded, "<3@x>"))
    found = posted(issue, box, **ann)
    assert found.outcome == "passed" and found.facts["messageId"] == "<3@x>"
    assert len(found.facts["digest"]) == 64


def test_a_mail_nobody_can_read_hides_no_other(box: Store) -> None:
    issue = make.issue()
    box.put(letter("ann@example.org", "Hello", "<(comment)@us.example>"))
    none = posted(issue, box, to="ann@example.org", subject="Hello")
    assert none.outcome == "failed" and "has no Message-ID" in none.said
    box.letters.insert(0, (time.time(), letter("ann@example.org", "Hello", "<1@x>")))
    found = posted(issue, box, to="ann@example.org", subject="Hello")
    assert found.outcome == "passed" and found.facts["messageId"] == "<1@x>"


def test_an_old_mail_is_no_proof(box: Store, tmp_path: Path) -> None:
    box.put(letter("ann@example.org", "Hello", "<1@x>"), at=time.time() - 3 * 86_400)
    box.put(letter("ann@example.org", "Hello", "<2@x>"), at=time.time() - 60)
    issue = make.issue()
    assert posted(issue, box, to="ann@example.org").outcome == "failed"


def test_a_mail_proves_one_issue_only(box: Store, tmp_path: Path) -> None:
    company = make.company()
    issues = [make.issue(company) for _ in range(2)]
    box.put(letter("ann@example.org", "Hello", "<1@x>"))
    first = posted(issues[0], box, to="ann@example.org")
    Evidence.objects.create(
        issue=issues[0], company=company, title="x", type="mail", outcome="passed",
        said="", state="", proof=first.facts["messageId"],
        began_at=issues[0].created_at,
    )  # fmt: skip
    assert posted(issues[0], box, to="ann@example.org").outcome == "passed"
    second = posted(issues[1], box, to="ann@example.org")
    assert second.outcome == "failed" and "another issue already" in second.said


def test_of_two_that_are_concluded_with_the_same_mail_one_is_proven(
    box: Store, tmp_path: Path
) -> None:
    company = make.company()
    told, claims = [], []
    for _ in range(2):
        issue = make.issue(company)
        check = press(company, {**mailbox(company, box.port), "to": "ann@example.org"})
        check_secrets.bind(check, by=SYSTEM)
        Criterion.objects.add(issue, by=SYSTEM, check=check)
        claims.append(verdicts.check_again(issue, by=make.by(make.operator(company))))
    box.put(letter("ann@example.org", "Hello", "<1@x>"))
    for claim in claims:  # both have looked before either is concluded
        claim = Claim.objects.take("here", 9)
        issue = Issue.objects.get(pk=claim.issue_id)
        told.append((claim, issue.stand(), list(checking.looks_at(issue, claim))))
    for each in told:
        verdicts.conclude(*each)
    states = [Claim.objects.get(pk=claim.pk).status for claim in claims]
    assert sorted(states) == ["refused", "verified"]


def test_a_mailbox_nobody_can_open_is_a_persons_business(box: Store) -> None:
    issue = make.issue()
    refused = posted(issue, box, password="not-the-password")
    assert refused.outcome == "unable" and "does not take the user" in refused.said
    assert "no folder" in posted(issue, box, folder="Nowhere").said


def checked_by(check: Check, issue: Issue) -> Result:
    criterion = Criterion.objects.add(issue, by=SYSTEM, check=check)
    return checking.look(issue, Claim(issue=issue, company=issue.company), criterion)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mailbox_is_opened_over_tls_by_whom_one_can_believe(
    security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = Certificates()
    said = {
        "expired": "has expired: ask your provider to renew it",
        "other host": "of another server: enter its name",
        "unknown authority": "of an authority that is not known here",
    }
    with certificates.trusted(monkeypatch):
        with mail(security, certificates.context()) as (store, _smtp, imap):
            store.port, issue = imap, make.issue()
            store.put(letter("ann@example.org", "Hello", "<1@x>"))
            told = {"security": security, "to": "ann@example.org"}
            assert posted(issue, store, **told).outcome == "passed"
            wrong = posted(issue, store, password="another-password", **told)
            assert "does not take the user" in wrong.said and "***" in wrong.said
            assert "another-password" not in str(wrong) and store.logins == 1
        for kind, words in said.items():
            with mail(security, certificates.context(kind)) as (store, _smtp, imap):
                found = posted(make.issue(), store, security=security)
                assert found.outcome == "unable" and words in found.said
                store.must_have_heard_nothing()
        with mail() as (store, _smtp, imap):
            found = posted(make.issue(), store, security=security)
            word = "STARTTLS at port" if security == "starttls" else "TLS at port"
            assert found.outcome == "unable" and word in found.said
            store.must_have_heard_nothing()


def test_a_mailbox_is_the_companys_own(box: Store) -> None:
    """Its password is a secret that an operator binds, and a foreign one is missing."""
    company, other = make.company(), make.company()
    theirs, ours = mailbox(other, box.port), mailbox(company, box.port)
    with pytest.raises(Invalid, match="There is no secret"):
        press(company, theirs)
    with pytest.raises(Invalid, match="Keep it as a secret"):
        press(company, {**ours, "password": LOGIN[1]})
    with pytest.raises(Invalid, match="only this machine"):
        press(company, {**ours, "host": "imap.example.com"})
    open_one = {key: ours[key] for key in ("host", "port", "security", "user")}
    issue = make.issue(company)
    none = checked_by(press(company, open_one), issue)
    assert none.outcome == "unable" and "keep it under Secrets" in none.said
    with pytest.raises(Invalid, match="an operator's to say"):
        Criterion.objects.add(
            issue, by=make.working(dev(company)), type="mail", title="x", settings=ours
        )


def test_only_who_keeps_secrets_says_where_a_password_is_sent(box: Store) -> None:
    company = make.company()
    check = press(company, mailbox(company, box.port))
    run, _ = make.live_run(dev(company))
    person = replace(make.by(make.owner_of(company)), run=run)
    for fields in ({"settings": {**check.settings, "port": 1}}, {"settings": {}}):
        with pytest.raises((NotAllowed, Invalid)):
            Check.objects.get(pk=check.pk).change(by=person, **fields)
    check.refresh_from_db()
    assert check.settings["port"] == box.port
    assert SecretBinding.objects.get().target_id == str(check.pk)


def test_a_mailbox_goes_with_its_secret(box: Store) -> None:
    """Each look reads the newest password, which is recorded; a receipt has none."""
    company = make.company()
    check, issue = press(company, mailbox(company, box.port)), make.issue(company)
    secret = Secret.objects.get()
    assert checked_by(check, issue).outcome == "failed"
    (read,) = Activity.objects.filter(action="secret.read")
    assert (
        read.actor_type == "system" and read.details["use"] == f"the check {check.key}"
    )
    secret.rotate("echoed-password", by=SYSTEM)
    refused = checked_by(check, issue)
    assert "wrong password" in refused.said and "***" in refused.said
    assert "echoed-password" not in str(refused)
    with pytest.raises(Conflict, match="is used by"):
        secret.remove(by=SYSTEM)
    settings = {k: v for k, v in check.settings.items() if k != "password"}
    check.change(by=SYSTEM, settings=settings)
    secret.remove(by=SYSTEM)


# --- parameters (T-13c) --------------------------------------------------------------

NASTY = [
    *("; touch canary", "$(touch canary)", "`touch canary`", "| touch canary", "\n"),
    *("--output=canary", "../../etc/passwd", "/etc/passwd", "a\0b", "{other}"),
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.sampled_from(NASTY), st.text(max_size=40)))
@pytest.mark.parametrize("kind", ["text", "word", "path"])
def test_a_value_stays_one_argument(kind: str, text: str) -> None:
    """Whatever is filled in: the same arguments, none of them an option or a way out,
    and nothing filled in twice."""
    declared = [{"name": "it", "type": kind}]
    command = ["prog", "x={it}", "{it}", "end"]
    try:
        values = parameters.filled_in(declared, {"it": text})
    except Invalid:
        return
    made = parameters.put_in(command, values)
    assert made == ["prog", f"x={text}", text, "end"]
    assert not text.startswith("-") and "\n" not in text and "\0" not in text
    if kind == "path":
        assert not text.startswith("/") and ".." not in text.split("/")


def test_what_agents_write_is_never_run(tmp_path: Path) -> None:
    """A canary in every text of an agent's: what runs is what the operator said."""
    canary, worker = tmp_path / "canary", dev()
    company = worker.company
    lead = make.agent(company, permissions={"canAssignTasks": True})
    worker.change(by=SYSTEM, reports_to=lead)
    check = Check.objects.define(
        company,
        by=SYSTEM,
        key="echo",
        type="command",
        title="Echo",
        settings={"command": ["echo", "{says}"]},
        parameters=[{"name": "says", "type": "text"}],
    )
    says = f"x; touch {canary} $(touch {canary}) `touch {canary}`"
    place = project(company, tmp_path / "first")
    issue = make.issue(company, title=says, project=place, assignee_agent=worker)
    by_lead, told = make.working(lead), {"parameters": {"says": says}}
    Criterion.objects.add(issue, by=by_lead, check=check, title=says[:200], **told)
    free = {"type": "command", "settings": {"command": ["touch", str(canary)]}}
    Criterion.objects.add(issue, by=by_lead, title=says[:200], **free)
    _work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    issue.change(by=by, status="done", comment=says)
    checking.check_on()
    (receipt,) = Evidence.objects.filter(issue=issue)
    assert receipt.outcome == "passed"
    assert receipt.facts["output"] == f"{says}\n"
    assert not canary.exists()
