"""Who may do what in the console: one row a method and address.

    ("POST", "goals/:goal/change/", "operator")

says from which role on somebody may. All that is below it changes nothing; nobody
without a place in a company is shown anything; a row of another company is missing."""

from __future__ import annotations

READ = [
    *("", "activity/", "board/", "org/", "costs/", "people/", "search/"),
    *("budgets/", "approvals/", "approvals/rules", "approvals/:approval"),
    *("agents/", "agents/:agent", "runs/", "runs/:run", "runs/:run/log"),
    *("runs/:run/talk", "issues/", "issues/:issue", "issues/:issue/documents/:plan"),
    *("issues/:issue/work/:product", "goals/", "projects/", "labels/", "companies/"),
    *("routines/", "routines/:routine", "routines/:routine/revisions", "checks/"),
]
# Forms, that open for whoever may send them.
FORMS = {
    "operator": [
        *("issues/add/", "goals/add/", "projects/add/", "labels/add/"),
        *("routines/add/", "issues/:issue/change/", "goals/:goal/change/"),
        "projects/:project/change/",
        *("routines/:routine/change/", "companies/add/"),
    ],
    "admin": [
        *("agents/add/", "agents/:agent/change/", "checks/add/"),
        *("checks/:check/change/", "secrets/add/", "secrets/:secret/change/"),
        "companies/:company/change/",
    ],
}
BUTTONS = {
    "viewer": ["company/:company/choose"],
    "operator": [
        *("company/:company/stop", "company/:company/resume", "stop"),
        *("approvals/:approval/decide", "approvals/:approval/comment"),
        "people/:place/remove",  # its own place
        *("agents/:agent/wake", "agents/:agent/pause", "agents/:agent/resume"),
        *("agents/:agent/sessions_reset", "agents/sessions/:session/reset"),
        *("agents/attempts/:attempt/retry", "runs/:run/stop"),
        *("routines/:routine/run", "routines/:routine/pause"),
        *("routines/:routine/resume", "routines/:routine/archive"),
        "routines/:routine/revisions/:revision/restore",
        *("routines/:routine/webhooks", "routines/:routine/webhooks/:trigger/rotate"),
        "routines/:routine/webhooks/:trigger/remove",
        *("issues/:issue/move", "issues/:issue/change", "issues/:issue/comment"),
        *("issues/:issue/answer", "issues/:issue/wake", "issues/:issue/stop"),
        *("issues/:issue/check", "issues/:issue/criteria"),
        "issues/:issue/criteria/:proposed/accept",
        "issues/:issue/criteria/:criterion/by_hand",
        "issues/:issue/criteria/:criterion/remove",
    ],
    "admin": [
        *("resume", "leave-rehearsal/", "budgets/put", "budgets/:policy/remove"),
        "budgets/incidents/:incident/resolve",
        *("costs/account/:account/open", "costs/account/:account/change"),
        *("agents/:agent/terminate", "agents/:agent/keep_secrets"),
        *("agents/:agent/keys", "agents/:agent/keys/:key/revoke"),
        *("secrets/:secret/rotate", "secrets/:secret/remove"),
        *("people/invite", "people/:place/role"),
        "people/invites/:invite/revoke",
    ],
}
WAYS = ("GET", "POST")
PAGES = [
    *(("GET", path, "viewer") for path in READ),
    *(("GET", path, "admin") for path in ("secrets/", "secrets/:secret")),
    *((way, path, r) for r, all in FORMS.items() for path in all for way in WAYS),
    *(("POST", path, role) for role, all in BUTTONS.items() for path in all),
]
# For anybody: each looks at the token in its address, or says how to sign in.
OPEN = ["invite/:", "sign-in/:", "live/:", "login/", "logout/"]
# Django's and Celery's own, that are no part of the console.
CLOSED = ["password_change/", "password_change/done/", "autocomplete/", "jsi18n/"]
CLOSED += ["r/:/:/", "runs/add/", "runs/:/change/", "labels/:/change/"]
# Of what these ask for there is nothing here, whoever asks.
NOT_NOW = {"issues/:issue/answer", "issues/:issue/criteria", "leave-rehearsal/"}
SHUT = ("auth/", "django_celery_beat/", "^")
