from django.urls import path

from agents.api import agents, attempts, costs, runs, sessions, skills, stop

urlpatterns = [
    path("instance", stop.OneInstance.as_view()),
    path("instance/stop", stop.StopInstance.as_view()),
    path("instance/resume", stop.ResumeInstance.as_view()),
    path("companies/<str:company_id>/stop", stop.StopCompany.as_view()),
    path("companies/<str:company_id>/resume", stop.ResumeCompany.as_view()),
    path("companies/<str:company_id>/agents", agents.Agents.as_view()),
    path("companies/<str:company_id>/org", agents.Org.as_view()),
    path("companies/<str:company_id>/org.svg", agents.OrgDrawing.as_view()),
    path("companies/<str:company_id>/heartbeat-runs", runs.Runs.as_view()),
    path("companies/<str:company_id>/live-runs", runs.LiveRuns.as_view()),
    path("companies/<str:company_id>/costs/summary", costs.Summary.as_view()),
    path("companies/<str:company_id>/costs/by-agent", costs.ByAgent.as_view()),
    path("companies/<str:company_id>/attempts", attempts.Attempts.as_view()),
    path("attempts/<str:attempt_id>/retry", attempts.RetryAttempt.as_view()),
    path("agents/me", agents.Myself.as_view()),
    path("agents/<str:agent_id>", agents.OneAgent.as_view()),
    path("agents/<str:agent_id>/pause", agents.Pause.as_view()),
    path("agents/<str:agent_id>/resume", agents.Resume.as_view()),
    path("agents/<str:agent_id>/terminate", agents.Terminate.as_view()),
    path(
        "agents/<str:agent_id>/runtime-state/reset-session",
        sessions.ResetSession.as_view(),
    ),
    path("agents/<str:agent_id>/task-sessions", sessions.TaskSessions.as_view()),
    path("agents/<str:agent_id>/keys", agents.Keys.as_view()),
    path("agents/<str:agent_id>/keys/<str:key_id>", agents.OneKey.as_view()),
    path("skills/heartbeat", skills.HeartbeatSkill.as_view()),
    path("heartbeat-runs/<str:run_id>", runs.OneRun.as_view()),
    path("heartbeat-runs/<str:run_id>/events", runs.RunEvents.as_view()),
    path("heartbeat-runs/<str:run_id>/log", runs.RunLog.as_view()),
    path("heartbeat-runs/<str:run_id>/cancel", runs.CancelRun.as_view()),
]
