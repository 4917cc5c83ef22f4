"""One model call of one run: allowed, paid for, made, and entered into the ledger."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_fixed,
)

from agents.gateway import budget, rehearse
from agents.gateway.errors import NoAnswer
from agents.gateway.usage import Usage
from agents.models import ProviderAccount

if TYPE_CHECKING:
    from agents.models import Run

ANY = "default"  # a client that knows no names may ask for the agent's model like this
SECONDS = settings.MODEL_TIMEOUT
SETTLING = Retrying(
    retry=retry_if_exception_type((OperationalError, InterfaceError)),
    stop=stop_after_delay(20),
    wait=wait_fixed(0.5),
    before_sleep=lambda _: connection.close(),
    reraise=True,
)


def call_of(run: Run, request: dict[str, Any]) -> Call:
    """The call, ready to be made. NoAnswer for a model that is not the agent's and for
    a spent budget."""
    name = run.agent.adapter_config.get("model") or settings.DEFAULT_MODEL
    if request.get("model", ANY) not in (name, ANY):
        raise NoAnswer(
            "model_not_allowed",
            f"{run.agent} works with {name}, not with {request['model']}. An operator"
            " can change that.",
        )
    must_fit(run, name)
    budget.reserve(run)
    kind = Rehearsed if name.startswith(rehearse.PREFIX) else Provided
    return kind(run, {**request, "model": name})


def server_of(model: str) -> str | None:
    """Where the instance's own model is; None for every other: its provider has it."""
    ours = model == settings.DEFAULT_MODEL
    return (settings.MODEL_API_BASE if ours else "") or None


def must_fit(run: Run, name: str) -> None:
    """A rehearsal pays nobody, and nothing invented gets among real results."""
    company, config = run.agent.company, run.agent.adapter_config
    scripted = name.startswith(rehearse.PREFIX)
    if company.rehearsal and not scripted and not config.get("apiBase"):
        raise NoAnswer(
            "model_not_allowed",
            f"{company} is a rehearsal and pays for no model. Leave the rehearsal to"
            f" work with {name}.",
        )
    if scripted and not company.rehearsal:
        raise NoAnswer(
            "model_not_allowed",
            f"{name} makes things up: it works in a rehearsal only. Give {run.agent} a"
            " real model.",
        )


class Call(ABC):
    def __init__(self, run: Run, request: dict[str, Any]) -> None:
        self.id = uuid4()
        self.run, self.request = run, request

    @abstractmethod
    def answer(self) -> str:
        """The completion as JSON. Its cost is in the ledger."""

    @abstractmethod
    def stream(self) -> Iterator[dict[str, Any]]:
        """The chunks. However it ends, what was used is in the ledger then."""

    @property
    def streams(self) -> bool:
        return bool(self.request.get("stream"))

    @property
    def wants_usage(self) -> bool:
        return bool((self.request.get("stream_options") or {}).get("include_usage"))

    def settle(self, provider: str, usage: Usage, cost: int | None) -> None:
        """Enter it into the ledger. A database that is away for a moment is waited for:
        the provider's bill comes whether we have a row or not."""
        for attempt in SETTLING.copy():
            with attempt:
                budget.settle(
                    self.run,
                    self.id,
                    provider=provider,
                    model=self.request["model"],
                    usage=usage,
                    cost=cost,
                )


class Rehearsed(Call):
    """A call of the script."""

    def answer(self) -> str:
        return text_of(self._completion())

    def stream(self) -> Iterator[dict[str, Any]]:
        yield from rehearse.chunks(self._completion())

    def _completion(self) -> dict[str, Any]:
        completion, usage = rehearse.answer(self.request)
        self.settle("rehearsal", usage, 0)
        return completion


class Provided(Call):
    """A call of a provider, through LiteLLM."""

    def __init__(self, run: Run, request: dict[str, Any]) -> None:
        # Here, so that a rehearsal does without LiteLLM's memory.
        from agents.gateway.providers import Model

        super().__init__(run, request)
        own = run.agent.adapter_config.get("apiBase")
        self._model = Model(request["model"], own or server_of(request["model"]))

    def answer(self) -> str:
        with self._account():
            found = self._model.complete(self.request, SECONDS)
            said = text_of(found.model_dump(mode="json", exclude_none=True))
            stated = Usage.stated(getattr(found, "usage", None))
            self._settle(stated or self._guess(said))
        return said

    def stream(self) -> Iterator[dict[str, Any]]:
        with self._account():
            chunks = self._model.complete(self.request, SECONDS)
            yield from self._passed_on(chunks)

    def _passed_on(self, chunks: Any) -> Iterator[dict[str, Any]]:
        stated, said = None, []
        try:
            for chunk in self._model.stream(chunks):
                found = chunk.model_dump(mode="json", exclude_none=True)
                said.append(json.dumps([one["delta"] for one in found["choices"]]))
                if here := Usage.stated(getattr(chunk, "usage", None)):
                    stated, found["choices"] = here, []
                yield found
        finally:
            # LiteLLM makes up a usage for a stream that just breaks off.
            if said and chunks.received_finish_reason is None:
                stated = None
            if said:
                self._settle(stated or self._guess("".join(said)))

    @contextmanager
    def _account(self) -> Iterator[None]:
        """Only while the account is open; closed when the provider says so."""
        account = ProviderAccount.objects.named(self._model.account)
        if wait := account.closed_for:
            raise NoAnswer(
                "provider_closed",
                f"{account} asked to be left alone until"
                f" {account.closed_until:%H:%M:%S} UTC: {account.said}",
                retry_after=wait,
            )
        # A model thinks for minutes; the connection is for others meanwhile.
        connection.close()
        try:
            yield
        except NoAnswer as no:
            if no.code == "provider_closed":
                account.close(no.retry_after, no.message)
                no.retry_after = account.closed_for
            raise
        account.answered()

    def _guess(self, answer: str) -> Usage:
        return Usage.guessed(self.request["messages"], answer)

    def _settle(self, usage: Usage) -> None:
        self.settle(self._model.provider, usage, self._model.price(usage))


def text_of(data: Any) -> str:
    """As JSON. Half of a surrogate pair, which a model may well say, is a `?`."""
    text = json.dumps(data, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
