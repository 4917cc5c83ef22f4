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
        at_hand, seed = model_at_hand(), options["rehearsal"]
        model = options["model"] or ("" if seed is None else f"{REHEARSAL}{seed}")
        if not model and at_hand:
            model = at_hand.model
        company = Template.read(options["place"]).found(
            owner=operator(),
            by=actor(),
            name=options["name"],
            prefix=options["prefix"],
            model=model,
            api_base=options["api_base"],
            rehearsal=seed is not None,
            active=None if model or at_hand else [],
        )
        self.stdout.write(
            f"{company} ({company.issue_prefix}) is founded, with"
            f" {company.agents.count()} agents."
        )
        if not (model or at_hand):
            self.stdout.write(
                "There is no model key yet, so they are paused: none of them could"
                " think. Write one into .env, start Paperclip again, and resume them"
                " in the console."
            )
