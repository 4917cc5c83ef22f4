from django.urls import path

from marketing.api import jobs, work

urlpatterns = [
    path("companies/<str:company_id>/jobs", jobs.Jobs.as_view()),
    path("companies/<str:company_id>/jobs/<str:job>/run", jobs.RunJob.as_view()),
    path("companies/<str:company_id>/jobs/<str:job>/runs", jobs.JobRuns.as_view()),
    path("job-runs/<str:run_id>", jobs.OneJobRun.as_view()),
    path("companies/<str:company_id>/keyword-gaps", work.Gaps.as_view()),
    path("companies/<str:company_id>/posts", work.Posts.as_view()),
    path("posts/<str:post_id>", work.OnePost.as_view()),
    path("companies/<str:company_id>/rank-readings", work.Readings.as_view()),
    path("companies/<str:company_id>/messages", work.Messages.as_view()),
    path("companies/<str:company_id>/messages/export", work.Export.as_view()),
]
