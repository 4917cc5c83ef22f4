"""What an agent may be in its company, and what it may be allowed."""

ROLES = [
    "ceo",
    "cto",
    "cmo",
    "cfo",
    "security",
    "engineer",
    "designer",
    "pm",
    "qa",
    "devops",
    "researcher",
    "general",
]
PERMISSIONS = {"canCreateAgents", "canAssignTasks", "canConfigureAgents"}
# What a CEO is given unless something else is said. Everybody else is given nothing.
OF_CEO = {"canAssignTasks": True, "canCreateAgents": True}
