"""Routines over HTTP, and calls to their webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils.timezone import now
from rest_framework.test import APIClient

from agents.models import Secret, SecretBinding
from issues.models import Issue, Routine, RoutineRun, RoutineTrigger
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict
from paperclip.live import valkey
from paperclip.models import Activity, Company
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


# --- the routine ---------------------------------------------------------------------


def test_it_is_defined_scheduled_and_fired(
    company: Company, operator: APIClient
) -> None:
    agent = make.agent(company)
    url = f"/api/companies/{company.pk}/routines"
    body = {"title": "Weekly report", "assigneeAgentId": str(agent.pk)}
    routine = operator.post(url, body).json()
    one = f"/api/routines/{routine['id']}"
    weekly = {"kind": "schedule", "cronExpression": "0 9 * * 1"}
    made = operator.post(
        f"{one}/triggers", {**weekly, "timezone": "Europe/Lisbon"}
    ).json()
    assert made["trigger"]["scheduleInWords"] == "every Monday at 09:00, Europe/Lisbon"
    assert len(made["trigger"]["nextTimes"]) == 3
    assert made["trigger"]["nextTimes"][0] == made["trigger"]["nextRunAt"]
    assert made["revision"]["revisionNumber"] == 2
    run = operator.post(f"{one}/run", {"payload": {"why": "now"}})
    assert (run.status_code, run.json()["status"]) == (202, "issue_created")
    seen = operator.get(one).json()
    assert seen["activeIssue"]["id"] == seen["lastRun"]["linkedIssueId"]
    assert operator.post(f"{one}/run").json()["status"] == "coalesced"
    listed = operator.get(
        f"/api/companies/{company.pk}/issues?originId={routine['id']}"
    )
    assert [row["id"] for row in listed.json()] == [seen["activeIssue"]["id"]]
    runs = operator.get(f"{one}/runs").json()
    assert [row["status"] for row in runs] == ["coalesced", "issue_created"]
    assert runs[0]["coalescedIntoRunId"] == runs[1]["id"]
    assert operator.get(f"{one}/runs?limit=1").headers["Link"]
    changed = operator.patch(one, {"status": "paused", "title": "Report"}).json()
    assert (changed["status"], changed["title"]) == ("paused", "Report")
    assert operator.patch(one, {"status": "archived"}).status_code == 200
    assert operator.patch(one, {"status": "active"}).status_code == 409
    assert operator.post(f"{one}/run").status_code == 409
    numbers = [r["revisionNumber"] for r in operator.get(f"{one}/revisions").json()]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 5


def test_a_body_with_triggers_or_nonsense_is_refused(
    company: Company, operator: APIClient
) -> None:
    url = f"/api/companies/{company.pk}/routines"
    for wrong in (
        {"triggers": []},
        {"catchUpPolicy": "sometimes"},
        {"concurrencyPolicy": "x"},
        {"priority": 1},
        {"variables": [{"name": "a", "colour": "red"}]},
    ):
        assert operator.post(url, {"title": "x", **wrong}).status_code == 400, wrong
    for wrong in (
        {"variables": [{"name": "date"}]},
        {"assigneeAgentId": str(make.agent().pk)},
    ):
        assert operator.post(url, {"title": "x", **wrong}).status_code == 422, wrong
    routine = make.routine(company)
    triggers = f"/api/routines/{routine.pk}/triggers"
    for wrong, status in (
        ({"kind": "timer"}, 400),
        ({"kind": "schedule"}, 422),
        ({"kind": "schedule", "cronExpression": "x"}, 422),
        ({"kind": "schedule", "cronExpression": "* * * * *", "timezone": "x"}, 422),
        (
            {"kind": "schedule", "cronExpression": "* * * * *", "signingMode": "none"},
            422,
        ),
        ({"kind": "webhook", "cronExpression": "* * * * *"}, 422),
        ({"kind": "webhook", "signingMode": "rot13"}, 400),
        ({"kind": "webhook", "replayWindowSec": 5}, 422),
    ):
        assert operator.post(triggers, wrong).status_code == status, wrong
    assert not RoutineTrigger.objects.exists()


def test_a_run_is_put_down_to_a_trigger_of_its_own(
    company: Company, operator: APIClient
) -> None:
    routine, other = make.routine(company), make.routine(company)
    mine, theirs = make.schedule(routine), make.schedule(other)
    url = f"/api/routines/{routine.pk}/run"
    assert operator.post(url, {"triggerId": str(theirs.pk)}).status_code == 403
    foreign = make.schedule(make.routine())
    assert operator.post(url, {"triggerId": str(foreign.pk)}).status_code == 404
    body = {"triggerId": str(mine.pk), "source": "api", "idempotencyKey": "k"}
    first, second = (operator.post(url, body).json() for _ in range(2))
    assert first["id"] == second["id"] and first["triggerId"] == str(mine.pk)
    mine.change(by=SYSTEM, enabled=False)
    off = {"triggerId": str(mine.pk)}
    assert operator.post(url, off).status_code == 409


def test_missing_values_are_422(company: Company, operator: APIClient) -> None:
    declared = [{"name": "pr", "type": "number", "required": True}]
    routine = make.routine(company, title="Review {{pr}}", variables=declared)
    url = f"/api/routines/{routine.pk}/run"
    assert operator.post(url).status_code == 422
    run = operator.post(url, {"variables": {"pr": 7}}).json()
    assert Issue.objects.get(pk=run["linkedIssueId"]).title == "Review 7"


def every_route(
    routine: Routine, trigger: RoutineTrigger
) -> list[tuple[str, str, Any]]:
    one, its = f"/api/routines/{routine.pk}", f"/api/routine-triggers/{trigger.pk}"
    first = routine.revisions.get(number=1)
    return [
        ("get", one, None),
        ("get", f"{one}/runs", None),
        ("get", f"{one}/revisions", None),
        ("patch", one, {"title": "x"}),
        ("post", f"{one}/run", {}),
        ("post", f"{one}/triggers", {"kind": "webhook"}),
        ("post", f"{one}/revisions/{first.pk}/restore", {}),
        ("patch", its, {"label": "x"}),
        ("post", f"{its}/rotate-secret", {}),
        ("delete", its, None),
    ]


def test_what_is_foreign_is_missing(company: Company) -> None:
    routine = make.routine(company)
    trigger = make.schedule(routine)
    company_url = f"/api/companies/{company.pk}/routines"
    agent = make.agent()
    for client in (
        make.client_of(make.owner_of(make.company("S"))),
        make.client_of(agent),
    ):
        for method, url, body in every_route(routine, trigger):
            assert getattr(client, method)(url, body).status_code == 404, url
        assert client.get(company_url).status_code == 404
        assert client.post(company_url, {"title": "x"}).status_code == 404


def test_agents_read_all_and_manage_their_own(company: Company) -> None:
    agent, other = make.agent(company), make.agent(company)
    client = make.client_of(agent)
    theirs = make.routine(company, assignee_agent=other)
    trigger = make.schedule(theirs)
    for method, url, body in every_route(theirs, trigger):
        status = getattr(client, method)(url, body).status_code
        assert status == (200 if method == "get" else 403), url
    mine = make.routine(company, assignee_agent=agent)
    url = f"/api/routines/{mine.pk}"
    assert len(client.get(f"/api/companies/{company.pk}/routines").json()) == 2
    assert client.patch(url, {"title": "x"}).status_code == 200
    given = {"assigneeAgentId": str(other.pk)}
    assert client.patch(url, given).status_code == 403
    assert client.post(f"{url}/run").status_code == 202
    signed_by_nobody = {"kind": "webhook", "signingMode": "none"}
    assert client.post(f"{url}/triggers", signed_by_nobody).status_code == 403
    viewer = make.client_of(make.operator(company, "viewer"))
    for method, url, body in every_route(theirs, trigger):
        status = getattr(viewer, method)(url, body).status_code
        assert status == (200 if method == "get" else 403), url


def test_a_restored_webhook_has_a_new_secret(
    company: Company, operator: APIClient
) -> None:
    routine = make.routine(company)
    url = f"/api/routines/{routine.pk}"
    made = operator.post(f"{url}/triggers", {"kind": "webhook"}).json()
    its = f"/api/routine-triggers/{made['trigger']['id']}"
    assert operator.delete(its).status_code == 204
    again = operator.post(
        f"{url}/revisions/{made['revision']['id']}/restore",
        HTTP_IDEMPOTENCY_KEY="once",
    )
    (material,) = again.json()["secretMaterials"]
    assert material["webhookUrl"] == made["secretMaterial"]["webhookUrl"]
    assert material["webhookSecret"] != made["secretMaterial"]["webhookSecret"]
    replay = operator.post(
        f"{url}/revisions/{made['revision']['id']}/restore",
        HTTP_IDEMPOTENCY_KEY="once",
    )
    assert replay.json()["secretMaterials"] is None


# --- webhooks ------------------------------------------------------------------------


class Hook:
    """A webhook, called the way its sender would."""

    def __init__(self, company: Company, mode: str, **fields: Any) -> None:
        routine = make.routine(
            company,
            title="Review {{pr}}",
            concurrency_policy="always_enqueue",
            variables=[{"name": "pr", "type": "number", "default": 0}],
        )
        self.trigger, self.secret, _ = RoutineTrigger.objects.add(
            routine, by=SYSTEM, kind="webhook", signing_mode=mode, **fields
        )
        self.routine = routine

    def call(
        self, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> Any:
        sent = raw if raw is not None else json.dumps(body or {}).encode()
        return APIClient().generic(
            "POST",
            f"/api/routine-triggers/public/{self.trigger.public_id}/fire",
            sent,
            content_type="application/json",
            **headers,
        )

    def sign(self, signed: bytes) -> str:
        return hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()

    def stamped(self, body: bytes, at: Any = None, prefix: str = "") -> dict[str, str]:
        stamp = str(int((at or now()).timestamp()))
        signature = self.sign(stamp.encode() + b"." + body)
        return {
            "HTTP_X_PAPERCLIP_TIMESTAMP": stamp,
            "HTTP_X_PAPERCLIP_SIGNATURE": prefix + signature,
        }


BODY = json.dumps({"variables": {"pr": 12}}).encode()


def fired() -> int:
    assert Issue.objects.count() == RoutineRun.objects.count()
    return Issue.objects.count()


def test_a_bearer_opens_it(company: Company) -> None:
    hook = Hook(company, "bearer")
    good = {"HTTP_AUTHORIZATION": f"Bearer {hook.secret}"}
    answer = hook.call({"variables": {"pr": 12}}, **good)
    assert (answer.status_code, answer.json()["source"]) == (202, "webhook")
    issue = Issue.objects.get()
    assert issue.title == "Review 12" and "came from outside" in str(issue.description)
    for wrong in (
        {},
        {"HTTP_AUTHORIZATION": "Bearer x"},
        {"HTTP_AUTHORIZATION": hook.secret},
    ):
        answer = hook.call(**wrong)
        assert answer.status_code == 401 and answer["WWW-Authenticate"] == "Bearer"
    assert fired() == 1


def test_a_webhook_fires_so_often_a_minute(company: Company, settings: Any) -> None:
    settings.WEBHOOK_CALLS = 2
    with time_machine.travel("2031-05-06 10:00:45Z", tick=False) as clock:
        hook, other = (Hook(company, "bearer") for _ in range(2))
        good = {"HTTP_AUTHORIZATION": f"Bearer {hook.secret}"}
        # Who cannot sign keeps nobody out.
        assert {hook.call().status_code for _ in range(5)} == {401}
        codes = [hook.call(**good).status_code for _ in range(4)]
        assert codes == [202, 202, 429, 429]
        answer = hook.call(**good)
        assert (answer["Retry-After"], answer.json()["code"]) == ("15", "too_many")
        assert "2 times in a minute" in answer.json()["error"]
        theirs = {"HTTP_AUTHORIZATION": f"Bearer {other.secret}"}
        assert other.call(**theirs).status_code == 202
        clock.shift(timedelta(seconds=15))
        assert hook.call(**good).status_code == 202
    assert fired() == 4
    settings.WEBHOOK_CALLS = 0
    assert {hook.call(**good).status_code for _ in range(5)} == {202}


def test_a_recorded_call_keeps_nobody_out(company: Company, settings: Any) -> None:
    settings.WEBHOOK_CALLS = 2
    with time_machine.travel("2031-05-06 10:00:05Z", tick=False):
        hook = Hook(company, "hmac_sha256")
        recorded = hook.stamped(BODY)
        codes = {hook.call(raw=BODY, **recorded).status_code for _ in range(5)}
        assert codes == {202} and fired() == 1
        other = json.dumps({"variables": {"pr": 13}}).encode()
        assert hook.call(raw=other, **hook.stamped(other)).status_code == 202
        third = json.dumps({"variables": {"pr": 14}}).encode()
        assert hook.call(raw=third, **hook.stamped(third)).status_code == 429


def caller(address: str = "") -> dict[str, str]:
    """An address that nobody else calls from."""
    return {"REMOTE_ADDR": address or f"2001:db8:{next(make.numbers):x}::1"}


def test_an_address_calls_so_often_a_minute(company: Company, settings: Any) -> None:
    settings.WEBHOOK_SOURCE_CALLS = 3
    with time_machine.travel("2031-05-06 10:00:45Z", tick=False) as clock:
        hook, source = Hook(company, "none"), caller()
        # Guessing the addresses of webhooks counts as well.
        unknown = "/api/routine-triggers/public/guess/fire"
        assert APIClient().post(unknown, **source).status_code == 404
        assert [hook.call(**source).status_code for _ in range(2)] == [202] * 2
        for url in (unknown, unknown.replace("guess", hook.trigger.public_id)):
            answer = APIClient().post(url, **source)
            assert (answer.status_code, answer["Retry-After"]) == (429, "15")
        neighbour = source["REMOTE_ADDR"].replace("::1", "::ffff")
        assert hook.call(REMOTE_ADDR=neighbour).status_code == 429
        assert hook.call(**caller()).status_code == 202
        clock.shift(timedelta(seconds=15))
        assert hook.call(**source).status_code == 202
    assert fired() == 4


def test_behind_a_proxy_the_caller_counts(company: Company, settings: Any) -> None:
    settings.WEBHOOK_SOURCE_CALLS, settings.HTTPS = 1, True
    hook, proxy = Hook(company, "none"), caller()
    one, other = caller()["REMOTE_ADDR"], caller()["REMOTE_ADDR"]

    def from_(told: str) -> int:
        code: int = hook.call(HTTP_X_FORWARDED_FOR=told, **proxy).status_code
        return code

    with time_machine.travel("2031-05-06 10:00:45Z", tick=False):
        assert from_(one) == 202 and from_(other) == 202
        # What a caller has written itself does not help.
        assert from_(f"198.51.100.7, {one}") == 429
        settings.HTTPS = False
        assert from_(caller()["REMOTE_ADDR"]) == 202
        assert from_(caller()["REMOTE_ADDR"]) == 429


@pytest.mark.django_db(transaction=True)
def test_calls_at_the_same_time_are_all_counted(settings: Any) -> None:
    settings.WEBHOOK_CALLS = 3
    hook = Hook(make.company(), "none")
    with time_machine.travel("2031-05-06 10:00:45Z", tick=False):
        found = together(8, lambda _: hook.call(**caller()).status_code)
    assert sorted(found) == [202] * 3 + [429] * 5
    assert fired() == 3


@pytest.fixture
def _no_valkey(settings: Any) -> Iterator[None]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nothing listens there
    valkey.cache_clear()
    yield
    valkey.cache_clear()


@pytest.mark.usefixtures("_no_valkey")
def test_without_valkey_calls_are_taken(company: Company, settings: Any) -> None:
    settings.WEBHOOK_CALLS = settings.WEBHOOK_SOURCE_CALLS = 1
    hook = Hook(company, "none")
    assert [hook.call(**caller("192.0.2.9")).status_code for _ in "ab"] == [202, 202]


def test_a_signature_is_over_time_and_body(company: Company) -> None:
    hook = Hook(company, "hmac_sha256")
    good = hook.stamped(BODY)
    assert hook.call(raw=BODY, **good).status_code == 202
    # Sent again by whoever has recorded it: the same run, and nothing is filed.
    assert hook.call(raw=BODY, **good).json()["id"] == str(RoutineRun.objects.get().pk)
    assert fired() == 1
    prefixed = hook.stamped(BODY, now() + timedelta(seconds=2), "sha256=")
    assert hook.call(raw=BODY, **prefixed).status_code == 202
    assert fired() == 2
    other = Hook(company, "hmac_sha256").stamped(BODY)
    for raw, headers in (
        (BODY + b" ", good),
        (BODY, {**good, "HTTP_X_PAPERCLIP_SIGNATURE": "0" * 64}),
        (BODY, {**good, "HTTP_X_PAPERCLIP_SIGNATURE": "é"}),
        (BODY, {**good, "HTTP_X_PAPERCLIP_TIMESTAMP": str(int(now().timestamp()) + 9)}),
        (BODY, {"HTTP_X_PAPERCLIP_SIGNATURE": good["HTTP_X_PAPERCLIP_SIGNATURE"]}),
        (BODY, {**good, "HTTP_X_PAPERCLIP_TIMESTAMP": "soon"}),
        (BODY, {}),
        (BODY, other),
    ):
        assert hook.call(raw=raw, **headers).status_code == 401
    assert fired() == 2


def test_an_old_signature_is_refused(company: Company) -> None:
    hook = Hook(company, "hmac_sha256", replay_window_sec=60)
    for seconds, status in ((-59, 202), (-61, 401), (59, 202), (61, 401)):
        with time_machine.travel(now(), tick=False):
            signed = hook.stamped(BODY, now() + timedelta(seconds=seconds))
            assert hook.call(raw=BODY, **signed).status_code == status, seconds
    assert fired() == 2


def test_github_signs_the_body(company: Company) -> None:
    hook = Hook(company, "github_hmac")
    good = {
        "HTTP_X_HUB_SIGNATURE_256": f"sha256={hook.sign(BODY)}",
        "HTTP_X_GITHUB_DELIVERY": "d1",
    }
    assert hook.call(raw=BODY, **good).status_code == 202
    assert hook.call(raw=BODY, **good).status_code == 202  # delivered again
    assert fired() == 1
    bare = {"HTTP_X_HUB_SIGNATURE_256": hook.sign(BODY)}
    for raw, headers in ((BODY + b" ", good), (BODY, bare), (BODY, {})):
        assert hook.call(raw=raw, **headers).status_code == 401
    assert fired() == 1


def test_without_a_signature_only_where_the_operator_says_so(company: Company) -> None:
    hook = Hook(company, "none")
    assert hook.secret == ""
    assert hook.call(raw=b"").status_code == 202
    assert hook.call({}, HTTP_IDEMPOTENCY_KEY="a").status_code == 202
    assert hook.call({}, HTTP_IDEMPOTENCY_KEY="a").status_code == 202
    assert fired() == 2


def test_what_is_off_is_409_and_what_is_not_there_404(company: Company) -> None:
    hook = Hook(company, "bearer")
    good = {"HTTP_AUTHORIZATION": f"Bearer {hook.secret}"}
    hook.trigger.change(by=SYSTEM, enabled=False)
    assert hook.call(**good).status_code == 409
    assert hook.call().status_code == 401
    hook.trigger.change(by=SYSTEM, enabled=True)
    hook.routine.refresh_from_db()
    hook.routine.pause(by=SYSTEM)
    assert hook.call(**good).status_code == 409
    hook.trigger.public_id = "nobody"
    assert hook.call(**good).status_code == 404
    assert fired() == 0


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b"[1]", 400),
        (b'{"variables": 7}', 400),
        (b'{"a": "\\u0000"}', 400),
        (b"\xff", 400),
        (b'{"variables": {"pr": "x"}}', 422),
        (b'{"variables": {"other": 1}}', 422),
        (b'{"anything": {"else": 1}}', 202),
    ],
)
def test_what_a_call_may_say(company: Company, raw: bytes, status: int) -> None:
    assert Hook(company, "none").call(raw=raw).status_code == status


def test_a_secret_is_shown_once_and_enclosed(
    company: Company, operator: APIClient
) -> None:
    url = f"/api/routines/{make.routine(company).pk}"
    made = operator.post(f"{url}/triggers", {"kind": "webhook"}).json()
    secret = made["secretMaterial"]["webhookSecret"]
    trigger = RoutineTrigger.objects.get()
    assert secret and secret not in trigger.secret
    assert made["secretMaterial"]["webhookUrl"].endswith(
        f"/api/routine-triggers/public/{trigger.public_id}/fire"
    )
    for path in (
        url,
        f"{url}/revisions",
        f"{url}/runs",
        f"/api/companies/{company.pk}/activity",
    ):
        text = operator.get(path).content.decode()
        assert secret not in text and trigger.secret not in text
    its = f"/api/routine-triggers/{trigger.pk}"
    new = operator.post(f"{its}/rotate-secret").json()["secretMaterial"][
        "webhookSecret"
    ]
    assert new != secret
    bearer = f"/api/routine-triggers/public/{trigger.public_id}/fire"
    assert make.client(secret).post(bearer).status_code == 401
    assert make.client(new).post(bearer).status_code == 202
    assert operator.patch(its, {"signingMode": "none"}).json()["secretMaterial"] is None
    assert operator.post(f"{its}/rotate-secret").status_code == 422


def test_under_another_key_of_the_instance_it_says_what_to_do(
    company: Company, settings: Any
) -> None:
    hook = Hook(company, "bearer")
    settings.SECRET_KEY = "another"
    answer = hook.call(HTTP_AUTHORIZATION=f"Bearer {hook.secret}")
    assert answer.status_code == 409 and "Rotate the secret" in answer.json()["error"]


# --- A webhook with a secret of the company --------------------------------------


def test_a_webhook_is_verified_with_a_secret_of_the_company(db: Any) -> None:
    company = make.company()
    board = make.client_of(make.owner_of(company))
    secret = Secret.objects.keep(
        company, by=SYSTEM, name="shop", value="canary-of-the-shop"
    )
    routine = make.routine(company)
    url = f"/api/routines/{routine.pk}/triggers"
    made = board.post(url, {"kind": "webhook", "secretId": str(secret.pk)})
    assert made.status_code == 201, made.content
    trigger = made.json()["trigger"]
    assert trigger["secretId"] == str(secret.pk)
    assert (made.json()["secretMaterial"] or {}).get("webhookSecret") in (None, "")
    fire = f"/api/routine-triggers/public/{trigger['publicId']}/fire"
    call = make.client().post
    said = {"HTTP_AUTHORIZATION": "Bearer canary-of-the-shop"}
    assert call(fire, {}, **said).status_code == 202
    assert call(fire, {}, HTTP_AUTHORIZATION="Bearer canary").status_code == 401
    read = Activity.objects.get(action="secret.read")
    assert read.details["use"] == f"calls of {routine.title}: webhook"
    with pytest.raises(Conflict, match="is used by"):
        secret.remove(by=SYSTEM)
    one = f"/api/routine-triggers/{trigger['id']}"
    assert board.post(f"{one}/rotate-secret").status_code == 422
    secret.rotate("the-newer-canary", by=SYSTEM)
    assert call(fire, {}, **said).status_code == 401
    said = {"HTTP_AUTHORIZATION": "Bearer the-newer-canary"}
    assert call(fire, {}, **said).status_code == 202
    changed = board.patch(one, {"secretId": None})
    assert changed.json()["secretId"] is None
    assert changed.json()["secretMaterial"]["webhookSecret"].startswith("pcw_")
    assert call(fire, {}, **said).status_code == 401
    assert not secret.bindings.exists()
    for answer in (made, changed):
        assert b"canary" not in answer.content


def test_who_binds_a_secret_to_a_webhook(db: Any) -> None:
    company = make.company()
    agent = make.agent(company)
    routine = make.routine(company, assignee_agent=agent)
    url = f"/api/routines/{routine.pk}/triggers"
    ours, theirs = (
        Secret.objects.keep(of, by=SYSTEM, name="shop", value="canary-of-the-shop")
        for of in (company, make.company())
    )
    told = {"kind": "webhook", "secretId": str(ours.pk)}
    assert make.client_of(agent).post(url, told).status_code == 403
    board = make.client_of(make.owner_of(company))
    for wrong in (
        {"secretId": str(theirs.pk)},
        {"kind": "api"},
        {"signingMode": "none"},
    ):
        assert board.post(url, told | wrong).status_code == 422
    assert not routine.triggers.exists() and not SecretBinding.objects.exists()
    made = board.post(url, told).json()["trigger"]
    make.client_of(agent).delete(f"/api/routine-triggers/{made['id']}")
    assert not SecretBinding.objects.exists()


def bound(company: Company, value: str, **told: Any) -> tuple[RoutineTrigger, Secret]:
    """A webhook that is verified with a new secret of the company."""
    secret = Secret.objects.keep(
        company, by=SYSTEM, name=f"shop {value[-8:]}", value=value
    )
    trigger, own, _revision = RoutineTrigger.objects.add(
        make.routine(company), by=SYSTEM, kind="webhook", company_secret=secret, **told
    )
    assert own == ""
    return trigger, secret


def signed(trigger: RoutineTrigger, value: str, body: bytes = b"{}") -> int:
    """The answer to a call that is signed with this, now."""
    stamp = str(int(now().timestamp()))
    said = hmac.new(value.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return (
        make.client()
        .generic(
            "POST",
            f"/api/routine-triggers/public/{trigger.public_id}/fire",
            body,
            content_type="application/json",
            HTTP_X_PAPERCLIP_TIMESTAMP=stamp,
            HTTP_X_PAPERCLIP_SIGNATURE=said.hexdigest(),
        )
        .status_code
    )


def test_signatures_are_made_with_it_and_rotate_with_it(company: Company) -> None:
    trigger, secret = bound(company, "the-first-canary", signing_mode="hmac_sha256")
    assert signed(trigger, "the-first-canary") == 202
    assert signed(trigger, "no-such-canary") == 401
    secret.rotate("the-second-canary", by=SYSTEM)
    assert signed(trigger, "the-first-canary") == 401
    assert signed(trigger, "the-second-canary") == 202
    # A read for each version, however often it is called.
    assert signed(trigger, "the-second-canary") == 202
    assert Activity.objects.filter(action="secret.read").count() == 2


def test_bound_to_another_secret_the_first_one_opens_nothing(company: Company) -> None:
    trigger, _first = bound(company, "the-first-canary", signing_mode="hmac_sha256")
    assert signed(trigger, "the-first-canary") == 202
    other = Secret.objects.keep(company, by=SYSTEM, name="x", value="another-canary")
    trigger.change(by=SYSTEM, company_secret=other)
    assert signed(trigger, "the-first-canary") == 401
    assert signed(trigger, "another-canary") == 202


def test_what_is_verified_no_more_lets_go_of_its_secret(company: Company) -> None:
    opened, secret = bound(company, "the-first-canary")
    opened.change(by=SYSTEM, signing_mode="none")
    secret.remove(by=SYSTEM)
    archived, secret = bound(company, "the-second-canary")
    archived.routine.archive(by=SYSTEM)
    secret.remove(by=SYSTEM)
    assert not SecretBinding.objects.exists()
    call = f"/api/routine-triggers/public/{archived.public_id}/fire"
    said = {"HTTP_AUTHORIZATION": "Bearer the-second-canary"}
    assert make.client().post(call, {}, **said).status_code == 401


def test_a_restored_webhook_has_a_secret_of_its_own(company: Company) -> None:
    trigger, secret = bound(company, "the-first-canary")
    routine = trigger.routine
    before = routine.revisions.first()
    trigger.remove(by=SYSTEM)
    secret.remove(by=SYSTEM)
    ((_trigger, own),) = routine.restore(before, by=SYSTEM)
    assert own.startswith("pcw_")
