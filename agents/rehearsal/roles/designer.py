"""The Designer: renders the page and reports what can be measured in the picture."""

from __future__ import annotations

import json
import re

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Story, attempt, use
from agents.rehearsal.roles.common import (
    check_out,
    inside,
    look_around,
    not_in_script,
    open_issue,
    shell,
)
from agents.rehearsal.roles.report import UNSEEN
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View

PICTURE = "page.png"
ENOUGH = 4.5  # WCAG 2.2, text of ordinary size
RENDER = (
    '"${{PAPERCLIP_CHROMIUM:-chromium}}" --headless --no-sandbox --disable-gpu'
    " --disable-dev-shm-usage --hide-scrollbars --window-size=1440,900"
    ' --user-data-dir="$(mktemp -d)" --screenshot={picture} "file://$PWD/{page}"'
    " >/dev/null 2>&1"
)
# Reads the picture itself: its size, its bytes and how many colours there are.
MEASURE = """import json
import struct
import sys
import zlib

data = open(sys.argv[1], "rb").read()
width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
packed, at = b"", 8
while at < len(data):
    (length,) = struct.unpack(">I", data[at : at + 4])
    if data[at + 4 : at + 8] == b"IDAT":
        packed += data[at + 8 : at + 8 + length]
    at += length + 12
rows = zlib.decompress(packed)
step = 1 + width * {2: 3, 6: 4}[kind]
different = len({rows[i : i + step] for i in range(0, len(rows), step)})
facts = {"width": width, "height": height, "bytes": len(data), "rows": different}
print(json.dumps(facts))
"""


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    if view.title != plot.DESIGNER_TITLE:
        return (yield from not_in_script(scene, view))
    if view.status not in ("todo", "in_progress", "blocked"):
        return "This is done."
    return (yield from look(scene, view))


def look(scene: Scene, view: View) -> Story:
    yield from check_out(view)
    listed = yield from shell(scene, "ls site/blog", "Which page is it?")
    pages = re.findall(r"^\S+\.html$", listed.output, flags=re.M)
    if not pages:
        return (yield from done(view, f"{UNSEEN}: there is no page in `site/blog/`."))
    page = f"site/blog/{pages[0]}"
    source = yield from use("read_file", "Its colours.", path=inside(scene, page))
    render = RENDER.format(picture=PICTURE, page=page)
    yield from attempt(
        "shell",
        "I render it.",
        command=f"cd {scene.place} && {render}",
        timeout_seconds=60,
    )
    yield from use("write_file", path=inside(scene, "measure.py"), content=MEASURE)
    measured = yield from shell(
        scene, f"python3 measure.py {PICTURE}", "What is in the picture?"
    )
    return (yield from done(view, finding(page, source, measured)))


def done(view: View, said: str) -> Story:
    yield from use("update_issue", issue=view.identifier, status="done", comment=said)
    return "Reviewed."


def finding(page: str, source: str, measured: Answer) -> str:
    """The review: only what was measured."""
    colours = contrast_said(source)
    if measured.exit_code != 0:
        return (
            f"I could not render `{page}`: there is no browser that works here."
            f" {UNSEEN}. From its source: {colours}"
        )
    facts = json.loads(measured.output)
    look = "it is not blank" if facts["rows"] > 20 else "it is BLANK"
    return (
        f"Rendered `{page}`: {facts['width']} x {facts['height']} pixels,"
        f" {facts['bytes']} bytes, {facts['rows']} different rows of pixels, so {look}."
        f" {colours}"
    )


def contrast_said(source: str) -> str:
    found = re.search(r"color: (#\w{6}); background: (#\w{6})", source)
    if not found:
        return "I found no colours in it."
    ratio = contrast(found[1], found[2])
    verdict = "enough" if ratio >= ENOUGH else "NOT enough"
    return (
        f"Text {found[1]} on {found[2]}: contrast {ratio:.1f} to 1, which is {verdict}"
        f" ({ENOUGH} is asked)."
    )


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG defines it."""
    lights = sorted((luminance(one), luminance(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
