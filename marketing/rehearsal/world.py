"""The worlds of the companies that rehearse here, as one program:

    python -m marketing.rehearsal.world

It serves whatever has a plan in <home>/worlds, and waits for the next one. Without any
it is a few megabytes that sleep.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from marketing.rehearsal import ports
from paperclip import home

if TYPE_CHECKING:
    from werkzeug import Request, Response

    from marketing.rehearsal.plan import Plan

LOOK_SECONDS = 1.0
FILES = "worlds/*/world.json"
PROJECT = "prj_digiton"


class Part(Protocol):
    @property
    def is_up(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class World:
    """The servers of one company's world, by name; each can be switched off alone."""

    def __init__(self, place: Path) -> None:
        # Here, so that the program that waits does without their memory.
        from marketing.rehearsal.plan import Plan

        self.place, self.plan = place, Plan.read(place)
        self.parts: dict[str, Part] = dict(parts_of(self.plan, place))

    def start(self, *names: str) -> None:
        """Start these, or all. One that cannot be started is written down, and the
        others are: what it would have proven stays unverified."""
        for name in names or self.parts:
            try:
                self.parts[name].start()
            except OSError as error:
                tell(f"{name} of {self.place.name} does not start: {error.strerror}")
        self.note()

    def stop(self, *names: str) -> None:
        for name in names or self.parts:
            self.parts[name].stop()

    def start_again(self) -> None:
        """Start what has ended or could not be started, where it can be now."""
        down = [name for name, part in self.parts.items() if not part.is_up]
        for name in down:
            with suppress(OSError):
                self.parts[name].start()
                tell(f"{name} of {self.place.name} is there.")
        if down:
            self.note()

    def note(self) -> None:
        """Write down whose ports others have."""
        taken = {
            name: port
            for part, one in self.parts.items()
            if not one.is_up
            for name, port in self.ports_of(part).items()
            if not ports.is_free(port)
        }
        if taken != ports.noted(self.place):
            ports.note(self.place, taken)

    def ports_of(self, part: str) -> dict[str, int]:
        names = ("smtp", "imap") if part == "mail" else (part,)
        return {name: self.plan.ports[name] for name in names}


def parts_of(plan: Plan, place: Path) -> Iterator[tuple[str, Part]]:
    from marketing.rehearsal.deploys import Deploys
    from marketing.rehearsal.mail import Mail
    from marketing.rehearsal.plan import MAIL_USER, RIVALS
    from marketing.rehearsal.press import Press
    from marketing.rehearsal.services import Services
    from marketing.rehearsal.web import Server

    deploys = Deploys(place / "site.git", plan.vercel_token, PROJECT)
    yield "site", Server(plan.ports["site"], deploys.answer)
    services = Services(plan, deploys)
    yield "services", Server(plan.ports["services"], services.answer)
    press = Press(plan.url("site"))
    yield "press", Server(plan.ports["press"], press.answer)
    for name in RIVALS:
        yield name, Server(plan.ports[name], rival(name, plan.url("services", "/seen")))
    smtp, imap = plan.ports["smtp"], plan.ports["imap"]
    yield "mail", Mail(smtp, imap, MAIL_USER, plan.mail_password)


def rival(name: str, tracker: str) -> Callable[[Request], Response]:
    """What answers for one of the six."""
    from werkzeug import Response

    from marketing.rehearsal.rivals import SITES
    from marketing.rehearsal.web import missing

    pages = SITES[name](tracker)

    def answer(request: Request) -> Response:
        found = pages.get(request.path)
        if found is None:
            return missing()
        # A Response can be called, too.
        return found if isinstance(found, Response) else found(request)

    return answer


def tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    worlds: dict[Path, World] = {}
    while True:
        for file in home.path().glob(FILES):
            place = file.parent
            if place not in worlds:
                worlds[place] = World(place)
                worlds[place].start()
                tell(f"The world of {place.name} is there.")
            worlds[place].start_again()
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
