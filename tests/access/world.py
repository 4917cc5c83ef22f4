"""A company with a row of every kind, its people and agents, and their credentials."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core import signing
from django.test import Client
from django.utils.timezone import now

from agents.models import (
    Agent,
    ApiKey,
    Approval,
    Attempt,
    BudgetIncident,
    ProviderAccount,
    Run,
    Secret,
    Session,
)
from issues.models import Check, Criterion, Document, RoutineTrigger, WorkProduct
from paperclip.actors import SYSTEM, Actor
from paperclip.desk import LIVE_SALT
from paperclip.models import Company, Invite, SignInLink, User
from tests import make
from tests.access.marketing import outside, site

DAY = timedelta(days=1)
NOBODY = "deadbeef-dead-4ead-8ead-deaddeaddead"
ROLES = ("viewer", "operator", "admin", "owner")


class World:
    """`rows` are its rows by the names that paths of the table call them."""

    def __init__(self, name: str) -> None:
        self.company = make.company(name)
        self.people = {role: self.person(role) for role in ROLES}
        self.staff()
        paused = make.agent(self.company, name="Paused")
        paused.pause(by=SYSTEM)
        owner = make.by(self.people["owner"])
        _invite, invitation = Invite.objects.issue(
            self.company, by=owner, role="viewer"
        )
        self.rows: dict[str, Any] = {
            "company": self.company,
            "agent": self.agent,
            "peer": self.peer,
            "manager": self.manager,
            "issue": self.issue,
            "run": self.run,
            "person": self.people["operator"],
            **self.plans(),
            **self.proofs(),
            **self.routines(),
            **self.governance(),
            **outside(self.company),
            "paused": paused,
            "place": self.company.memberships.get(user=self.people["operator"]),
            "invite": Invite.objects.filter(company=self.company).get(),
        }
        # What is asked after the usual half minute is asked in a live run, too.
        Run.objects.live().update(lease_expires_at=now() + DAY)
        self.tokens = {
            "sign_in": SignInLink.issue(self.people["viewer"]),
            "invitation": invitation,
            "live": signing.dumps(
                [str(self.people["viewer"].pk), str(self.company.pk)], salt=LIVE_SALT
            ),
        }

    def person(self, role: str) -> User:
        if role == "owner":
            return make.owner_of(self.company)
        return make.operator(self.company, role)

    def staff(self) -> None:
        """The agent holds the issue by one of its two runs; its manager may hire."""
        rights = {"canCreateAgents": True, "canAssignTasks": True}
        several = {"company": self.company, "max_concurrent_runs": 4}
        self.manager = make.agent(name="Manager", permissions=rights, **several)
        under = {"reports_to": self.manager, **several}
        self.agent = make.agent(name="Ada", **under)
        self.peer = make.agent(name="Peer", **under)
        self.project = make.project(self.company)
        self.issue = make.issue(
            self.company, assignee_agent=self.agent, project=self.project
        )
        self.run, self.run_token = claimed(self.agent, self.issue)
        self.second_token = claimed(self.agent, make.issue(self.company))[1]
        self.by = Actor.of_agent(self.agent, self.run)
        self.peer_token = make.live_run(self.peer)[1]
        self.manager_run, self.manager_token = make.live_run(self.manager)
        self.issue.check_out(self.agent, self.run, ["todo"], by=self.by)

    def plans(self) -> dict[str, Any]:
        document, _new = Document.objects.write(
            self.issue, "plan", body="# Plan", by=self.by
        )
        product = WorkProduct.objects.add(
            self.issue, by=self.by, type="artifact", title="A page"
        )
        return {
            "project": self.project,
            "goal": make.goal(self.company),
            "label": make.label(self.company),
            "comment": self.issue.comment("Hello", by=self.by),
            "document": document,
            "product": product,
        }

    def governance(self) -> dict[str, Any]:
        approvals = self.approvals()
        account, _new = ProviderAccount.objects.get_or_create(name="openai")
        key, _token = ApiKey.objects.issue_to(self.agent, name="old", by=SYSTEM)
        policy = make.budget(make.agent(self.company, name="Poor"), 1000)
        attempt = Attempt.objects.create(
            company=self.company,
            agent=self.agent,
            issue_id=self.issue.pk,
            cause="adapter_failed",
            parked_at=now(),
        )
        session = Session.objects.create(
            company=self.company,
            agent=self.agent,
            adapter_type="process",
            issue_id=self.issue.pk,
            session_id="s-1",
            started_at=now(),
        )
        return {
            "account": account,
            "key": key,
            "policy": policy,
            "attempt": attempt,
            "session": session,
            "secret": Secret.objects.keep(
                self.company, by=SYSTEM, name="kept", value="a value of some length"
            ),
            "incident": BudgetIncident.objects.note(policy.counter(now()), "hard"),
            **approvals,
        }

    def approvals(self) -> dict[str, Any]:
        """One that the agent asked for, one that was sent back to it, and a hire of its
        manager's that waits."""
        ask = Approval.objects.request
        manager = Actor.of_agent(self.manager, self.manager_run)
        strategy = "approve_ceo_strategy"
        approval = ask(self.company, strategy, {"plan": "grow"}, by=self.by)
        linked = {"issue_ids": [self.issue.pk]}
        returned = ask(self.company, strategy, {"plan": "rest"}, by=self.by, **linked)
        returned.request_revision(by=make.by(self.people["owner"]), note="Why?")
        hired = make.agent(self.company, name="Hired")
        Agent.objects.filter(pk=hired.pk).update(status="pending_approval")
        hire = ask(self.company, "hire_agent", {"agentId": str(hired.pk)}, by=manager)
        return {
            "approval": approval,
            "returned": returned,
            "hired": hired,
            "hire": hire,
        }

    def proofs(self) -> dict[str, Any]:
        check = Check.objects.define(
            self.company, by=SYSTEM, key="look", type="human", title="Looks well"
        )
        free = {"type": "human", "title": "Reads well", "settings": {}}
        proposed = Criterion.objects.add(self.issue, by=self.by, **free)
        return {
            "check": check,
            "proposed": proposed,
            "criterion": Criterion.objects.add(self.issue, by=SYSTEM, check=check),
        }

    def routines(self) -> dict[str, Any]:
        routine = make.routine(self.company, assignee_agent=self.agent)
        resting = make.routine(self.company)
        resting.pause(by=SYSTEM)
        schedule = make.schedule(routine)
        hook, self.hook_secret, _revision = RoutineTrigger.objects.add(
            routine, by=SYSTEM, kind="webhook", signing_mode="bearer"
        )
        return {
            "routine": routine,
            "resting": resting,
            "schedule": schedule,
            "trigger": hook,
            "revision": routine.revisions.last(),
        }

    def sited(self) -> World:
        """Itself, with a site whose jobs its agent does, and a run of one that ended.
        Without one there is nothing to run, to stop or to print."""
        self.rows["job_run"] = site(self.company, self.agent)
        return self

    def id_of(self, name: str) -> str:
        """What a path says for this row."""
        special = {
            "identifier": lambda: self.issue.identifier,
            "public": lambda: self.rows["trigger"].public_id,
            "plan": lambda: "plan",
            "new": lambda: "new",
            "job": lambda: "content",
        }
        if name in special:
            return str(special[name]())
        return str(self.tokens.get(name) or self.rows[name].pk)


def claimed(agent: Agent, issue: Any) -> tuple[Run, str]:
    """A live run about the issue, whether it was woken for it already or not."""
    run = agent.runs.open().filter(issue_id=issue.pk).first()
    run = run or make.queued_run(agent, issue)
    token = run.claim(host="test")
    assert token is not None
    return run, token


def browser(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def revoked_key(agent: Agent) -> str:
    key, token = ApiKey.objects.issue_to(agent, name="lost", by=SYSTEM)
    key.revoke(by=SYSTEM)
    return token


def ended_run(agent: Agent, company: Company) -> str:
    run, token = claimed(agent, make.issue(company))
    run.finish("succeeded")
    return token
