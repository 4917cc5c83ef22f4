"""The operator console: an admin site for the members of a company."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, path, reverse
from django.urls.resolvers import RoutePattern
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from paperclip import activity, dashboard, passwords, people, views
from paperclip.desk import Desk, page

# unfold's Alpine evaluates the expressions in its own markup, and its theme colours are
# a style element; scripts that are not files of ours do not run.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

# Short addresses for what people link to.
ROUTES = {
    "agents/agent/": "agents/",
    "agents/run/": "runs/",
    "agents/secret/": "secrets/",
    "issues/issue/": "issues/",
    "issues/routine/": "routines/",
    "issues/goal/": "goals/",
    "issues/project/": "projects/",
    "issues/label/": "labels/",
    "issues/check/": "checks/",
    "paperclip/company/": "companies/",
}


class ConsoleSite(UnfoldAdminSite):
    site_title = site_header = "Paperclip"
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Members of a company; what one may do there is checked by the verbs."""
        user = request.user
        return bool(user.is_active and Desk.of(request).memberships)

    def admin_view(
        self, view: Callable[..., HttpResponse], cacheable: bool = False
    ) -> Callable[..., HttpResponse]:
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            Desk.of(request).note_version()
            response = inner(request, *args, **kwargs)
            if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                # Django's own has no body: browsers show a fault of theirs for it.
                response.content = render_to_string("405.html", request=request)
            return protect(response)

        return update_wrapper(guarded, view)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        desk = Desk.of(request)
        live = desk.live(desk.company) if desk.memberships else {}
        return {**super().each_context(request), **live, "desk": desk}

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Their forms need this very site, so they are not there before it is.
        from agents.views import org_chart
        from issues.views import approval, budgets
        from issues.views.board import board

        urls = super().get_urls()
        for each in urls:
            if route := ROUTES.get(str(each.pattern)):
                each.pattern = RoutePattern(route)
        view = self.admin_view
        return [
            path("activity/", view(activity.show), name="activity"),
            path("leave-rehearsal/", view(views.leave_rehearsal), name="leave"),
            path("board/", view(board), name="issue_board"),
            path("approvals/", view(approval.approvals), name="approvals"),
            path("budgets/", view(budgets.budgets), name="budgets"),
            path("budgets/put", view(budgets.put), name="budget_put"),
            path(
                "budgets/<uuid:pk>/remove",
                view(budgets.take_away),
                name="budget_remove",
            ),
            path(
                "budgets/incidents/<uuid:pk>/resolve",
                view(budgets.resolve),
                name="budget_resolve",
            ),
            path("approvals/rules", view(approval.rules), name="approval_rules"),
            path("approvals/<uuid:pk>", view(approval.approval), name="approval"),
            *(
                path(f"approvals/<uuid:pk>/{act}", view(to_do), name=f"approval_{act}")
                for act, to_do in approval.ACTS.items()
            ),
            path("org/", view(org_chart), name="org"),
            path("costs/", view(views.costs), name="costs"),
            path(
                "costs/account/<int:pk>/open",
                view(views.open_account),
                name="account_open",
            ),
            path(
                "costs/account/<int:pk>/change",
                view(views.change_account),
                name="account_change",
            ),
            path("company/<uuid:pk>/choose", view(views.choose), name="company_choose"),
            path("company/<uuid:pk>/stop", view(views.stop), name="company_stop"),
            path("company/<uuid:pk>/resume", view(views.resume), name="company_resume"),
            path("stop", view(views.stop_all), name="instance_stop"),
            path("resume", view(views.resume_all), name="instance_resume"),
            path("people/", view(people.people), name="people"),
            path("people/invite", view(people.invite), name="invite"),
            path("people/<uuid:pk>/role", view(people.change_role), name="member_role"),
            path("people/<uuid:pk>/remove", view(people.remove), name="member_remove"),
            path(
                "people/invites/<uuid:pk>/revoke",
                view(people.revoke),
                name="invite_revoke",
            ),
            path("invite/<str:token>", people.accept, name="invite_accept"),
            path("sign-in/<str:token>", views.sign_in, name="sign_in"),
            path("live/<str:token>", views.version, name="live"),
            *urls,
        ]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return protect(passwords.sign_in(request, self.each_context(request)))

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        company = Desk.of(request).company
        return page(
            request,
            "console/dashboard.html",
            title=_("Dashboard"),
            **dashboard.of(company),
        )


def protect(response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The navigation, as unfold takes it."""
    desk = Desk.of(request)
    if not desk.memberships:
        return []
    work = [
        (_("Dashboard"), "dashboard", "admin:index"),
        (_("Approvals"), "gavel", "admin:approvals"),
        (_("Board"), "view_kanban", "admin:issue_board"),
        (_("Issues"), "task_alt", "admin:issues_issue_changelist"),
        (_("Routines"), "event_repeat", "admin:issues_routine_changelist"),
        (_("Goals"), "flag", "admin:issues_goal_changelist"),
        (_("Projects"), "folder", "admin:issues_project_changelist"),
        (_("Labels"), "label", "admin:issues_label_changelist"),
        (_("Checks"), "fact_check", "admin:issues_check_changelist"),
    ]
    company = [
        (_("Agents"), "smart_toy", "admin:agents_agent_changelist"),
        (_("Org chart"), "account_tree", "admin:org"),
        (_("Runs"), "play_circle", "admin:agents_run_changelist"),
        (_("Costs"), "payments", "admin:costs"),
        (_("Budgets"), "savings", "admin:budgets"),
        (_("Activity"), "history", "admin:activity"),
        (_("Secrets"), "lock", "admin:agents_secret_changelist"),
        (_("People"), "group", "admin:people"),
        (_("Companies"), "apartment", "admin:paperclip_company_changelist"),
    ]
    if not desk.may(desk.company, "keep secrets"):
        company = [one for one in company if one[1] != "lock"]
    return [group(_("Work"), work), group(_("Company"), company)]


def group(title: str, pages: list[tuple[str, str, str]]) -> dict[str, Any]:
    items = [
        {"title": name, "icon": icon, "link": reverse(view)}
        for name, icon, view in pages
    ]
    return {"title": title, "items": items, "separator": True}
