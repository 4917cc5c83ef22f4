from django.urls import path

from issues.api import (
    costs,
    documents,
    issues,
    overview,
    plans,
    repositories,
    thread,
    wakes,
    why,
    work,
)

urlpatterns = [
    path("companies/<str:company_id>/issues", issues.Issues.as_view()),
    path("companies/<str:company_id>/labels", plans.Labels.as_view()),
    path("companies/<str:company_id>/goals", plans.Goals.as_view()),
    path("companies/<str:company_id>/projects", plans.Projects.as_view()),
    path("companies/<str:company_id>/dashboard", overview.Dashboard.as_view()),
    path("companies/<str:company_id>/cost-events", costs.CostEvents.as_view()),
    path("companies/<str:company_id>/costs/by-project", costs.ByProject.as_view()),
    path("goals/<str:goal_id>", plans.OneGoal.as_view()),
    path("projects/<str:project_id>", plans.OneProject.as_view()),
    path("projects/<str:project_id>/repository", repositories.Repository.as_view()),
    path("issues/<str:issue_id>/branch", repositories.Branch.as_view()),
    path("issues/<str:issue_id>/documents", documents.Documents.as_view()),
    path("issues/<str:issue_id>/documents/<str:key>", documents.OneDocument.as_view()),
    path(
        "issues/<str:issue_id>/documents/<str:key>/revisions",
        documents.Revisions.as_view(),
    ),
    path("issues/<str:issue_id>/work-products", work.WorkProducts.as_view()),
    path("work-products/<str:product_id>", work.OneWorkProduct.as_view()),
    path("agents/me/inbox-lite", issues.Inbox.as_view()),
    path("agents/<str:agent_id>/heartbeat/invoke", wakes.Invoke.as_view()),
    path("agents/<str:agent_id>/wakeup", wakes.Wake.as_view()),
    path("issues/<str:issue_id>", issues.OneIssue.as_view()),
    path("issues/<str:issue_id>/why", why.IssueWhy.as_view()),
    path("issues/<str:issue_id>/checkout", issues.Checkout.as_view()),
    path("issues/<str:issue_id>/release", issues.Release.as_view()),
    path("issues/<str:issue_id>/children", issues.Children.as_view()),
    path("issues/<str:issue_id>/comments", thread.Comments.as_view()),
    path(
        "issues/<str:issue_id>/comments/<str:comment_id>", thread.OneComment.as_view()
    ),
    path("issues/<str:issue_id>/heartbeat-context", thread.HeartbeatContext.as_view()),
    path("issues/<str:issue_id>/activity", thread.IssueActivity.as_view()),
    path("issues/<str:issue_id>/runs", thread.IssueRuns.as_view()),
]
