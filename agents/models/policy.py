"""Which effects outside stop and ask: a table per company, with exceptions by agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from agents.models.agent import Agent
from agents.models.approval import Approval
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company


class Effect(models.TextChoices):
    """What reaches the world outside the company, or cannot be taken back."""

    DELETE = "delete_production_data", _("delete production data")
    SPEND = "spend_money", _("spend money")
    MAIL = "mail_new_domain", _("mail a domain for the first time")
    PUSH_PROTECTED = "push_protected_branch", _("push to a default branch outside")
    PUSH = "push_branch", _("push an issue's branch outside")
    POST = "post_to_internet", _("send something to a server outside")
    HIRE = "hire_agent", _("hire an agent")


class Rule(models.TextChoices):
    ALLOW = "allow", _("allow")
    ASK = "ask", _("ask a person")
    REFUSE = "refuse", _("refuse")


# What counts where nobody has said otherwise, and the type of approval that is asked
# for. Hires have a switch of the company's own.
KINDS: dict[str, tuple[str, str]] = {
    Effect.DELETE: (Rule.ASK, Approval.Type.DESTRUCTIVE),
    Effect.SPEND: (Rule.ASK, Approval.Type.SPEND),
    Effect.MAIL: (Rule.ASK, Approval.Type.SEND),
    Effect.PUSH_PROTECTED: (Rule.ASK, Approval.Type.PUBLISH),
    Effect.PUSH: (Rule.ALLOW, Approval.Type.PUBLISH),
    Effect.POST: (Rule.ASK, Approval.Type.SEND),
    Effect.HIRE: (Rule.ALLOW, Approval.Type.HIRE),
}


class EffectPolicyQuerySet(ScopedQuerySet):
    @transaction.atomic
    def put(
        self,
        company: Company,
        effect: str,
        rule: str,
        *,
        by: Actor,
        agent: Agent | None = None,
    ) -> None:
        """Say what an effect needs, for one agent or the whole company. An empty rule
        takes the row away, so that the next wider one counts again."""
        by.must_be_operator(company.pk, "change what needs an approval")
        if effect not in KINDS:
            raise Invalid(f"There is no effect {effect}. Known: {', '.join(KINDS)}.")
        if rule and rule not in Rule.values:
            raise Invalid(f"A rule is one of: {', '.join(Rule.values)}.")
        if agent is not None and agent.company_id != company.pk:
            raise Invalid("The agent works for another company.")
        row: dict[str, Any] = {"company": company, "agent": agent, "effect": effect}
        if rule:
            self.update_or_create(**row, defaults={"rule": rule})
        else:
            self.filter(**row).delete()
        audit.record(
            by,
            "company.effect_policy_changed",
            company,
            effect=effect,
            rule=rule or "default",
            **({"agentId": str(agent.pk)} if agent else {}),
        )

    def rule(self, company: Company, agent: Agent | None, effect: str) -> str:
        """What counts for the agent: its own row, the company's, or the default."""
        rows = self.filter(company=company, effect=effect)
        mine = models.Q(agent=None) | models.Q(agent=agent)
        found = rows.filter(mine).order_by(models.F("agent").asc(nulls_last=True))
        row = found.first()
        return str(row.rule) if row else default_rule(company, effect)


def default_rule(company: Company, effect: str) -> str:
    if effect == Effect.HIRE and company.require_approval_for_hires:
        return Rule.ASK
    # What a rehearsal sends goes to its own little world and nowhere else.
    return Rule.ALLOW if company.rehearsal else KINDS[effect][0]


class EffectPolicy(Scoped):
    agent = models.ForeignKey(
        Agent, models.CASCADE, null=True, blank=True, related_name="policies"
    )
    effect = models.CharField(max_length=40, choices=Effect.choices)
    rule = models.CharField(max_length=8, choices=Rule.choices)

    objects = EffectPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("effect policy")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "agent", "effect"],
                nulls_distinct=False,
                name="one_rule_per_effect_and_scope",
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent or self.company}: {self.effect}: {self.rule}"
