from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from paperclip import home
from paperclip.git.command import GitError, git
from paperclip.git.words import COMMIT, HEADS, begin, must_hold, names, whole

NONE = "0" * 40
# A diff as it is, whatever somebody's settings would make of it.
PLAIN = ("--no-ext-diff", "--no-textconv")
# How many names of files an answer holds.
MOST_FILES = 300
TRIES = 10


@dataclass(frozen=True)
class Change:
    """What a branch adds to its base: names of files and one line of numbers."""

    base: str
    commit: str
    files: list[str]
    stat: str


@dataclass(frozen=True)
class Merge:
    """The commit that holds both, or the files in which they contradict each other."""

    commit: str | None
    conflicts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bare:
    """A bare repository below the home, named by what it belongs to.

    Every ref is moved by compare-and-swap and nothing is ever collected, so readers
    and writers need no lock of ours.
    """

    name: str

    @property
    def path(self) -> Path:
        return home.directory("repositories") / f"{self.name}.git"

    def exists(self) -> bool:
        return self.path.is_dir()

    def git(self, *args: str, **options: object) -> bytes:
        return git(*args, at=self.path, **options)  # type: ignore[arg-type]

    def make(self, branch: str, readme: str = "") -> None:
        """Make it unless it is there. Of two that make it at once, one's stays. With a
        readme it begins with one commit, so that a clone has something to stand on."""
        if self.exists():
            return
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self.path.parent))
        try:
            git("init", "-q", "--bare", f"--initial-branch={branch}", str(draft))
            if readme:
                begin(draft, branch, readme)
            draft.rename(self.path)
        except OSError:
            if not self.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def mark(self, word: str) -> None:
        """Say something of it to whoever knows nothing but the repository."""
        (self.path / f"paperclip-{word}").touch()

    def is_marked(self, word: str) -> bool:
        return (self.path / f"paperclip-{word}").exists()

    def begin(self, branch: str, readme: str) -> None:
        """The first commit of a branch that is not there yet."""
        begin(self.path, branch, readme)

    def name_main(self, branch: str) -> None:
        """Go on under this name with what the main branch was until now."""
        was = self.git("symbolic-ref", "HEAD").decode().strip().removeprefix(HEADS)
        if was == branch:
            return
        if (commit := self.commit_of(was)) and self.commit_of(branch) is None:
            self.move(branch, commit, None)
        self.git("symbolic-ref", "HEAD", HEADS + branch)

    # -- reading

    def branches(self, under: str = HEADS) -> dict[str, str]:
        """The commit of every branch, by its name."""
        listed = self.git("for-each-ref", "--format=%(objectname) %(refname)", under)
        rows = (line.split(" ", 1) for line in listed.decode().splitlines())
        return {ref.removeprefix(under): commit for commit, ref in rows}

    def commit_of(self, ref: str) -> str | None:
        """The commit of a branch, or of a full hash; None when there is none."""
        if not self.exists():
            return None
        name = ref if COMMIT.fullmatch(ref) else HEADS + ref
        asked = ("-q", "--verify", "--end-of-options", f"{name}^{{commit}}")
        try:
            found = self.git("rev-parse", *asked)
        except (GitError, ValueError):
            return None
        return found.decode().strip()

    def holds(self, one: str, other: str) -> bool:
        """Whether the first commit is part of the history of the second."""
        asked = ("--is-ancestor", "--end-of-options", whole(one), whole(other))
        try:
            self.git("merge-base", *asked)
        except GitError:
            return False
        return True

    def base_of(self, one: str, other: str) -> str | None:
        """The last commit they have in common."""
        asked = ("--end-of-options", whole(one), whole(other))
        found = self.git("merge-base", *asked, fine=(0, 1)).decode().split()
        return found[0] if found else None

    def read(self, ref: str, path: str, *, most: int = 10_000_000) -> bytes | None:
        """The bytes of a file at a commit; None when there is no such file, or it has
        more than `most` bytes."""
        commit = self.commit_of(ref)
        if commit is None or "\n" in path:
            return None
        # A name that begins with a dot and a slash would mean a work tree to git.
        name = path.strip("/")
        if {"", ".", ".."} & {*name.split("/")}:
            return None
        asked = f"{commit}:{name}\n".encode()
        head = self.git("cat-file", "--batch-check", given=asked).decode().split()
        if len(head) != 3 or head[1] != "blob" or int(head[2]) > most:
            return None
        return self.git("cat-file", "blob", head[0])

    def files(self, ref: str, under: str = "") -> list[str]:
        """The names of all files at a commit, below a directory."""
        commit = self.commit_of(ref)
        if commit is None:
            return []
        where = ("--", under) if under else ()
        listed = self.git("ls-tree", "-r", "-z", "--name-only", commit, *where)
        return names(listed)

    def change(self, base: str, commit: str) -> Change:
        """What `commit` adds since it left `base`. GitError for unrelated histories."""
        since = self.base_of(base, commit)
        if since is None:
            raise GitError(f"{commit[:10]} and {base[:10]} have no commit in common.")
        span = (*PLAIN, "--end-of-options", since, commit, "--")
        stat = self.git("diff", "--shortstat", *span).decode().strip()
        listed = names(self.git("diff", "--name-only", "-z", *span))
        return Change(since, commit, listed[:MOST_FILES], stat)

    def diff(self, base: str, commit: str, *, most: int = 200_000) -> tuple[str, bool]:
        """The patch from `base` to `commit`, and whether it was cut to `most` bytes."""
        span = ("--end-of-options", whole(base), whole(commit), "--")
        with tempfile.TemporaryFile() as out:
            self.git("diff", *PLAIN, "--no-color", *span, to=out)
            out.seek(0)
            text = out.read(most + 1)
        return text[:most].decode(errors="replace"), len(text) > most

    def log(self, ref: str, *, since: str = "", most: int = 50) -> list[dict[str, str]]:
        """The newest commits first: `commit`, `author`, `at` (ISO 8601), `subject`."""
        commit = self.commit_of(ref)
        if commit is None:
            return []
        form = "--format=%H%x1f%an%x1f%aI%x1f%s"
        span = [commit, *([f"^{whole(since)}"] if since else [])]
        listed = self.git("log", f"-{most}", form, "--end-of-options", *span, "--")
        keys = ("commit", "author", "at", "subject")
        lines = listed.decode(errors="replace").splitlines()
        return [dict(zip(keys, line.split("\x1f"), strict=False)) for line in lines]

    def write_new(self, commit: str, out: IO[bytes]) -> None:
        """Write what a commit brings to an `opened` repository: messages, names and
        contents of files, as git keeps them."""
        span = (whole(commit), "--not", "--glob=refs/known/*")
        listed = self.git("rev-list", "--objects", *span)
        ids = b"".join(line[:40] + b"\n" for line in listed.splitlines())
        self.git("cat-file", "--batch", given=ids, to=out)

    def bundle(self, out: IO[bytes], branch: str, have: Iterable[str] = ()) -> bool:
        """Write all branches as a bundle, without the history of the commits that the
        reader says it has. False, and nothing written, when it has all of them.

        `git bundle create` leaves out a branch whose commit the reader has, although
        the reader may not know that the branch is there by now; so the few lines in
        front of the pack are ours.
        """
        tips = self.branches()
        known = sorted({h for h in have if COMMIT.fullmatch(h) and self.commit_of(h)})
        if tips and {*tips.values()} == {*known}:
            return False
        lines = ["# v2 git bundle", *(f"-{commit} " for commit in known)]
        lines += [f"{commit} {HEADS}{name}" for name, commit in sorted(tips.items())]
        if branch in tips:
            lines.append(f"{tips[branch]} HEAD")
        out.write("\n".join([*lines, "", ""]).encode())
        out.flush()
        wanted = [*tips.values(), *(f"^{commit}" for commit in known)]
        revisions = "\n".join([*wanted, ""]).encode()
        packing = ("-q", "--revs", "--stdout", "--thin", "--delta-base-offset")
        self.git("pack-objects", *packing, given=revisions, to=out)
        return True

    # -- writing

    @contextmanager
    def opened(self, bundle: Path, branch: str) -> Iterator[Bare]:
        """What a bundle brings, in a repository of its own that stands on our history
        and is gone afterwards: what is refused never gets near ours.

        GitError when it holds anything but the branch, or objects that are not sound.
        """
        must_hold(bundle, branch)
        place = Path(tempfile.mkdtemp(".git", ".incoming-", self.path.parent))
        aside = Bare(place.stem)
        try:
            git("init", "-q", "--bare", str(place))
            self._lend_to(aside)
            spec = f"{HEADS}{branch}:{HEADS}{branch}"
            options = ("-q", "--no-tags", "--no-write-fetch-head")
            aside.git("fetch", *options, str(bundle), spec, protocols=("file",))
            yield aside
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _lend_to(self, aside: Bare) -> None:
        """Let another repository stand on our history: a bundle is only opened where
        what it builds on is part of a branch."""
        alternates = aside.path / "objects" / "info" / "alternates"
        alternates.write_text(f"{self.path / 'objects'}\n")
        tips = enumerate(sorted({*self.branches().values()}))
        lines = [f"{commit} refs/known/{number}\n" for number, commit in tips]
        (aside.path / "packed-refs").write_text("".join(lines))

    def take_in(self, aside: Bare, branch: str, ref: str) -> None:
        """Take over a branch with all it stands on, and put it at `ref`."""
        source = f"{HEADS}{branch}:{ref}"
        self.git("fetch", "-q", f"file://{aside.path}", source, protocols=("file",))

    def move(self, branch: str, to: str, was: str | None) -> bool:
        """Move a branch if it still is where it was (None: not there). False if not."""
        step = (whole(to), NONE if was is None else whole(was))
        try:
            self.git("update-ref", HEADS + branch, *step)
        except GitError:
            return False
        return True

    def drop(self, ref: str) -> None:
        self.git("update-ref", "-d", ref)

    def merge(self, into: str, commit: str, message: str) -> Merge:
        """Make `commit` part of a branch. Nothing changes when it already is, or when
        the two contradict each other."""
        commit = whole(commit)
        for _ in range(TRIES):
            tip = self.commit_of(into)
            if tip is None:
                raise GitError(f"There is no branch {into}.")
            done = self._merged(tip, commit, message)
            if done.commit in (None, tip) or self.move(into, done.commit or "", tip):
                return done
            # Somebody else has moved it meanwhile: look again.
        raise GitError(f"{into} could not be moved in {TRIES} tries.")

    def _merged(self, tip: str, commit: str, message: str) -> Merge:
        if self.holds(commit, tip):
            return Merge(tip)
        if self.holds(tip, commit):
            return Merge(commit)
        form = ("--write-tree", "--name-only", "--no-messages", "-z")
        told = self.git("merge-tree", *form, tip, commit, fine=(0, 1))
        tree, *conflicts = names(told)
        if conflicts:
            return Merge(None, sorted({*conflicts})[:MOST_FILES])
        parents = ("-p", tip, "-p", commit)
        made = self.git("commit-tree", tree, *parents, "-m", message)
        return Merge(made.decode().strip())
