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
    "marketing/keyword/": "marketing/keywords/",
    "marketing/competitor/": "marketing/competitors/",
    "marketing/directory/": "marketing/directories/",
    "marketing/contact/": "marketing/contacts/",
    "marketing/template/": "marketing/templates/",
    "marketing/countrypolicy/": "marketing/countries/",
    "marketing/suppression/": "marketing/suppressions/",
    "marketing/mailbox/": "marketing/mailboxes/",
}

# What is no member's alone: each of them looks at its token.
OF_ANYBODY = [
    path("invite/<str:token>", people.accept, name="invite_accept"),
    path("sign-in/<str:token>", views.sign_in, name="sign_in"),
    path("live/<str:token>", views.version, name="live"),
]


def our_pages() -> list[tuple[str, Callable[..., HttpResponse], str]]:
    """The pages beside those of the models: address, view and name."""
    # Their forms need the site, so they are not there before it is.
    from agents.views import org_chart
    from issues.views import approval, budgets
    from issues.views.board import board
    from marketing.views import PAGES

    one, incident = "budgets/<uuid:pk>", "budgets/incidents/<uuid:pk>"
    account = "costs/account/<int:pk>"
    return [
        ("activity/", activity.show, "activity"),
        ("leave-rehearsal/", views.leave_rehearsal, "leave"),
        ("board/", board, "issue_board"),
        ("budgets/", budgets.budgets, "budgets"),
        ("budgets/put", budgets.put, "budget_put"),
        (f"{one}/remove", budgets.take_away, "budget_remove"),
        (f"{incident}/resolve", budgets.resolve, "budget_resolve"),
        ("approvals/", approval.approvals, "approvals"),
        ("approvals/rules", approval.rules, "approval_rules"),
        ("approvals/<uuid:pk>", approval.approval, "approval"),
        *(
            (f"approvals/<uuid:pk>/{act}", to_do, f"approval_{act}")
            for act, to_do in approval.ACTS.items()
        ),
        ("org/", org_chart, "org"),
        ("costs/", views.costs, "costs"),
        *PAGES,
        (f"{account}/open", views.open_account, "account_open"),
        (f"{account}/change", views.change_account, "account_change"),
        ("company/<uuid:pk>/choose", views.choose, "company_choose"),
        ("company/<uuid:pk>/stop", views.stop, "company_stop"),
        ("company/<uuid:pk>/resume", views.resume, "company_resume"),
        ("company/<uuid:pk>/archive", views.archive, "company_archive"),
        ("company/<uuid:pk>/bring-back", views.bring_back, "company_bring_back"),
        ("stop", views.stop_all, "instance_stop"),
        ("resume", views.resume_all, "instance_resume"),
        ("people/", people.people, "people"),
        ("people/invite", people.invite, "invite"),
        ("people/<uuid:pk>/role", people.change_role, "member_role"),
        ("people/<uuid:pk>/link", people.give_link, "member_link"),
        ("people/<uuid:pk>/remove", people.remove, "member_remove"),
        ("people/invites/<uuid:pk>/revoke", people.revoke, "invite_revoke"),
    ]


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
            return response

        return update_wrapper(guarded, view)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        desk = Desk.of(request)
        live = desk.live(desk.company) if desk.memberships else {}
        return {**super().each_context(request), **live, "desk": desk}

    def get_urls(self) -> list[URLPattern | URLResolver]:
        urls = super().get_urls()
        for each in urls:
            if route := ROUTES.get(str(each.pattern)):
                each.pattern = RoutePattern(route)
        pages = [
            path(route, self.admin_view(view), name=name)
            for route, view, name in our_pages()
        ]
        return [*pages, *OF_ANYBODY, *urls]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return passwords.sign_in(request, self.each_context(request))

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        company = Desk.of(request).company
        return page(
            request,
            "console/dashboard.html",
            title=_("Dashboard"),
            **dashboard.of(company),
        )


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
    marketing = [
        (_("Control room"), "campaign", "admin:marketing"),
        (_("Keyword gaps"), "search_insights", "admin:gaps"),
        (_("Posts"), "article", "admin:posts"),
        (_("Positions"), "trending_up", "admin:ranks"),
        (_("Outreach"), "forward_to_inbox", "admin:outreach"),
        (_("Results"), "insights", "admin:results"),
    ]
    of_marketing = group(_("Marketing"), marketing)
    room = of_marketing["items"][0]
    # The addresses of the others begin like its own.
    room["active"] = request.path == room["link"]
    return [group(_("Work"), work), of_marketing, group(_("Company"), company)]


def group(title: str, pages: list[tuple[str, str, str]]) -> dict[str, Any]:
    items = [
        {"title": name, "icon": icon, "link": reverse(view)}
        for name, icon, view in pages
    ]
    return {"title": title, "items": items, "separator": True}
