from argparse import REMAINDER
from typing import Any

from django.core.management.base import CommandError, CommandParser

from agents.adapters import ADAPTERS
from agents.models import Agent
from agents.models.roles import ROLES
from agents.naming import model_problem, name_problem, rehearsal_model
from paperclip.commands import PaperclipCommand, actor, company_named


class Command(PaperclipCommand):
    help = (
        "Hire an agent. With --model the built-in loop works for it; else what follows"
        " --run is the program that runs when it wakes:"
        " manage.py hire Dev --role engineer --manager CTO --run python3 dev.py"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("name", help="also its @mention")
        add("--role", choices=ROLES, default="general")
        add("--title")
        add("--company", help="prefix or name; needed when there are several")
        add("--manager", metavar="NAME", help="whom it reports to")
        add("--reviewer", metavar="NAME", help="who reviews its work")
        add("--capabilities", help="what it is good at, in words")
        add("--tools", default="", help="comma list of the tools it may use")
        add("--interval", type=int, default=0, metavar="S", help="timer; 0 is none")
        add("--budget", type=int, default=0, metavar="CENTS", help="per month")
        add("--adapter", choices=sorted(ADAPTERS), help="what runs; seldom needed")
        add("--model", help="its model, such as gemini/gemini-flash-lite-latest")
        add("--timeout", type=int, metavar="S", help="end a run after so long")
        add(
            "--run",
            nargs=REMAINDER,
            metavar="PROGRAM",
            help="comes last: the program that runs when it wakes, and its arguments",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        company = self._company(options)
        adapter, config = self._work(options)
        if problem := name_problem(options["name"]):
            raise CommandError(problem)
        if adapter == "litellm" and company.rehearsal:
            config.setdefault("model", rehearsal_model(company))
        if "model" in config and (problem := model_problem(company, config["model"])):
            raise CommandError(problem)
        tools = [tool for tool in options["tools"].split(",") if tool]
        agent = Agent.objects.hire(
            company,
            by=actor(),
            name=options["name"],
            role=options["role"],
            title=options["title"],
            capabilities=options["capabilities"],
            reports_to=self._colleague(company, options["manager"]),
            reviewer=self._colleague(company, options["reviewer"]),
            heartbeat_enabled=options["interval"] > 0,
            interval_seconds=options["interval"],
            budget_monthly_cents=options["budget"],
            adapter_type=adapter,
            adapter_config=config,
            **({"tools": tools} if tools else {}),
        )
        self.stdout.write(f"{agent} works for {company} now ({agent.pk}).")

    def _company(self, options: dict[str, Any]) -> Any:
        try:
            return company_named(options["company"])
        except CommandError as error:
            if "--company" not in (options["run"] or []):
                raise
            raise CommandError(
                f"{error} Everything after --run is the program's: write --company"
                " before it."
            ) from error

    def _work(self, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The adapter and its configuration."""
        if options["run"] and options["model"]:
            raise CommandError("--model is for the built-in loop, --run for a program.")
        config: dict[str, Any] = {}
        if options["timeout"] is not None:
            config["timeoutSec"] = options["timeout"]
        if options["run"]:
            program, *arguments = options["run"]
            config |= {"command": program, "args": arguments}
            return options["adapter"] or "process", config
        if options["model"]:
            return options["adapter"] or "litellm", config | {"model": options["model"]}
        if options["adapter"] == "litellm":
            return "litellm", config
        raise CommandError(
            "Say what it works with: --model and a model, or what runs when it wakes,"
            " after --run: ... --run sh agent.sh"
        )

    def _colleague(self, company: Any, name: str | None) -> Agent | None:
        if name is None:
            return None
        found = Agent.objects.employed().filter(company=company, name__iexact=name)
        if not found:
            raise CommandError(f"{company} has no agent called {name}. Hire it first.")
        return found[0]
