from issues.models.approval_link import ApprovalLink
from issues.models.check import Check
from issues.models.claim import Claim
from issues.models.comment import Comment
from issues.models.criterion import Criterion
from issues.models.decision import Decision
from issues.models.document import Document, DocumentRevision
from issues.models.evidence import Evidence
from issues.models.goal import Goal
from issues.models.issue import Issue
from issues.models.label import Label
from issues.models.project import Project
from issues.models.relation import Relation
from issues.models.routine import Routine
from issues.models.routine_revision import RoutineRevision
from issues.models.routine_run import RoutineRun
from issues.models.routine_trigger import RoutineTrigger
from issues.models.work_product import WorkProduct

__all__ = [
    "ApprovalLink",
    "Check",
    "Claim",
    "Comment",
    "Criterion",
    "Decision",
    "Document",
    "DocumentRevision",
    "Evidence",
    "Goal",
    "Issue",
    "Label",
    "Project",
    "Relation",
    "Routine",
    "RoutineRevision",
    "RoutineRun",
    "RoutineTrigger",
    "WorkProduct",
]
