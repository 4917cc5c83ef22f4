from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q

from agents import runlog
from agents.models import Agent, Run
from issues.models import Issue
from paperclip.commands import PaperclipCommand, actor, company_named

POLL = 0.2
UNCLAIMED = 5


class Command(PaperclipCommand):
    help = "Wake an agent and follow its log. Exits with 0 when the run succeeded."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", help="name or id")
        parser.add_argument("--issue", metavar="DIG-1", help="what it is woken about")
        parser.add_argument(
            "--company", help="its prefix or name; that of the issue if left out"
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=3600,
            metavar="S",
            help="stop following after so long; the run goes on (default: 3600)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        issue, named = None, options["company"]
        if options["issue"]:
            issue = Issue.objects.get_for(actor(), options["issue"])
            named = named or issue.company.issue_prefix
        agent = self._agent(options["agent"], named)
        if issue and issue.company != agent.company:
            raise CommandError(f"{issue.identifier} is not of {agent.company}.")
        wakeup = agent.wake(
            "on_demand",
            "manual",
            by=actor(),
            detail="manual",
            issue_id=issue.pk if issue else None,
        )
        assert wakeup.run is not None  # noqa: S101 (on-demand wakes run or raise)
        if wakeup.status == wakeup.Status.COALESCED:
            self.stderr.write(f"{agent} has a run waiting already; following that one.")
        run = self._follow(wakeup.run, time.monotonic() + options["wait"])
        if run.is_open:
            raise CommandError(f"Still {run.status} after {options['wait']:g} s.")
        if run.status != Run.Status.SUCCEEDED:
            raise CommandError(f"{agent}: {run.status}. {run.error or ''}".strip())
        self.stderr.write(self.style.SUCCESS(f"{agent}: succeeded."))

    def _agent(self, name: str, company: str | None) -> Agent:
        agents = Agent.objects.employed().filter(company=company_named(company))
        if (
            agent := agents.filter(Q(name__iexact=name) | Q(url_key=name)).first()
        ) is None:
            names = ", ".join(agents.values_list("name", flat=True)) or "nobody yet"
            raise CommandError(f"There is no agent called {name}. There is: {names}.")
        return agent

    def _follow(self, run: Run, until: float) -> Run:
        """Print the log as it grows until the run ends or the time is up."""
        offset, asked = 0, time.monotonic()
        while True:
            run.refresh_from_db()
            text, after = runlog.read(run, offset)
            for line in runlog.lines(text):
                out = self.stdout if line["stream"] == "stdout" else self.stderr
                out.write(line["chunk"], ending="")
                out.flush()
            if after is None and not run.is_open:
                return run
            offset = after or offset
            if time.monotonic() > until:
                return run
            if (
                asked
                and run.status == "queued"
                and time.monotonic() > asked + UNCLAIMED
            ):
                self.stderr.write(
                    "Waiting: the agent is busy, or no worker runs (manage.py up)."
                )
                asked = 0
            time.sleep(POLL)
