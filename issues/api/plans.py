"""Goals, projects and labels over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from rest_framework.request import Request
from rest_framework.response import Response

from agents.outside import note_rows
from issues.api.forms import GoalForm, LabelForm, ProjectForm
from issues.api.plan_shapes import GoalShape, LabelShape, ProjectRow, ProjectShape
from issues.models import Goal, Label, Project
from paperclip.api.schema import doc
from paperclip.api.shapes import Shape
from paperclip.api.views import Endpoint
from paperclip.pages import Pages

PLANS = Pages(("created_at", "id"))
LABELS = Pages(("name", "id"), limit=500)


class Plans(Endpoint):
    def told(self, rows: Any, pages: Pages, shape: type[Shape]) -> Response:
        found, headers = pages.cut(rows, self.request)
        note_rows(self.actor, *found)
        return Response(shape(found, many=True).data, headers=headers)


class Goals(Plans):
    @doc("list_goals", "The goals of a company", gives=GoalShape, pages=PLANS)
    def get(self, request: Request, **path: str) -> Response:
        goals = Goal.objects.filter(company=self.company())
        return self.told(goals, PLANS, GoalShape)

    @doc("create_goal", "Set a goal", takes=GoalForm, gives=GoalShape, status=201)
    def post(self, request: Request, **path: str) -> Response:
        company, fields = self.company(), self.read(GoalForm)
        goal = Goal.objects.set(company, by=self.actor, **fields)
        return Response(GoalShape(goal).data, status=201)


class OneGoal(Endpoint):
    def goal(self) -> Goal:
        goal: Goal = Goal.objects.get_for(self.actor, self.kwargs["goal_id"])
        note_rows(self.actor, goal)
        return goal

    @doc("get_goal", "A goal", gives=GoalShape)
    def get(self, request: Request, **path: str) -> Response:
        return Response(GoalShape(self.goal()).data)

    @doc("change_goal", "Change a goal", takes=GoalForm, gives=GoalShape)
    def patch(self, request: Request, **path: str) -> Response:
        goal, fields = self.goal(), self.read(GoalForm, partial=True)
        if fields:
            goal.change(by=self.actor, **fields)
        return Response(GoalShape(goal).data)


class Projects(Plans):
    @doc("list_projects", "The projects of a company", gives=ProjectRow, pages=PLANS)
    def get(self, request: Request, **path: str) -> Response:
        projects = Project.objects.filter(company=self.company()).select_related("goal")
        counted: Any = projects.annotate(task_count=Count("issues"))
        return self.told(counted, PLANS, ProjectRow)

    @doc(
        "create_project",
        "Plan a project",
        takes=ProjectForm,
        gives=ProjectShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        company, fields = self.company(), self.read(ProjectForm)
        project = Project.objects.plan(company, by=self.actor, **fields)
        return Response(ProjectShape(project).data, status=201)


class OneProject(Endpoint):
    def project(self) -> Project:
        rows = Project.objects.select_related("goal", "lead")
        project: Project = rows.get_for(self.actor, self.kwargs["project_id"])
        note_rows(self.actor, project, project.goal)
        return project

    @doc("get_project", "A project", gives=ProjectShape)
    def get(self, request: Request, **path: str) -> Response:
        return Response(ProjectShape(self.project()).data)

    @doc("change_project", "Change a project", takes=ProjectForm, gives=ProjectShape)
    def patch(self, request: Request, **path: str) -> Response:
        project, fields = self.project(), self.read(ProjectForm, partial=True)
        if fields:
            project.change(by=self.actor, **fields)
        return Response(ProjectShape(project).data)


class Labels(Plans):
    @doc("list_labels", "The labels of a company", gives=LabelShape, pages=LABELS)
    def get(self, request: Request, **path: str) -> Response:
        labels = Label.objects.filter(company=self.company())
        return self.told(labels, LABELS, LabelShape)

    @doc(
        "create_label", "Define a label", takes=LabelForm, gives=LabelShape, status=201
    )
    def post(self, request: Request, **path: str) -> Response:
        company, fields = self.company(), self.read(LabelForm)
        label = Label.objects.define(company, by=self.actor, **fields)
        return Response(LabelShape(label).data, status=201)
