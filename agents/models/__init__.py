from agents.models.account import ProviderAccount
from agents.models.agent import Agent
from agents.models.attempt import Attempt
from agents.models.cost import CostEvent
from agents.models.event import RunEvent
from agents.models.key import ApiKey
from agents.models.run import Run
from agents.models.secret import Secret
from agents.models.secret_binding import SecretBinding
from agents.models.secret_version import SecretVersion
from agents.models.session import Session
from agents.models.wakeup import Wakeup

__all__ = [
    "Agent",
    "ApiKey",
    "Attempt",
    "CostEvent",
    "ProviderAccount",
    "Run",
    "RunEvent",
    "Secret",
    "SecretBinding",
    "SecretVersion",
    "Session",
    "Wakeup",
]
