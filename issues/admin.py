"""Issues, goals, projects and labels in the console. A run is about an issue, so the
list of runs is here too."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from agents.models import Run
from issues.check_admin import CheckAdmin
from issues.forms import (
    GoalForm,
    IssueForm,
    LabelForm,
    NewIssueForm,
    ProjectForm,
    assignee,
)
from issues.models import Check, Goal, Issue, Label, Project, Routine
from issues.routine_admin import RoutineAdmin
from issues.views import board, criteria_acts, stages, work
from issues.views import issue as issue_views
from issues.views import run as run_views
from paperclip.admin import CompanyFilter, ConsoleAdmin, ConsoleForm
from paperclip.desk import Desk
from paperclip.models import Company
from paperclip.templatetags.console import ago, badge, duration, reason, rehearsal

admin.site.register(Routine, RoutineAdmin)
admin.site.register(Check, CheckAdmin)


@admin.register(Issue)
class IssueAdmin(ConsoleAdmin):
    form = IssueForm
    list_display = ["who", "state", "urgency", "assignee", "project", "changed"]
    list_display_links = None
    list_select_related = ["assignee_agent", "assignee_user", "project"]
    list_filter = [
        "status",
        "priority",
        ("assignee_agent", CompanyFilter),
        ("project", CompanyFilter),
        ("labels", CompanyFilter),
    ]
    search_fields = ["title"]
    search_help_text = _("Words of the title or description, or DIG-1")
    ordering = ["-updated_at"]
    add_label = _("New issue")
    empty_text = _("No issues here. File one, and assign it to an agent.")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).shown()

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet, bool]:
        return (queryset.matching(search_term) if search_term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<slug:pk>", view(issue_views.issue), name="issue"),
            path("<slug:pk>/move", view(board.move), name="issue_move"),
            path("<slug:pk>/stages", view(stages.stages), name="issue_stages"),
            *(
                path(f"<slug:pk>/{act}", view(run), name=f"issue_{act}")
                for act, run in issue_views.ACTS.items()
            ),
            path(
                "<slug:pk>/documents/<slug:key>", view(work.document), name="document"
            ),
            path("<slug:pk>/work/<uuid:product>", view(work.product), name="product"),
            path(
                "<slug:pk>/check",
                view(criteria_acts.check_again),
                name="issue_check_again",
            ),
            path(
                "<slug:pk>/criteria",
                view(criteria_acts.add),
                name="issue_criterion_add",
            ),
            *(
                path(
                    f"<slug:pk>/criteria/<uuid:criterion>/{act}",
                    view(run),
                    name=f"issue_criterion_{act}",
                )
                for act, run in criteria_acts.ACTS.items()
            ),
            *super().get_urls(),
        ]

    def make_form(
        self, request: HttpRequest, row: Any, company: Company
    ) -> ConsoleForm:
        form = super().make_form(request, row, company)
        if isinstance(form, NewIssueForm):
            form.offer(Desk.of(request).actor)
        return form

    def form_class(self, row: Any) -> type[IssueForm]:
        return IssueForm if row else NewIssueForm

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Issue:
        who = assignee(values.pop("assignee", ""), company, desk.actor)
        values["status"] = values.pop("start")
        return Issue.objects.file(company, by=desk.actor, **who, **values)

    def url_of(self, row: Issue) -> str:
        return reverse("admin:issue", args=[row.identifier])

    @admin.display(description=_("issue"), ordering="number")
    def who(self, issue: Issue) -> str:
        return format_html(
            '<a href="{}" class="strong"><span class="key">{}</span> {}</a>',
            self.url_of(issue),
            issue.identifier,
            issue.title,
        )

    @admin.display(description=_("status"), ordering="status")
    def state(self, issue: Issue) -> str:
        return badge(issue.status)

    @admin.display(description=_("priority"), ordering="priority")
    def urgency(self, issue: Issue) -> str:
        return str(Issue.Priority(issue.priority).label)

    @admin.display(description=_("assignee"), ordering="assignee_agent__name")
    def assignee(self, issue: Issue) -> Any:
        return issue.assignee_agent or issue.assignee_user or "-"

    @admin.display(description=_("changed"), ordering="updated_at")
    def changed(self, issue: Issue) -> str:
        return ago(issue.updated_at)


@admin.register(Run)
class RunAdmin(ConsoleAdmin):
    list_display = ["agent_name", "state", "about", "why", "started", "took"]
    list_display_links = None
    list_select_related = ["agent__company"]
    list_filter = ["status", ("agent", CompanyFilter)]
    list_title = _("Runs")
    empty_text = _("No run yet. Press Wake on an agent.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        about = Issue.objects.filter(pk=OuterRef("issue_id")).values("identifier")
        rows = super().get_queryset(request).defer("stdout_excerpt", "stderr_excerpt")
        return rows.annotate(identifier=Subquery(about[:1]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>", view(run_views.run), name="run"),
            path("<uuid:pk>/log", view(run_views.log), name="run_log"),
            path("<uuid:pk>/talk", view(run_views.talk), name="run_talk"),
            path("<uuid:pk>/stop", view(run_views.stop), name="run_stop"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect("admin:run", object_id)

    def url_of(self, row: Run) -> str:
        return reverse("admin:run", args=[row.pk])

    @admin.display(description=_("agent"), ordering="agent__name")
    def agent_name(self, run: Run) -> str:
        return self.linked(run, run.agent) + rehearsal(run.agent.company)

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: Run) -> str:
        return badge(run.status)

    @admin.display(description=_("issue"))
    def about(self, run: Any) -> str:
        return run.identifier or "-"

    @admin.display(description=_("woken because"))
    def why(self, run: Run) -> str:
        return reason(run.wakes[0]["reason"]) if run.wakes else "-"

    @admin.display(description=_("when"), ordering="created_at")
    def started(self, run: Run) -> str:
        return ago(run.started_at or run.created_at)

    @admin.display(description=_("took"))
    def took(self, run: Run) -> str:
        return duration(run) or "-"


class PlanAdmin(ConsoleAdmin):
    """Goals, projects and labels: a list and a form."""

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Any) -> str:
        return badge(row.status)


@admin.register(Goal)
class GoalAdmin(PlanAdmin):
    form = GoalForm
    list_display = ["title", "level", "state", "parent", "owner"]
    list_select_related = ["parent", "owner"]
    list_filter = ["status", "level"]
    search_fields = ["title"]
    adds, changes = "set goals", "change goals"
    add_label = _("Set a goal")
    empty_text = _("No goal yet. Say what the company works for.")

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Goal:
        return Goal.objects.set(company, by=desk.actor, **values)


@admin.register(Project)
class ProjectAdmin(PlanAdmin):
    form = ProjectForm
    list_display = ["name", "state", "lead", "goal", "target_date"]
    list_select_related = ["lead", "goal"]
    list_filter = ["status", ("lead", CompanyFilter)]
    search_fields = ["name"]
    adds, changes = "plan projects", "change projects"
    add_label = _("Plan a project")
    empty_text = _("No project yet. A project holds issues that belong together.")

    def make_form(
        self, request: HttpRequest, row: Any, company: Company
    ) -> ConsoleForm:
        form = super().make_form(request, row, company)
        if not Desk.of(request).may(company, "say where a repository is"):
            del form.fields["repo_url"]
        return form

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Project:
        return Project.objects.plan(company, by=desk.actor, **values)


@admin.register(Label)
class LabelAdmin(PlanAdmin):
    form = LabelForm
    list_display = ["name", "color"]
    list_display_links = None
    adds = changes = "define labels"
    add_label = _("Define a label")
    empty_text = _("No label yet.")

    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Label:
        return Label.objects.define(company, by=desk.actor, **values)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect(self.list_url())

    def url_of(self, row: Label) -> str:
        return self.list_url()
