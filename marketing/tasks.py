"""Doorbells: each task looks at the database and calls one verb."""

from celery import shared_task
from django.utils.timezone import now

from marketing import conduct, results
from marketing.models import JobRun


@shared_task
def tick(company_id: str, job: str) -> None:
    JobRun.objects.tick(company_id, job, now())


@shared_task
def look(job_run_id: str) -> None:
    conduct.look(job_run_id)


@shared_task
def mail_results() -> None:
    results.mail_month(now())
