from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from paperclip import checkpoints, sealing, verification
from paperclip.commands import PaperclipCommand, company_named
from paperclip.models import Company
from paperclip.verification import Report


class Command(PaperclipCommand):
    help = (
        "Compute the seals of what was done anew, and hold them against the signed"
        " checkpoints; the exit code is 1 when something was changed, removed, put in"
        " or reordered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", help="its prefix or name; else all")
        parser.add_argument("--json", action="store_true")
        parser.add_argument(
            "--checkpoints",
            type=Path,
            metavar="DIR",
            help="copies of the files of checkpoints, kept elsewhere",
        )
        parser.add_argument(
            "--key", default="", help="the public key they were signed with"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        named, place = options["company"], options["checkpoints"]
        if place and not place.is_dir():
            raise CommandError(f"{place} is not a directory.")
        try:
            checkpoints.signer(options["key"])
        except ValueError:
            raise CommandError(
                "That --key is none. `checkpoint_audit` prints the right one."
            ) from None
        companies = [company_named(named)] if named else [*Company.objects.all()]
        reports = {}
        for company in companies:
            file = place and place / checkpoints.file_of(company.pk).name
            report = verification.verify(company.pk, file, options["key"])
            verification.keep(company, report)
            reports[company.name] = report
        if not named:
            reports |= verification.of_removed(place)
        self.tell(reports, as_json=options["json"])
        if tables := sealing.unguarded():
            self.stderr.write(
                f"Changes to {', '.join(tables)} are not refused: see `doctor`."
            )
        if broken := [name for name, one in reports.items() if one.findings]:
            raise CommandError(f"Not as it was sealed: {', '.join(broken)}.")

    def tell(self, reports: dict[str, Report], *, as_json: bool) -> None:
        if as_json:
            told = {name: asdict(report) for name, report in reports.items()}
            self.stdout.write(json.dumps(told, indent=2))
            return
        for name, report in reports.items():
            said = f"{report.entries:,} entries, {report.checkpoints:,} checkpoints"
            if not report.findings:
                self.stdout.write(f"{name}: {said}: as they were sealed")
                continue
            self.stdout.write(f"{name}: {said}, {len(report.findings):,} findings:")
            for one in report.findings:
                self.stdout.write(f"  {one}")
