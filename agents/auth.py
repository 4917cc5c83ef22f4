"""Who a request is from. A credential that is sent is checked: a bad one is 401, also
beside a good session, and nobody is anybody without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from agents import scrubbers
from agents.models import Agent, ApiKey, Run
from paperclip.actors import Actor
from paperclip.exceptions import Conflict, NotAllowed, NotSignedIn
from paperclip.models import Company, User

RUN_HEADER = "X-Paperclip-Run-Id"
RUN_PREFIX = "pcr_"
REFUSED = "Agent token did not verify; obtain fresh credentials and retry"


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with the token of a run, an agent's key or a person's."""

    def authenticate(self, request: Request) -> tuple[Actor, Any] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not token.strip():
            raise NotSignedIn("Send the credential as: Authorization: Bearer <token>")
        actor = actor_of(token.strip(), request.headers.get(RUN_HEADER))
        return actor, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionActor(SessionAuthentication):
    """A person in the browser, with the CSRF check that goes with cookies."""

    def authenticate(self, request: Request) -> tuple[Actor, Any] | None:
        found = super().authenticate(request)
        return (Actor.of_user(found[0]), None) if found else None


def actor_of(token: str, run_header: str | None = None) -> Actor:
    """Whom the token stands for; NotSignedIn when it is wrong, old or revoked.

    A run's token acts through that run and no other. An agent's key may name one of its
    live runs in the header; Conflict when that is none.
    """
    # The prefix says which table to look in: one query for every request.
    if token.startswith(RUN_PREFIX):
        return _actor_of_run(token, run_header)
    key = ApiKey.objects.of_token(token)
    if key is None:
        raise NotSignedIn(REFUSED)
    if key.user is not None:
        if not key.user.is_active:
            raise NotSignedIn(REFUSED)
        return _person(key.user, run_header)
    assert key.agent is not None  # noqa: S101 (a key has one holder)
    return _employed(key.agent, _named_run(key.agent, run_header))


def _actor_of_run(token: str, run_header: str | None) -> Actor:
    run = Run.objects.of_token(token)
    if run is None:
        raise NotSignedIn(REFUSED)
    if run_header and run_header != str(run.pk):
        raise NotAllowed(f"This token belongs to the run {run.pk}.", code="wrong_run")
    return _employed(run.agent, run)


def _person(user: User, run_header: str | None) -> Actor:
    """A person, or the program of a live run that has a person's key: then what it does
    wakes its own agent no more than with the key of the run."""
    actor = Actor.of_user(user)
    if not run_header:
        return actor
    try:
        live = Run.objects.live().visible_to(actor).filter(pk=UUID(run_header))
    except ValueError:
        return actor
    run = live.select_related("agent").first()
    return replace(actor, run=run, scrubber=scrubbers.of(run.agent)) if run else actor


def _employed(agent: Agent, run: Run | None) -> Actor:
    gone = agent.status in (Agent.Status.TERMINATED, Agent.Status.PENDING)
    if gone or agent.company.status == Company.Status.ARCHIVED:
        raise NotSignedIn(REFUSED)
    return replace(Actor.of_agent(agent, run), scrubber=scrubbers.of(agent))


def _named_run(agent: Agent, run_id: str | None) -> Run | None:
    if not run_id:
        return None
    try:
        live = Run.objects.live()
        run: Run | None = live.filter(pk=UUID(run_id), agent=agent).first()
    except ValueError:
        run = None
    if run is None:
        raise Conflict(
            f"{RUN_HEADER} names no live run of {agent}: it has ended or never was.",
            code="run_not_live",
        )
    return run
