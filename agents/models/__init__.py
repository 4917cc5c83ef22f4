from agents.models.agent import Agent
from agents.models.event import RunEvent
from agents.models.key import ApiKey
from agents.models.run import Run
from agents.models.wakeup import Wakeup

__all__ = ["Agent", "ApiKey", "Run", "RunEvent", "Wakeup"]
