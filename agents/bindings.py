"""The environment of an agent: texts, and references to secrets that operators bound to
it. What a reference stands for is read when a run starts, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework import serializers

from agents.models.secret import Secret, as_seen, must_keep_secrets
from agents.models.secret_binding import AGENT, SecretBinding
from agents.models.secret_version import SecretVersion
from paperclip import audit
from paperclip.actors import Actor
from paperclip.exceptions import Invalid
from paperclip.scrub import Scrubber
from paperclip.vault import Unreadable

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from agents.models.agent import Agent
    from agents.models.run import Run
    from paperclip.models import Company

# Names that values have which nobody should see.
LOOKALIKE = re.compile(
    r"(^|_)(api_?key|key|token|secret|passw(or)?d|pass|pwd|credentials?|dsn|auth)(_|$)",
    re.IGNORECASE,
)
PLAIN, REFERENCE, LATEST = "plain", "secret_ref", "latest"


class Reference(NamedTuple):
    """What a configuration holds in place of a value; no version is the latest."""

    secret_id: str
    version: int | None

    @property
    def wire(self) -> dict[str, Any]:
        version = self.version or LATEST
        return {"type": REFERENCE, "secretId": self.secret_id, "version": version}


class Variable(serializers.Field):
    """A text, `{"type": "plain", "value"}`, or `{"type": "secret_ref", "secretId",
    "version"}`: a number, or "latest", which is also what it is without one."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            return data
        told = data if isinstance(data, dict) else {}
        if told.get("type") == PLAIN and isinstance(told.get("value"), str):
            return told["value"]
        if found := reference_in(told):
            return found.wire
        raise serializers.ValidationError(
            'Write a text, or {"type": "secret_ref", "secretId": "...", "version":'
            ' "latest"}.'
        )

    def to_representation(self, value: Any) -> Any:
        return value


def reference_in(value: Any) -> Reference | None:
    if not isinstance(value, dict) or value.get("type") != REFERENCE:
        return None
    version = value.get("version", LATEST)
    if version != LATEST and (not isinstance(version, int) or version < 1):
        return None
    try:
        secret_id = str(UUID(str(value.get("secretId"))))
    except ValueError:
        return None
    return Reference(secret_id, None if version == LATEST else int(version))


def references(config: Mapping[str, Any]) -> dict[str, Reference]:
    """The references in an environment, by the name of their variable."""
    env = config.get("env") or {}
    found = {name: reference_in(value) for name, value in env.items()}
    return {name: reference for name, reference in found.items() if reference}


def plain(config: Mapping[str, Any]) -> dict[str, str]:
    """The variables that are texts."""
    env = config.get("env") or {}
    return {name: value for name, value in env.items() if isinstance(value, str)}


def in_words(agent: Agent, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration for people: names in place of references."""
    if not (told := references(config)):
        return config
    names = {str(one.secret_id): one.secret.name for one in bound_to(agent)}
    said = {
        name: _("the secret %(name)s") % {"name": names.get(one.secret_id, "?")}
        for name, one in told.items()
    }
    return {**config, "env": {**config["env"], **said}}


def lookalikes(config: Mapping[str, Any]) -> list[str]:
    """The variables in clear that look like secrets, by their names."""
    told = plain(config).items()
    return [name for name, text in told if LOOKALIKE.search(name) and Scrubber([text])]


@transaction.atomic
def without_lookalikes(
    company: Company, agent: str, config: dict[str, Any], *, by: Actor
) -> dict[str, Any]:
    """The configuration with references to new secrets in place of what looks like one.
    They are called by the agent and the variable."""
    env = dict(config.get("env") or {})
    names = Secret.objects.filter(company=company).values_list("name", flat=True)
    taken = set(map(as_seen, names))
    for name in lookalikes(config):
        wanted = re.sub(r"[^\w .:/@-]", "", f"{agent} {name}").strip()[-100:]
        called = next(n for n in numbered(wanted) if as_seen(n) not in taken)
        taken.add(as_seen(called))
        secret = Secret.objects.keep(company, by=by, name=called, value=env[name])
        env[name] = Reference(str(secret.pk), None).wire
    return {**config, "env": env} if env else config


def numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} {number}" for number in count(2))


@transaction.atomic
def keep_lookalikes(agent: Agent, *, by: Actor) -> None:
    """Make secrets of the agent's values that look like some; its programs get them
    as before."""
    must_keep_secrets(by, agent.company_id)
    config = agent.adapter_config
    config = without_lookalikes(agent.company, agent.name, config, by=by)
    agent.change(by=by, adapter_config=config)


def path_of(name: str) -> str:
    return f"env.{name}"


def bind(agent: Agent, *, by: Actor) -> None:
    """Make the bindings what the agent's configuration says, in the caller's
    transaction. Invalid for a secret of nobody or of another company; NotAllowed unless
    an operator binds."""
    told = references(agent.adapter_config)
    wanted = {path_of(name): reference for name, reference in told.items()}
    ours = bound_to(agent)
    there = {one.path: one for one in ours}
    for path, binding in there.items():
        if path not in wanted:
            release(binding, by=by)
    for path, reference in wanted.items():
        known = there.get(path)
        if known is None or str(known.secret_id) != reference.secret_id:
            bind_one(agent, path, reference, by=by)
    bound_to(agent).exclude(label=agent.name).update(label=agent.name)


def bound_to(agent: Agent) -> QuerySet[SecretBinding]:
    rows = SecretBinding.objects.filter(target_type=AGENT, target_id=str(agent.pk))
    return rows.select_related("secret")


def release_all(agent: Agent, *, by: Actor) -> None:
    for binding in bound_to(agent):
        release(binding, by=by)


def bind_one(agent: Agent, path: str, reference: Reference, *, by: Actor) -> None:
    secrets = Secret.objects.filter(company=agent.company_id, pk=reference.secret_id)
    secret = secrets.first()
    if secret is None:
        said = f"There is no secret {reference.secret_id} in {agent.company}."
        raise Invalid(said, env=said)
    secret.bind(AGENT, agent.pk, path, label=agent.name, by=by)


@transaction.atomic
def release(binding: SecretBinding, *, by: Actor) -> None:
    """Let it be read there no more; who may is the caller's affair."""
    secret = binding.secret
    audit.record(by, "secret.unbound", secret, name=secret.name, to=str(binding))
    binding.delete()


def environment_of(run: Run) -> tuple[dict[str, str], list[str]]:
    """The agent's own environment for this run, and every value that must not be seen
    in what it prints: also those that earlier runs of it were given, for they may have
    written them down. Refuses as given_to does."""
    given = given_to(run)
    told = plain(run.agent.adapter_config)
    return {**told, **given}, [*told.values(), *held_by(run.agent)]


def held_by(agent: Agent) -> list[str]:
    """The values that runs of the agent were ever given. One that cannot be read any
    more is not among them."""
    found = []
    if agent.holds_secrets:
        for version in SecretVersion.objects.filter(held_by=agent):
            with suppress(Unreadable):
                found.append(version.open())
    return found


@transaction.atomic
def given_to(run: Run) -> dict[str, str]:
    """What the agent's environment refers to, read for this run, which is recorded.

    Invalid for what no operator has bound; Conflict for a version that was revoked or
    cannot be read: then the run does not start.
    """
    agent = run.agent
    wanted = references(agent.adapter_config)
    if not wanted:
        return {}
    bound = {(b.path, str(b.secret_id)): b.secret for b in bound_to(agent)}
    by, given = Actor.of_agent(agent, run), {}
    for name, reference in sorted(wanted.items()):
        secret = bound.get((path_of(name), reference.secret_id))
        if secret is None:
            raise Invalid(
                f"{name} in the environment of {agent} refers to a secret that no"
                " operator has bound to it. Save the agent's form again."
            )
        version = secret.read(by=by, use=path_of(name), number=reference.version)
        version.held_by.add(agent)
        given[name] = version.value
    if not agent.holds_secrets:
        type(agent).objects.filter(pk=agent.pk).update(holds_secrets=True)
        agent.holds_secrets = True
    return given
