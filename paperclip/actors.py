"""Who acts. Every verb takes one as `by=`; nothing is read from thread-locals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from paperclip import roles
from paperclip.exceptions import NotAllowed
from paperclip.scrub import Scrubber

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.models import User

NOTHING = Scrubber([])


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an agent (through one run of it, when it has one) or the system itself.

    Only authentication and the commands make one, so authorship follows from the
    credential alone. `agent` and `run` are rows of the floor above.
    """

    kind: Literal["user", "agent", "system"]
    id: str
    name: str
    user: User | None = None
    agent: Any = None
    run: Any = None
    # What is taken out of all that it writes; see paperclip.scrub.
    scrubber: Scrubber = NOTHING
    is_authenticated = True

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of_user(cls, user: User) -> Actor:
        return cls("user", str(user.pk), user.get_username(), user=user)

    @classmethod
    def of_agent(cls, agent: Any, run: Any = None) -> Actor:
        return cls("agent", str(agent.pk), agent.name, agent=agent, run=run)

    @property
    def run_id(self) -> UUID | None:
        return self.run.pk if self.run else None

    @property
    def doer(self) -> Any:
        """The agent whose doing it is, whatever credential its run uses; or None."""
        return self.agent or (self.run.agent if self.run else None)

    @property
    def is_person(self) -> bool:
        """A person at the keyboard, and not a program with a person's key in a run."""
        return self.kind == "user" and self.run is None

    def must_be_operator(self, company_id: UUID, act: str) -> None:
        """Refuse with 403 unless a member acts whose role may do it (or the system)."""
        if self.kind == "system":
            return
        if self.user is None:
            raise NotAllowed(f"Only an operator can {act}.")
        role = self.user.role_in(company_id)
        if not roles.allows(role, act):
            raise NotAllowed(roles.refusal(role, act), takes=roles.LEAST[act].value)

    def must_write(self, company_id: UUID, act: str) -> None:
        """Refuse with 403 a person whose role may not do it; agents may."""
        if self.kind == "user":
            self.must_be_operator(company_id, act)


SYSTEM = Actor("system", "system", "Paperclip")
