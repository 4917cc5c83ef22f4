"""LiteLLM, and what the providers behind it answer. Imported in this process only: it
takes 4 s and 160 MB, and a rehearsal does without."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import httpx
import openai
from django.conf import settings
from tenacity import (
    retry,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from agents.faults import NO_MONEY
from agents.gateway.budget import MOST_OUTPUT
from agents.gateway.errors import NoAnswer
from agents.gateway.usage import Usage, micros
from agents.gateway.windows import Window, stated_wait, tightest
from agents.provider_keys import CompanyKeys
from agents.texts import storable
from paperclip.exceptions import Conflict
from paperclip.scrub import Scrubber

TRIES = 3
# What a client may ask for beside the messages; the rest is dropped.
PASSED_ON = {
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
}
SECRET = re.compile(r"\b(?:sk|key|AIza|gsk|xai)[-_A-Za-z0-9]{12,}")
SHORTEST_KEY = 4  # characters; in less, words would be lost and no secret
# Google says 400 to a wrong key.
BAD_KEY = re.compile(r"api[ _]key not valid|API_KEY_INVALID", re.IGNORECASE)
NO_MODEL = re.compile(
    r"model_not_found|model[^\n]{0,80}(does not exist|is not found|not supported)",
    re.IGNORECASE,
)
# Of what keeps an answer away, what comes before the provider has read anything.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
UNREACHABLE = re.compile(r"Name or service not known|Connection error|Errno -\d")


@cache
def litellm() -> Any:
    # It reads its prices from its own package, and calls nobody at home.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    import litellm as library

    library.suppress_debug_info = True
    library.telemetry = False
    library.drop_params = True
    return library


class Model(NamedTuple):
    """A model as an agent names it. With an `api_base` it is somebody's own server,
    which is sent no provider's key; `keys` are those of the company itself."""

    name: str
    api_base: str | None
    keys: CompanyKeys | None = None

    @property
    def provider(self) -> str:
        try:
            found = litellm().get_llm_provider(self.name, api_base=self.api_base)
        except openai.APIError as error:
            raise NoAnswer(
                "provider_model",
                f"{self.name!r} names no provider. Write it with one in front, such as"
                " gemini/gemini-flash-lite-latest.",
            ) from error
        return str(found[1])

    @property
    def own_key(self) -> str:
        """The company's own key for it; empty when the instance pays."""
        if self.api_base or self.keys is None:
            return ""
        try:
            return self.keys.of(self.provider)
        except Conflict as no:
            raise NoAnswer("provider_key", str(no)) from no

    @property
    def key(self) -> str:
        """What the calls are paid with; refused when there is none."""
        if own := self.own_key:
            return own
        if self.api_base:
            ours = self.api_base == settings.MODEL_API_BASE
            return (os.environ.get("PAPERCLIP_MODEL_API_KEY") if ours else "") or "none"
        wanted = litellm().validate_environment(self.name)["missing_keys"]
        usual = f"{self.provider.upper()}_API_KEY"
        if wanted:
            name = usual if usual in wanted else wanted[0]
            raise NoAnswer(
                "provider_key",
                f"There is no key for {self.name}: keep one among the company's secrets"
                f" as the key of {self.provider}, or put {name}=... into .env and start"
                " again.",
            )
        return os.environ.get(usual, "")

    @property
    def account(self) -> str:
        """The name of the account the calls are billed to."""
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:8]
        return " ".join(filter(None, [self.provider, self.api_base, f"key {digest}"]))

    def window_of(self, answer: Any) -> Window | None:
        """What the provider says with its answer, streamed or not, of the window that
        is the fullest."""
        hidden = getattr(answer, "_hidden_params", None) or {}
        return tightest(plain(hidden.get("additional_headers")))

    @property
    def _known(self) -> dict[str, Any]:
        """What LiteLLM's table has of it."""
        table, bare = litellm().model_cost, self.name.partition("/")[2]
        found: dict[str, Any] = table.get(self.name) or table.get(bare) or {}
        return found

    @property
    def longest_answer(self) -> int:
        """The most tokens it answers with."""
        return int(self._known.get("max_output_tokens") or MOST_OUTPUT)

    @property
    def window(self) -> int | None:
        """The most tokens it reads; None when nobody told."""
        return None if self.api_base else self._known.get("max_input_tokens")

    def price(self, usage: Usage) -> int | None:
        """Millionths of a dollar; None when nobody told what this model costs."""
        if self.api_base:
            return None
        known = self._known
        # Others sell a model of the same name at another price.
        theirs = str(known.get("litellm_provider")).startswith(self.provider)
        # A price of 0 is what the table has for a model it knows none of.
        if not (theirs and known.get("input_cost_per_token")):
            return None
        sent, got = litellm().cost_per_token(
            model=self.name,
            prompt_tokens=usage.sent,
            completion_tokens=usage.got,
            cache_read_input_tokens=usage.cached,
        )
        return micros(sent + got)

    def complete(self, request: dict[str, Any], timeout: float) -> Any:
        """LiteLLM's answer, or an iterator of its chunks when the request streams.
        NoAnswer says what a caller can do about it."""
        wanted = {name: request[name] for name in PASSED_ON & set(request)}
        if request.get("stream"):
            wanted |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.api_base or self.own_key:
            wanted["api_key"] = self.key
        try:
            answer = patiently(
                model=self.name,
                messages=request["messages"],
                api_base=self.api_base,
                timeout=timeout,
                max_retries=0,
                **wanted,
            )
        except openai.APIError as error:
            raise self._explained(error) from error
        if answer is None:
            said = "The provider's answer cannot be read."
            raise NoAnswer("provider_error", said, may_cost=True)
        return answer

    def stream(self, chunks: Any) -> Iterator[Any]:
        """The chunks as they come; NoAnswer when they break off."""
        try:
            yield from chunks
        except openai.APIError as error:
            raise self._explained(error) from error

    def _explained(self, error: openai.APIError) -> NoAnswer:
        no = explained(error, self.keys.read if self.keys else ())
        no.may_cost = may_cost(error)
        return no


def is_transient(error: BaseException) -> bool:
    """Whether the same call may well work in a second. A timeout has cost a lot of
    time already, and a 429 asks for rest."""
    if isinstance(error, openai.APITimeoutError):
        return False
    status = getattr(error, "status_code", None)
    return isinstance(error, openai.APIConnectionError) or (
        isinstance(error, openai.APIError) and isinstance(status, int) and status >= 500
    )


def may_cost(error: BaseException | None) -> bool:
    """Whether it was asked and the answer did not come, or not whole: it may have done
    the work all the same."""
    while error is not None:
        if isinstance(error, httpx.TransportError):
            return not isinstance(error, UNSENT)
        error = error.__cause__ or error.__context__
    return False


@retry(
    # What is reserved is the cost of one call.
    retry=retry_if_exception(lambda e: is_transient(e) and not may_cost(e)),
    stop=stop_after_attempt(TRIES),
    wait=wait_exponential_jitter(multiplier=0.3, max=3),
    reraise=True,
)
def patiently(**call: Any) -> Any:
    return litellm().completion(**call)


def explained(error: openai.APIError, keys: Iterable[str] = ()) -> NoAnswer:
    """What a provider's refusal means for a run, without these keys and our own."""
    text = storable(str(error).split("Traceback")[0].strip())
    said = without_keys(Scrubber(keys).text(text))[:600]
    status = getattr(error, "status_code", None)
    if status == 402 or NO_MONEY.search(text):
        return NoAnswer("provider_billing", f"The provider wants to be paid: {said}")
    if isinstance(error, openai.RateLimitError) or status == 429:
        headers = plain(getattr(error, "litellm_response_headers", None))
        wait = stated_wait(headers, str(error))
        return NoAnswer("provider_closed", said, retry_after=wait)
    if isinstance(error, openai.APITimeoutError) or status == 408:
        return NoAnswer("provider_timeout", f"The provider took too long: {said}")
    if is_transient(error) or not isinstance(status, int):
        why = "cannot be reached" if UNREACHABLE.search(text) else "does not work now"
        return NoAnswer("provider_error", f"The provider {why}: {said}")
    if status in (401, 403) or BAD_KEY.search(text):
        said = f"is the key the right one? {said}"
        return NoAnswer("provider_key", f"The provider refused the call: {said}")
    if status == 404 or NO_MODEL.search(text):
        return NoAnswer("provider_model", f"The provider refused the call: {said}")
    return NoAnswer("provider_refused", f"The provider refused the call: {said}")


def plain(headers: Any) -> dict[str, str]:
    """The provider's headers without what LiteLLM puts before their names."""
    return {
        str(name).lower().removeprefix("llm_provider-"): str(value)
        for name, value in (headers or {}).items()
    }


def without_keys(text: str) -> str:
    """The text, should a server say again what it was paid with."""
    ours = {value for name, value in os.environ.items() if name.endswith("_API_KEY")}
    for key in sorted(ours, key=len, reverse=True):
        if len(key) >= SHORTEST_KEY:
            text = text.replace(key, "***")
    return SECRET.sub("***", text)
