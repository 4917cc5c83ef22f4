from issues.models.comment import Comment
from issues.models.document import Document, DocumentRevision
from issues.models.goal import Goal
from issues.models.issue import Issue
from issues.models.label import Label
from issues.models.project import Project
from issues.models.relation import Relation
from issues.models.work_product import WorkProduct

__all__ = [
    "Comment",
    "Document",
    "DocumentRevision",
    "Goal",
    "Issue",
    "Label",
    "Project",
    "Relation",
    "WorkProduct",
]
