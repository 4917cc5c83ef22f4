from agents.models.account import ProviderAccount
from agents.models.agent import Agent
from agents.models.approval import Approval
from agents.models.attempt import Attempt
from agents.models.budget import BudgetPolicy
from agents.models.cost import CostEvent
from agents.models.counter import BudgetCounter, BudgetReservation
from agents.models.event import RunEvent
from agents.models.incident import BudgetIncident
from agents.models.key import ApiKey
from agents.models.notice import ApprovalEvent, Notice
from agents.models.policy import EffectPolicy
from agents.models.run import Run
from agents.models.secret import Secret
from agents.models.secret_binding import SecretBinding
from agents.models.secret_version import SecretVersion
from agents.models.session import Session
from agents.models.wakeup import Wakeup

__all__ = [
    "Agent",
    "ApiKey",
    "Approval",
    "ApprovalEvent",
    "Attempt",
    "BudgetCounter",
    "BudgetIncident",
    "BudgetPolicy",
    "BudgetReservation",
    "CostEvent",
    "EffectPolicy",
    "Notice",
    "ProviderAccount",
    "Run",
    "RunEvent",
    "Secret",
    "SecretBinding",
    "SecretVersion",
    "Session",
    "Wakeup",
]
