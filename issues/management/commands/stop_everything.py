from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error, connection

from agents import stopping
from agents.models import Run
from paperclip import home, processes
from paperclip.actors import SYSTEM
from paperclip.commands import PaperclipCommand
from paperclip.models import Company, Instance

# Whoever is at this machine may do everything on it.
BY = replace(SYSTEM, name="The command line")
# So many seconds the database has the first word, and we wait for its last one.
FIRST_WORD, LAST_WORD = 2.0, 15.0
GRACE = 3.0


class Command(PaperclipCommand):
    help = (
        "Stop every agent of every company, now: runs are cancelled, processes ended,"
        " and nothing starts until --resume. Works when everything else is dead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--resume", action="store_true", help="let them work again")
        parser.add_argument("--company", metavar="PREFIX", help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["company"]:
            company = company_of(options["company"])
            (self.resume if options["resume"] else self.stop)(company)
        elif options["resume"]:
            stopping.resume_everything(by=BY)
            self.stdout.write("Agents start again, in every company that is active.")
        else:
            self.stop_everything()

    def resume(self, company: Company) -> None:
        stopping.resume_company(company, by=BY)
        self.stdout.write(f"{company} works again.")

    def stop(self, company: Company) -> None:
        Run.objects.stop_company(company, by=BY)
        self.end_processes(PAPERCLIP_COMPANY_ID=str(company.pk))
        self.stdout.write(f"{company} is stopped. --resume lets it work again.")

    def stop_everything(self) -> None:
        """Write it down, unless the database takes too long, and end the processes. In
        this order: a program that ends while its run is live counts as failed."""
        note = Note()
        note.join(FIRST_WORD)
        self.end_processes()
        note.join(LAST_WORD)
        if not note.is_written:
            raise CommandError(
                f"It could not be written down: {note.problem} When the database is"
                " back, agents start anew. Run this again then."
            )
        self.stdout.write("Nothing starts any more. --resume lets agents start again.")
        if note.problem:
            raise CommandError(
                f"Not every run could be cancelled: {note.problem} The clock goes on"
                " with that when it runs, or run this again."
            )

    def end_processes(self, **marks: str) -> None:
        marks |= {"PAPERCLIP_INSTANCE": home.instance_id()}
        ended = processes.end(marks, GRACE)
        self.stdout.write(f"Processes of agents ended on this machine: {ended}.")


class Note(threading.Thread):
    """Writes down that everything is stopped. In a thread, for a database may hang for
    ever, and this one need not end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.is_written = False
        self.problem = "The database does not answer."
        self.start()

    def run(self) -> None:
        try:
            Instance.objects.current().stop(by=BY)
            self.is_written = True
            stopping.carry_through()
            self.problem = ""
        except Error as error:
            self.problem = f"{str(error).strip().splitlines()[0]}."
        finally:
            connection.close()


def company_of(prefix: str) -> Company:
    """Whoever's it is: this is for emergencies."""
    found = Company.objects.filter(issue_prefix__iexact=prefix).first()
    if found is None:
        known = ", ".join(
            f"{one.issue_prefix} ({one})" for one in Company.objects.all()
        )
        raise CommandError(f"There is no company {prefix!r}. There is: {known}.")
    return found
