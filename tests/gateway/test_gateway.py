"""Model calls through the real gateway to a loopback provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from django.utils.timezone import now

from agents import provider_keys
from agents.models import Agent, CostEvent, ProviderAccount, Run, metering
from paperclip.actors import SYSTEM
from paperclip.models import Activity, Company
from tests import make
from tests.gateways import Gateway, gateway
from tests.providers import Answer, Provider, calls, provider, refuses, says
from tests.workers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
HELLO = [{"role": "user", "content": "Hello?"}]
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def gate(django_db_setup: None, django_db_blocker: Any) -> Iterator[Gateway]:
    with django_db_blocker.unblock(), gateway() as one:
        # LiteLLM takes its time; no test is to wait for it.
        eventually(lambda: one.answers())
        yield one


class Caller:
    """A run that calls its model."""

    def __init__(self, gate: Gateway, run: Run, token: str) -> None:
        self.run, self.url = run, gate.url
        self.client = httpx.Client(
            base_url=gate.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def ask(self, **request: Any) -> httpx.Response:
        body = {"model": "default", "messages": HELLO, **request}
        return self.client.post("/v1/chat/completions", json=body)

    def stream(self, **request: Any) -> list[dict[str, Any]]:
        """The events, the last one [DONE] or an error."""
        found = []
        body = {"model": "default", "messages": HELLO, "stream": True, **request}
        with self.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            for line in answer.iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    found.append(json.loads(line.removeprefix("data: ")))
                elif line:
                    found.append({"done": True})
        return found

    @property
    def costs(self) -> list[CostEvent]:
        return list(CostEvent.objects.filter(run=self.run))


def worker(provider: Provider | None = None, **fields: Any) -> Agent:
    config = {"command": "true", **fields.pop("config", {})}
    agent = make.agent(**fields)
    config |= {"apiBase": provider.url} if provider else {}
    # The process adapter stands in: the gateway looks at the model only.
    Agent.objects.filter(pk=agent.pk).update(
        adapter_config={"model": "openai/test-model", **config}
    )
    agent.refresh_from_db()
    return agent


def caller(gate: Gateway, agent: Agent) -> Caller:
    run, token = make.live_run(agent)
    # Nobody renews its lease, however long a slow machine takes.
    Run.objects.filter(pk=run.pk).update(lease_expires_at=now() + timedelta(minutes=10))
    return Caller(gate, run, token)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_answer_with_tools_is_passed_on_and_counted(gate: Gateway) -> None:
    with provider(calls("look", {})) as model:
        asking = caller(gate, worker(model))
        answer = asking.ask(tools=[TOOL], temperature=0.3, unheard_of=True)
        assert answer.status_code == 200
        message = answer.json()["choices"][0]["message"]
        assert message["tool_calls"][0]["function"]["name"] == "look"
        assert answer.json()["usage"]["prompt_tokens"] == 1000
        asked = model.requests[0]
        assert asked["model"] == "test-model"
        assert (asked["tools"], asked["temperature"]) == ([TOOL], 0.3)
        assert "unheard_of" not in asked
        # A server that is not the provider's gets no key of the provider's.
        assert "canary" not in model.keys[0]
    [cost] = asking.costs
    assert (cost.input_tokens, cost.output_tokens) == (1000, 100)
    assert (cost.provider, cost.model) == ("openai", "openai/test-model")
    assert cost.cost_micros is None and not cost.estimated
    assert cost.agent == asking.run.agent


def test_a_stream_comes_in_pieces_and_is_counted(gate: Gateway) -> None:
    with provider(says("one two three")) as model:
        asking = caller(gate, worker(model))
        events = asking.stream()
        assert events[-1] == {"done": True}
        deltas = [event["choices"][0]["delta"] for event in events[:-1]]
        assert "".join(d.get("content") or "" for d in deltas) == "one two three"
        assert len([d for d in deltas if d.get("content")]) == 3
        # Who does not ask for the usage is not sent it; the ledger has it.
        assert not any("usage" in event for event in events)
        events = asking.stream(stream_options={"include_usage": True})
        assert events[-2]["usage"]["completion_tokens"] == 100
        assert events[-2]["choices"] == []
    assert [(c.input_tokens, c.estimated) for c in asking.costs] == [(1000, False)] * 2


def test_half_a_character_is_passed_on_as_a_mark(gate: Gateway) -> None:
    with provider(says("half \ud83d one")) as model:
        asking = caller(gate, worker(model))
        assert asking.ask().json()["choices"][0]["message"]["content"] == "half ? one"
        events = asking.stream()
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    assert "".join(d.get("content") or "" for d in deltas) == "half ? one"
    assert len(asking.costs) == 2


def test_a_stream_of_tool_calls(gate: Gateway) -> None:
    with provider(calls("look", {"at": "it"})) as model:
        events = caller(gate, worker(model)).stream(tools=[TOOL])
    called = [
        call["function"]
        for event in events[:-1]
        for call in event["choices"][0]["delta"].get("tool_calls") or []
    ]
    assert called[0]["name"] == "look"
    assert json.loads("".join(c["arguments"] for c in called)) == {"at": "it"}


def test_a_stream_that_breaks_off_is_counted_by_us(gate: Gateway) -> None:
    with provider(says("one two three", breaks=True)) as model:
        asking = caller(gate, worker(model))
        asking.stream()
    [cost] = eventually(lambda: asking.costs)
    assert cost.estimated and cost.input_tokens > 0


def test_a_client_that_hangs_up_is_counted_too(gate: Gateway) -> None:
    with provider(says("word " * 2000)) as model:
        asking = caller(gate, worker(model))
        body = {"messages": HELLO, "stream": True}
        with asking.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_lines())
        [cost] = eventually(lambda: asking.costs)
    assert cost.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_429_closes_the_account_for_everybody(gate: Gateway, stream: bool) -> None:
    with provider(refuses(429, "slow down", Retry_After="63")) as model:
        first, second = (caller(gate, worker(model)) for _ in range(2))
        answer = first.ask(stream=stream)
        assert code_of(answer) == (429, "provider_closed")
        assert 60 <= int(answer.headers["retry-after"]) <= 64
        answer = second.ask(stream=stream)
        assert code_of(answer) == (429, "provider_closed")
        assert 55 <= int(answer.headers["retry-after"]) <= 64
        assert len(model.requests) == 1
        account = ProviderAccount.objects.get()
        assert model.url in account.name and "slow down" in account.said
        until = account.closed_until
        assert until and abs(until - now() - timedelta(seconds=63)).seconds < 10
        model.answers = [says("Hello.")]
        ProviderAccount.objects.update(closed_until=now())
        assert second.ask().status_code == 200
    assert first.costs == [] and len(second.costs) == 1
    account.refresh_from_db()
    assert (account.strikes, account.closed_until) == (0, None)


def test_a_provider_may_say_what_no_row_can_hold(gate: Gateway) -> None:
    with provider(refuses(429, "slow\0down\ud83d", Retry_After="63")) as model:
        answer = caller(gate, worker(model)).ask()
    assert code_of(answer) == (429, "provider_closed")
    assert "slow\ufffddown" in ProviderAccount.objects.get().said


def test_without_a_stated_time_the_wait_doubles(gate: Gateway) -> None:
    with provider(refuses(429)) as model:
        asking = caller(gate, worker(model))
        waits = []
        for _ in range(3):
            ProviderAccount.objects.update(closed_until=None)
            waits.append(int(asking.ask().headers["retry-after"]))
    for wait, least in zip(waits, (15, 30, 60), strict=True):
        assert least <= wait <= least * 1.2 + 1


def test_a_fault_of_the_provider_is_tried_again(gate: Gateway) -> None:
    with provider(refuses(500), refuses(503), says("Hello.")) as model:
        asking = caller(gate, worker(model))
        assert asking.ask().status_code == 200
        assert len(model.requests) == 3
    assert len(asking.costs) == 1


def test_a_provider_that_does_not_work_costs_nothing(gate: Gateway) -> None:
    with provider(refuses(500, "boom")) as model:
        asking = caller(gate, worker(model))
        answer = asking.ask()
        assert code_of(answer) == (502, "provider_error")
        assert "boom" in answer.json()["error"]["message"]
        assert code_of(asking.ask(stream=True)) == (502, "provider_error")
    gone = caller(gate, worker(model)).ask()  # nobody listens there any more
    assert code_of(gone) == (502, "provider_error")
    assert CostEvent.objects.count() == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_without_an_answer_is_counted_at_its_worst(
    gate: Gateway, stream: bool
) -> None:
    """And not made again with what was reserved for one."""
    with provider(Answer(drops=True)) as model:
        agent = worker(model)
        policy = make.budget(agent, 5000, metric="tokens")
        asking = caller(gate, agent)
        answer = asking.ask(stream=stream, max_tokens=500)
        assert code_of(answer) == (502, "provider_error")
        assert len(model.requests) == 1
    [cost] = asking.costs
    assert cost.estimated and cost.output_tokens == 500 and cost.input_tokens > 0
    counter = policy.counter(now())
    # What the run itself has ahead is not the call's.
    left = metering.AHEAD["tokens"]
    assert (counter.spent, counter.reserved) == (500 + cost.input_tokens, left)


def test_a_provider_that_nobody_finds_is_called_that(gate: Gateway) -> None:
    agent = worker(config={"apiBase": "http://no-such-host.invalid/v1"})
    answer = caller(gate, agent).ask()
    assert code_of(answer) == (502, "provider_error")
    assert "cannot be reached" in answer.json()["error"]["message"]


def test_a_provider_that_takes_too_long() -> None:
    """With its answer, or with all of its pieces: its money is reserved so long."""
    with gateway(PAPERCLIP_MODEL_TIMEOUT="1") as gate:
        with provider(Answer(hangs=3)) as model:
            asking = caller(gate, worker(model))
            assert code_of(asking.ask(max_tokens=70)) == (504, "provider_timeout")
            assert len(model.requests) == 1
            # It may have thought all the while, and bills that.
            [cost] = asking.costs
            assert cost.estimated and cost.output_tokens == 70
        with provider(says("a b c d e f g h", drips=0.5)) as model:
            asking = caller(gate, worker(model))
            assert asking.stream()[-1]["error"]["code"] == "provider_timeout"
            [cost] = eventually(lambda: asking.costs)
    assert cost.estimated and cost.output_tokens > 0


NO_CREDIT = "Your credit balance is too low to access the Anthropic API."
NO_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details."
    " insufficient_quota"
)


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (400, "not like this", "provider_refused"),
        (401, "who?", "provider_key"),
        (403, "not you", "provider_key"),
        (404, "no such thing", "provider_model"),
        (400, "The model `gpt-99` does not exist.", "provider_model"),
        (402, "pay first", "provider_billing"),
        (400, NO_CREDIT, "provider_billing"),
        (429, NO_QUOTA, "provider_billing"),
    ],
)
def test_what_another_try_does_not_help(
    gate: Gateway, status: int, said: str, code: str
) -> None:
    with provider(refuses(status, said)) as model:
        answer = caller(gate, worker(model)).ask()
        assert code_of(answer) == (400, code), gate.output()[-3000:]
        assert said in answer.json()["error"]["message"]
        assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("model", "said", "code"),
    [
        ("gemini/gemini-flash-lite-latest", "GEMINI_API_KEY=", "provider_key"),
        ("nobody", "no provider", "provider_model"),
    ],
)
def test_a_model_that_cannot_be_called_says_what_is_missing(
    gate: Gateway, model: str, said: str, code: str
) -> None:
    answer = caller(gate, worker(config={"model": model})).ask()
    assert code_of(answer) == (400, code)
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("status", "said"), [(401, "who?"), (400, "API key not valid. Pass a valid one.")]
)
def test_a_wrong_key_is_called_that(gate: Gateway, status: int, said: str) -> None:
    with provider(refuses(status, said)) as model:
        answer = caller(gate, worker(model)).ask()
    assert code_of(answer) == (400, "provider_key")
    message = answer.json()["error"]["message"]
    assert "is the key the right one?" in message and said in message


def test_only_the_agents_own_model(gate: Gateway) -> None:
    with provider() as model:
        asking = caller(gate, worker(model))
        assert asking.ask(model="openai/test-model").status_code == 200
        assert code_of(asking.ask(model="openai/o9-pro")) == (403, "model_not_allowed")
        listed = asking.client.get("/v1/models").json()["data"]
    assert [one["id"] for one in listed] == ["openai/test-model"]


def test_the_token_dies_with_the_run(gate: Gateway) -> None:
    with provider() as model:
        asking = caller(gate, worker(model))
        assert asking.ask().status_code == 200
        asking.run.finish(Run.Status.SUCCEEDED)
        assert code_of(asking.ask()) == (401, "invalid_token")
        asking.client.headers.pop("Authorization")
        assert code_of(asking.ask()) == (401, "invalid_token")
        assert len(model.requests) == 1


def test_a_spent_budget_refuses_before_the_provider_is_asked() -> None:
    with provider() as model, gateway(OPENAI_BASE_URL=model.url) as gate:
        fields = {"budget_monthly_cents": 100, "config": {"model": "openai/gpt-5-mini"}}
        asking = caller(gate, worker(**fields))
        assert asking.ask().status_code == 200
        # The rest of the dollar is what an answer of thousands of tokens may cost.
        assert 0 < model.requests[0]["max_completion_tokens"] <= 8192
        CostEvent.objects.report(
            asking.run.company,
            by=SYSTEM,
            agent=asking.run.agent,
            provider="openai",
            biller="openai",
            model="m",
            cost_micros=1_000_000,
        )
        answer = asking.ask()
        assert code_of(answer) == (402, "budget_exceeded")
        assert "of $1.00 is left" in answer.json()["error"]["message"]
        assert len(model.requests) == 1


def test_a_server_of_ones_own_needs_a_limit_of_tokens_beside_money(
    gate: Gateway,
) -> None:
    with provider() as model:
        agent = worker(model, budget_monthly_cents=100)
        asking = caller(gate, agent)
        assert code_of(asking.ask()) == (402, "model_unpriced")
        make.budget(agent, 100_000, metric="tokens")
        assert asking.ask().status_code == 200
    assert len(model.requests) == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"messages": ["x"]}'])
def test_a_request_that_is_none(gate: Gateway, body: bytes) -> None:
    asking = caller(gate, worker())
    answer = asking.client.post("/v1/chat/completions", content=body)
    assert code_of(answer) == (400, "invalid_request")
    assert code_of(asking.client.get("/v1/chat/completions"))[0] == 405
    assert code_of(asking.client.get("/v1/nothing")) == (404, "not_found")


def test_half_a_character_is_no_text(gate: Gateway) -> None:
    with provider() as model:
        asking = caller(gate, worker(model))
        for half in (rb"\ud83d", rb"\uDC00", b"\xed\xa0\xbd", b"\xe9"):
            body = b'{"messages": [{"role": "user", "content": "x%b"}]}' % half
            answer = asking.client.post("/v1/chat/completions", content=body)
            assert code_of(answer) == (400, "invalid_request")
        smile = b'{"messages": [{"role": "user", "content": "\\ud83d\\ude00"}]}'
        answer = asking.client.post("/v1/chat/completions", content=smile)
        assert answer.status_code == 200
    assert [one["messages"][0]["content"] for one in model.requests] == ["\U0001f600"]


def test_the_rehearsal_answers_without_a_provider(gate: Gateway) -> None:
    company = make.company()
    Company.objects.filter(pk=company.pk).update(rehearsal=True)
    asking = caller(gate, worker(company=company, config={"model": "rehearsal/1"}))
    system = "You are CEO, Chief (role: ceo) at Digiton rehearsal."
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": "Wake: timer: heartbeat_timer"},
    ]
    answer = asking.ask(messages=messages)
    assert answer.json()["choices"][0]["message"]["role"] == "assistant"
    events = asking.stream(messages=messages)
    assert events[-1] == {"done": True}
    assert [c.billing_type for c in asking.costs] == ["rehearsal"] * 2
    assert [c.cost_micros for c in asking.costs] == [0, 0]


def test_a_rehearsal_and_the_real_thing_do_not_mix(gate: Gateway) -> None:
    scripted = caller(gate, worker(config={"model": "rehearsal/1"})).ask()
    assert code_of(scripted) == (403, "model_not_allowed")
    company = make.company()
    Company.objects.filter(pk=company.pk).update(rehearsal=True)
    agent = worker(company=company, config={"model": "gemini/gemini-flash-lite-latest"})
    paid = caller(gate, agent).ask()
    assert code_of(paid) == (403, "model_not_allowed")
    assert "Leave the rehearsal" in paid.json()["error"]["message"]


def test_the_instances_own_server_has_the_instances_model_only() -> None:
    key = "hunter2-of-our-server"
    with provider(says("Hi."), refuses(401, f"Wrong key: {key}")) as ours:
        at_ours = {"PAPERCLIP_MODEL": "openai/qwen3", "PAPERCLIP_MODEL_API_KEY": key}
        with gateway(PAPERCLIP_MODEL_API_BASE=ours.url, **at_ours) as gate:
            plain = worker()
            Agent.objects.filter(pk=plain.pk).update(adapter_config={})
            plain.refresh_from_db()
            asking = caller(gate, plain)
            assert asking.ask().status_code == 200
            # What it was paid with is in no message of its.
            answer = asking.ask()
            assert code_of(answer) == (400, "provider_key")
            assert "Wrong key: ***" in answer.json()["error"]["message"]
            other = caller(gate, worker(config={"model": "mistral/small"})).ask()
            assert "MISTRAL_API_KEY=" in other.json()["error"]["message"]
            with provider() as theirs:
                assert caller(gate, worker(theirs)).ask().status_code == 200
            assert theirs.keys == ["Bearer none"]
    assert [one["model"] for one in ours.requests] == ["qwen3", "qwen3"]
    assert ours.keys == [f"Bearer {key}"] * 2


def test_no_key_gets_into_the_log(gate: Gateway) -> None:
    with provider(refuses(401, "bad key sk-canary-of-the-tests")) as model:
        answer = caller(gate, worker(model)).ask()
    assert "canary" not in answer.text
    assert "canary" not in gate.output()


def test_a_company_pays_with_a_key_of_its_own() -> None:
    company, other = make.company(), make.company()
    keep = partial(provider_keys.keep, company, by=SYSTEM, name="payer")
    secret = keep(value="own-canary-of-it", providers=["openai"])
    wrong = refuses(401, "Not own-canary-of-it!")
    with provider(says("Hi."), says("Hi."), wrong, says("Hi.")) as one:
        with gateway(OPENAI_API_BASE=one.url) as gate:
            asking = caller(gate, worker(company=company))
            assert [asking.ask().status_code for _ in range(2)] == [200, 200]
            refused = asking.ask()
            assert caller(gate, worker(company=other)).ask().status_code == 200
            secret.rotate("the-newer-canary", by=SYSTEM)
            assert asking.ask().status_code == 200
            provider_keys.pay(secret, [], by=SYSTEM)
            assert asking.ask().status_code == 200
        assert "canary" not in gate.output().replace("canary-of-the-tests", "")
    # What it was paid with is in no message of its.
    assert code_of(refused) == (400, "provider_key") and "canary" not in refused.text
    ours = "Bearer sk-canary-of-the-tests"
    own, newer = "Bearer own-canary-of-it", "Bearer the-newer-canary"
    assert one.keys == [own, own, own, ours, newer, ours]
    reads = Activity.objects.filter(action="secret.read").order_by("seq")
    assert [(read.run_id, read.details["version"]) for read in reads] == [
        (asking.run.pk, 1),
        (asking.run.pk, 2),
    ]
    assert {read.actor_type for read in reads} == {"system"}


def test_another_company_s_account_closes_nothing_here() -> None:
    company, other = make.company(), make.company()
    told = {"adapter_type": "litellm", "adapter_config": {"model": "openai/m"}}
    mine, theirs = (make.agent(one, **told) for one in (company, other))
    provider_keys.keep(
        company, by=SYSTEM, name="payer", value="own-canary", providers=["openai"]
    )
    find = ProviderAccount.objects.opening_for
    own = ProviderAccount.objects.paying("openai key 1", "openai/m", None, company.pk)
    assert (find(mine)[0], find(theirs)[0]) == (own, None)
    ours = ProviderAccount.objects.paying("openai key 2", "openai/m", None)
    assert (find(mine)[0], find(theirs)[0]) == (own, ours)
    provider_keys.pay(company.secrets.get(), [], by=SYSTEM)
    assert (find(mine)[0], find(theirs)[0]) == (ours, ours)
