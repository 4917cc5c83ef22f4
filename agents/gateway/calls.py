"""One model call of one run: allowed, paid for, made, and entered into the ledger."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
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
from agents.models import ProviderAccount, Run
from agents.provider_keys import CompanyKeys

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
    """The call, ready to be made. NoAnswer for a model that is not the agent's."""
    names = run.agent.model_names
    asked = request.get("model", ANY)
    if asked not in (*names, ANY):
        raise NoAnswer(
            "model_not_allowed",
            f"{run.agent} works with {names[0]}, not with {asked}. An operator can"
            " change that.",
        )
    # Who asks for one of its fallbacks by name gets that one.
    wanted = [asked] if asked in names[1:] else names
    for each in wanted:
        must_fit(run, each)
    kind = Rehearsed if wanted[0].startswith(rehearse.PREFIX) else Provided
    return kind(run, {**request, "model": wanted[0]}, wanted)


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
    def __init__(self, run: Run, request: dict[str, Any], names: list[str]) -> None:
        """`names`: the models to ask, the first one that answers counts."""
        self.id = uuid4()
        self.run, self.request, self.names = run, request, names
        self._is_settled = False

    def answer(self) -> str:
        """The completion as JSON. Its cost is in the ledger. NoAnswer when its budget
        is spent."""
        with self._reserved():
            return self._answer()

    def stream(self) -> Iterator[dict[str, Any]]:
        """The chunks. However it ends, what was used is in the ledger then."""
        with self._reserved():
            yield from self._stream()

    @abstractmethod
    def _answer(self) -> str: ...

    @abstractmethod
    def _stream(self) -> Iterator[dict[str, Any]]: ...

    @abstractmethod
    def _price(self, usage: Usage) -> int | None:
        """What it costs at most; None when nobody knows."""

    @property
    def _longest(self) -> int:
        """The most tokens an answer of its model can have."""
        return budget.MOST_OUTPUT

    @property
    def _window(self) -> int | None:
        """The most tokens its model reads; None when nobody told."""
        return None

    @contextmanager
    def _reserved(self) -> Iterator[None]:
        most = (self._longest, self._window)
        budget.reserve(self.run, self.id, self.request, self._price, *most)
        try:
            yield
        finally:
            # A database that is away gives it back when the reservation expires.
            with suppress(OperationalError, InterfaceError):
                if not self._is_settled:
                    budget.release(self.run, self.id)

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
        self._is_settled = True


class Rehearsed(Call):
    """A call of the script."""

    def _price(self, usage: Usage) -> int:
        return 0

    def _answer(self) -> str:
        return text_of(self._completion())

    def _stream(self) -> Iterator[dict[str, Any]]:
        yield from rehearse.chunks(self._completion())

    def _completion(self) -> dict[str, Any]:
        completion, usage = rehearse.answer(self.request)
        self.settle("rehearsal", usage, 0)
        return completion


class Provided(Call):
    """A call of a provider, through LiteLLM."""

    def __init__(self, run: Run, request: dict[str, Any], names: list[str]) -> None:
        # Here, so that a rehearsal does without LiteLLM's memory.
        from agents.gateway.providers import Model

        super().__init__(run, request, names)
        agent, keys = run.agent, CompanyKeys(run)
        self._models = [Model(name, agent.address_of(name), keys) for name in names]
        self._model = self._models[0]
        self._closed = NoAnswer("provider_closed", "No account is open.")
        self._has_begun = False

    def _price(self, usage: Usage) -> int | None:
        prices = [model.price(usage) for model in self._models]
        known = [price for price in prices if price is not None]
        return max(known) if len(known) == len(prices) else None

    @property
    def _longest(self) -> int:
        return min(model.longest_answer for model in self._models)

    @property
    def _window(self) -> int | None:
        windows = [model.window or 0 for model in self._models]
        return max(windows) if all(windows) else None

    def _answer(self) -> str:
        for account in self._open_ones():
            with self._watching(account):
                found = self._model.complete(self.request, SECONDS)
                said = text_of(found.model_dump(mode="json", exclude_none=True))
                stated = Usage.stated(getattr(found, "usage", None))
                self._settle(stated or self._guess(said))
                account.note(self._model.window_of(found))
                return said
        raise self._closed

    def _stream(self) -> Iterator[dict[str, Any]]:
        for account in self._open_ones():
            with self._watching(account):
                chunks = self._model.complete(self.request, SECONDS)
                account.note(self._model.window_of(chunks))
                yield from self._passed_on(chunks)
                return
        raise self._closed

    def _open_ones(self) -> Iterator[ProviderAccount]:
        """The accounts of its models in order, each with its model in place; those that
        are closed are passed over. `_closed` says when the first of them opens."""
        for model in self._models:
            self._model, self.request["model"] = model, model.name
            owner = self.run.company_id if model.own_key else None
            account = ProviderAccount.objects.paying(
                model.account, model.name, model.api_base, owner
            )
            mine = Run.objects.filter(pk=self.run.pk).exclude(account=account)
            mine.update(account=account)
            if wait := account.closed_for:
                said = (
                    f"{account} asked to be left alone until"
                    f" {account.closed_until:%H:%M:%S} UTC: {account.said}"
                )
                self._pass_over(NoAnswer("provider_closed", said, retry_after=wait))
                continue
            # A model thinks for minutes; the connection is for others meanwhile.
            connection.close()
            yield account

    def _passed_on(self, chunks: Any) -> Iterator[dict[str, Any]]:
        stated, said, until = None, [], time.monotonic() + SECONDS
        try:
            for chunk in self._model.stream(chunks):
                if time.monotonic() > until:
                    told = f"The model spoke for more than {SECONDS:.0f} seconds."
                    raise NoAnswer("provider_timeout", told)
                found = chunk.model_dump(mode="json", exclude_none=True)
                self._has_begun = True
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
    def _watching(self, account: ProviderAccount) -> Iterator[None]:
        """Close the account when the provider says so; the block is left quietly then,
        for another model to be asked, unless it has begun to speak."""
        try:
            yield
        except NoAnswer as no:
            if no.may_cost and not self._is_settled:
                self._settle(budget.at_worst(self.request, self._longest, self._window))
            if no.code != "provider_closed":
                raise
            account.close(no.retry_after, no.message)
            no.retry_after = account.closed_for
            if self._has_begun:
                raise
            self._pass_over(no)
        else:
            account.answered()

    def _pass_over(self, no: NoAnswer) -> None:
        """Go on with the next model; the account that opens first is the answer when
        there is none."""
        first = self._closed.retry_after
        if first is None or (no.retry_after or 0.0) < first:
            self._closed = no

    def _guess(self, answer: str) -> Usage:
        return Usage.guessed(self.request["messages"], answer)

    def _settle(self, usage: Usage) -> None:
        self.settle(self._model.provider, usage, self._model.price(usage))


def text_of(data: Any) -> str:
    """As JSON. Half of a surrogate pair, which a model may well say, is a `?`."""
    text = json.dumps(data, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
