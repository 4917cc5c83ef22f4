"""The made-up web: six rivals with a gap between them, and our site as merged."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from agents.rehearsal import sites
from agents.rehearsal.plot import Plot
from agents.rehearsal.post import COLOURS
from agents.rehearsal.roles.cmo import gaps, headings
from agents.rehearsal.roles.designer import ENOUGH, contrast
from agents.rehearsal.world import PLAYED, address, seed_of, world
from paperclip.git import Bare

PROJECT = str(UUID(int=1))


def get(path: str, method: str = "GET") -> tuple[str, dict[str, str], str]:
    said: list = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    body = b"".join(world(environ, lambda *args: said.extend(args)))
    return said[0], dict(said[1]), body.decode()


@pytest.mark.parametrize("seed", range(60))
def test_the_gap_is_found_by_reading(seed: int) -> None:
    plot = Plot.of(seed)
    rivals = []
    for name in plot.rivals:
        path = f"/{seed}/{PROJECT}/rivals/{sites.slug_of(name)}/"
        status, headers, page = get(path)
        assert status == "200 OK" and headers["X-Robots-Tag"] == "noindex"
        assert sites.NOTE in page and 'content="noindex"' in page
        rivals.append(headings(page))
    ours = headings(get(f"/{seed}/{PROJECT}/site/")[2])
    assert gaps(ours, rivals)[0] == (plot.gap.keyword, 5)
    assert plot.gap.keyword not in str(ours).lower()


def test_the_index_leads_to_seven_sites() -> None:
    page = get(f"/3/{PROJECT}/")[2]
    assert page.count("rivals/") == 6 and 'href="site/"' in page


def test_our_site_is_what_was_merged(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))
    project = str(uuid4())
    bare = Bare(project)
    assert get(f"/1/{project}/site/blog/x.html")[0].startswith("404")
    bare.make("main", "# Ours\n")
    blob = bare.git("hash-object", "-w", "--stdin", given=b"<title>A &amp; B</title>")
    tree = b""
    for name, kind in (("x.html", b"100644 blob"), ("blog", b"040000 tree")):
        tree = bare.git(
            "mktree", given=b"%s %s\t%s\n" % (kind, blob.strip(), name.encode())
        )
        blob = tree
    tree = bare.git("mktree", given=b"040000 tree %s\tsite\n" % blob.strip())
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    commit = bare.git(*who, "commit-tree", "-m", "x", tree.decode().strip())
    bare.git("update-ref", "refs/heads/main", commit.decode().strip())
    # A real company's repository is none of this world's business.
    before = get(f"/1/{uuid4()}/site/")
    assert get(f"/1/{project}/site/") == before
    assert get(f"/1/{project}/site/blog/x.html")[0].startswith("404")
    bare.mark(PLAYED)
    assert "A &amp; B</a>" in get(f"/1/{project}/site/")[2]
    status, headers, body = get(f"/1/{project}/site/blog/x.html")
    assert (status, body) == ("200 OK", "<title>A &amp; B</title>")
    assert headers["Content-Security-Policy"].startswith("sandbox")
    for outside in ("README.md", "../README.md", "blog/../../README.md", "blog/"):
        assert get(f"/1/{project}/site/{outside}")[0].startswith("404")


@pytest.mark.parametrize(
    "path", ["/", "/x", "/1", "/1/2/", f"/x/{PROJECT}/", f"/1/{PROJECT}/rivals/nobody/"]
)
def test_what_is_not_there_is_missing(path: str) -> None:
    assert get(path)[0].startswith("404")


def test_it_is_read_only() -> None:
    assert get(f"/1/{PROJECT}/", "POST")[0].startswith("405")
    assert get(f"/1/{PROJECT}/", "HEAD")[2] == ""


def test_a_models_name_says_the_seed() -> None:
    assert [seed_of(m) for m in ("rehearsal/7", "openai/rehearsal-3", "x")] == [7, 3, 1]
    at = address("http://127.0.0.1:3101", "rehearsal/7", PROJECT)
    assert at == f"http://127.0.0.1:3101/rehearsal/7/{PROJECT}/"


@pytest.mark.parametrize("colours", COLOURS)
def test_every_page_can_be_read(colours: tuple[str, str, str]) -> None:
    text, background, accent = colours
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast(text, background) >= ENOUGH
    assert contrast(accent, background) >= ENOUGH
