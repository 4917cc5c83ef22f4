from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from issues.template import Template
from paperclip.commands import PaperclipCommand, actor, operator
from paperclip.first_start import REHEARSAL, model_at_hand


class Command(PaperclipCommand):
    help = (
        "Found a company from a template, a folder with a company.toml:"
        " manage.py import_company templates/digiton --name Acme --prefix ACM"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("place", type=Path, help="the folder, or the file")
        add("--name", default="", help="another name than the template's")
        add("--prefix", default="", help="what its issues begin with, as in DIG-1")
        add("--model", default="", help="of agents that name none, as LiteLLM says it")
        add("--api-base", default="", help="the server of that model, if it is yours")
        add("--rehearsal", type=int, metavar="SEED", help="a rehearsal of that story")

    def handle(self, *args: Any, **options: Any) -> None:
        model = model_of(**options)
        company = Template.read(options["place"]).found(
            owner=operator(),
            by=actor(),
            name=options["name"],
            prefix=options["prefix"],
            rehearsal=options["rehearsal"] is not None,
            **(model or {}),
        )
        self.stdout.write(
            f"{company} ({company.issue_prefix}) is founded, with"
            f" {company.agents.count()} agents."
        )
        if model is None:
            self.stdout.write(
                "There is no model key yet: its runs fail until .env has one."
            )


def model_of(
    *, model: str, api_base: str, rehearsal: int | None, **_: Any
) -> dict[str, str] | None:
    """The model for the agents: the one that was named, else the script of a
    rehearsal, else what there is here; None when there is none."""
    if model:
        return {"model": model, "api_base": api_base}
    if rehearsal is not None:
        return {"model": f"{REHEARSAL}{rehearsal}"}
    return model_at_hand()
