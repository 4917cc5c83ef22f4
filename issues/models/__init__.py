from issues.models.comment import Comment
from issues.models.goal import Goal
from issues.models.issue import Issue
from issues.models.label import Label
from issues.models.project import Project
from issues.models.relation import Relation

__all__ = ["Comment", "Goal", "Issue", "Label", "Project", "Relation"]
