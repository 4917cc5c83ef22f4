"""Every act that is recorded anywhere has its sentence in the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from agents.models import BudgetIncident
from marketing import models as marketing
from marketing.models.managed import Managed
from paperclip.acts import WORDS
from paperclip.home import BASE_DIR

APPS = ("agents", "issues", "marketing", "paperclip")
ACT = re.compile(r"[a-z_]+\.[a-z_]+")
MANAGED = [one._meta.model_name for one in Managed.__subclasses__()]
ENDS = ("succeeded", "failed", "cancelled", "timed_out")
DECIDED = (
    *("requested", "resubmitted", "comment", "cancelled"),
    *("approved", "rejected", "revision_requested"),
)
OVER = [one for one in marketing.JobRun.Status if one != "running"]
# What an f-string can become, by how the code writes it.
MADE = {
    "post.{state}": [f"post.{one}" for one in marketing.Post.State],
    "brief.{state}": [f"brief.{one}" for one in ("approved", "dropped")],
    "job.{status}": [f"job.{one}" for one in OVER],
    "{kind}.{act}": [f"{one}.{act}" for one in MANAGED for act in ("added", "changed")],
    "heartbeat.{status}": [f"heartbeat.{one}" for one in ENDS],
    "effect.{verdict.word}": ["effect.allowed", "effect.refused", "effect.pending"],
    "budget.{threshold}_threshold_crossed": [
        f"budget.{one}_threshold_crossed" for one in BudgetIncident.Threshold
    ],
    "approval.{kind}": [f"approval.{one}" for one in DECIDED],
    "issue.branch_{fresh.status}": ["issue.branch_pushed", "issue.branch_push_failed"],
    "issue.{act}": ["issue.approval_linked", "issue.approval_unlinked"],
    "issue.criterion_{act}": [
        f"issue.criterion_{one}" for one in ("added", "updated", "accepted", "removed")
    ],
    "issue.work_product_{act}": [
        f"issue.work_product_{one}" for one in ("created", "updated", "deleted")
    ],
}


def recorded() -> Iterator[tuple[str, str]]:
    """Where, and what is recorded there; an act that the code puts together, as it is
    written."""
    for app in APPS:
        for path in sorted(Path(BASE_DIR, app).rglob("*.py")):
            source = path.read_text()
            if "audit.record(" not in source:
                continue
            tree = ast.parse(source)
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef):
                    for call in calls_of(function, "audit.record"):
                        place = f"{path.relative_to(BASE_DIR)}:{call.lineno}"
                        for act in acts_of(call.args[1], function, tree):
                            yield place, act


def calls_of(tree: ast.AST, name: str) -> list[ast.Call]:
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    return [one for one in calls if ast.unparse(one.func).endswith(name)]


def acts_of(told: ast.expr, function: ast.FunctionDef, tree: ast.AST) -> list[str]:
    """A name is looked up in its function, or else in the calls of that function."""
    if isinstance(told, ast.Constant):
        return [str(told.value)]
    if isinstance(told, ast.JoinedStr):
        return [ast.unparse(told)[2:-1]]
    here = names_in(function)
    calls = calls_of(tree, f".{function.name}")
    return here or [act for call in calls for act in names_in(call)] or ["not found"]


def names_in(tree: ast.AST) -> list[str]:
    told = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
    return [one for one in told if isinstance(one, str) and ACT.fullmatch(one)]


def test_every_act_has_its_sentence() -> None:
    found = [
        (place, act) for place, as_is in recorded() for act in MADE.get(as_is, [as_is])
    ]
    assert len(found) > 150
    dumb = [(place, act) for place, act in found if act not in WORDS]
    assert not dumb, "Give each a sentence in paperclip/acts.py."
