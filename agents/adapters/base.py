from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from agents.bindings import Variable
from agents.models.run import Run
from agents.sessions import Thread
from paperclip.exceptions import Refused

if TYPE_CHECKING:
    from agents.models import Agent


@dataclass
class Outcome:
    """How one execution went: the status of the run and its other columns.

    `put_off`: it could not begin through nobody's fault; the same work is begun anew
    after so many seconds. `thread`: what it was given to go on with.
    """

    status: str
    columns: dict[str, Any] = field(default_factory=dict)
    put_off: float | None = None
    thread: Thread = field(default_factory=Thread)


def refused(error: Refused) -> Outcome:
    """It could not begin as it is configured."""
    columns = {"error": str(error), "error_code": "configuration_incomplete"}
    return Outcome(Run.Status.FAILED, columns)


@dataclass(frozen=True)
class Context:
    """What an adapter is given: the run, its environment and a way to stay alive.

    `beat` renews the lease, at most as often as needed. When it answers False the run
    is over for everyone else: the adapter ends what it started and returns.
    """

    run: Run
    env: dict[str, str] = field(repr=False)
    beat: Callable[[], bool]
    thread: Thread = field(default_factory=Thread)


class Config(serializers.Serializer[Any]):
    """Base of the adapters' configuration forms: unknown keys are refused."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            known = ", ".join(sorted(self.fields))
            raise serializers.ValidationError(
                {key: [f"Unknown key. Known: {known}."] for key in sorted(unknown)}
            )
        return super().to_internal_value(data)


class SessionConfig(Config):
    """For adapters that resume: a session ends before its context has `sessionTokens`,
    after `maxSessionRuns` runs or `maxSessionAgeHours`; a fresh one takes over."""

    sessionTokens = serializers.IntegerField(
        min_value=1000, max_value=10_000_000, required=False
    )
    maxSessionRuns = serializers.IntegerField(
        min_value=1, max_value=10_000, required=False
    )
    maxSessionAgeHours = serializers.IntegerField(
        min_value=1, max_value=8760, required=False
    )


class EnvironmentConfig(SessionConfig):
    """For adapters whose programs get an environment."""

    env = serializers.DictField(child=Variable(), required=False)

    def validate_env(self, value: dict[str, Any]) -> dict[str, Any]:
        if ours := sorted(name for name in value if name.startswith("PAPERCLIP_")):
            raise serializers.ValidationError(
                f"{', '.join(ours)} are set by Paperclip."
            )
        if any("=" in name or "\0" in f"{name}{told}" for name, told in value.items()):
            raise serializers.ValidationError("A name or value holds = or NUL.")
        return value


class Adapter(ABC):
    Config: type[Config] = Config
    # The tools it has; None when its programs bring their own, called what they like.
    TOOLS: Sequence[str] | None = None
    # What an agent gets of them that was hired without a list.
    DEFAULT_TOOLS: Sequence[str] = ()
    # The context a session is kept below. Half of the smallest window that programs
    # that resume come with (200,000), so that a run has as much again for itself.
    SESSION_TOKENS = 100_000
    # Whether its programs call a model past the gateway: then what they use is what
    # they say, or an estimate.
    REPORTS_USAGE = False

    @abstractmethod
    def execute(self, context: Context) -> Outcome:
        """Run one heartbeat to its end. What the agent's program does wrong is an
        Outcome; an exception means that Paperclip itself is at fault.

        A heartbeat takes minutes: close the connection to the database before waiting,
        for those who need it meanwhile."""

    @classmethod
    def reads_outside(cls, agent: Agent) -> str:
        """Why its program may read what strangers write without our seeing it; empty
        when it cannot, or reports it."""
        return "a program of its own"
