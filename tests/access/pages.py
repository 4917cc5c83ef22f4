"""The console's side of `table`, by the same rules, with these differences: who is not
signed in is led to the sign-in page, whatever token came along; and a button that may
not be pressed answers 403 or leads back with a warning, and nothing has happened.

A form is sent with a field that it does not know: whoever may fill it in is answered
422 for what is missing (FILL), or 302 when it has nothing to say against that."""

from __future__ import annotations

from typing import Any

from tests.access.actors import KEEPERS, OPERATORS, PEOPLE, VIEWER
from tests.access.table import but

ANY = {"x": "1"}
VISITORS = {"anonymous", "bearer", "stranger"}
EVERYBODY = PEOPLE | VISITORS
SIGNED_IN = PEOPLE | {"stranger"}
# Of nobody in particular: these lead to another page, which looks who asks.
AT_HOME = {"stranger": 200}
FILL, WARNED = 422, 409


def lists(path: str, who: set[str], row: str, *, opens: set[str] = PEOPLE) -> list[Any]:
    """The list of a model, the form of a new row and that of one there is."""
    return [
        ("GET", f"/{path}/", opens),
        ("GET", f"/{path}/add/", who),
        ("POST", f"/{path}/add/", set(), ANY, but(who | {"stranger"}, FILL)),
        ("GET", f"/{path}/:{row}/change/", who),
        ("POST", f"/{path}/:{row}/change/", set(), ANY, but(who, FILL)),
    ]


ANSWER = {"body": "Yes.", "to": ":peer"}
LIMIT = {
    "scope": "agent::peer",
    "metric": "billed_cents",
    "amount": "2.50",
    "window_kind": "",
    "warn_percent": "90",
}
PROPERTIES = {
    "is-status": "todo",
    "initial-is-status": "in_progress",
    "is-priority": "2",
    "initial-is-priority": "2",
}
RULE = {"spend_money": "ask"}

PAGES = [
    # --- marketing -------------------------------------------------------------------
    ("GET", "/marketing/", PEOPLE),
    ("GET", "/marketing/import/keywords/", OPERATORS | {"stranger"}),
    ("GET", "/marketing/import/contacts/", KEEPERS | {"stranger"}),
    (
        "POST",
        "/marketing/import/keywords/",
        set(),
        ANY,
        but(OPERATORS | {"stranger"}, FILL),
    ),
    (
        "POST",
        "/marketing/import/contacts/",
        set(),
        ANY,
        but(KEEPERS | {"stranger"}, FILL),
    ),
    ("GET", "/marketing/gaps/", PEOPLE),
    ("POST", "/marketing/gaps/:gap/dismiss", OPERATORS),
    ("GET", "/marketing/rivals/:rival", PEOPLE),
    ("GET", "/marketing/posts/", PEOPLE),
    ("GET", "/marketing/posts/:post", PEOPLE),
    # Nothing is written of it yet, and nothing of it is online.
    ("POST", "/marketing/posts/:post/edit", set(), {}, but(PEOPLE, 404)),
    # It is of no cluster.
    ("POST", "/marketing/posts/:post/trust", set(), {}, but(PEOPLE, 404)),
    ("POST", "/marketing/posts/:post/unpublish", set(), {}, but(OPERATORS, WARNED)),
    ("GET", "/marketing/ranks/", PEOPLE),
    ("GET", "/marketing/ranks/:keyword", PEOPLE),
    ("GET", "/marketing/outreach/", PEOPLE),
    ("GET", "/marketing/outreach/:mail", PEOPLE),
    # A draft without a mail that goes out: nothing of it can be edited.
    ("POST", "/marketing/outreach/:mail/edit", set(), {}, but(OPERATORS, FILL)),
    ("POST", "/marketing/outreach/:mail/drop", OPERATORS),
    ("POST", "/marketing/outreach/:mail/settle", set(), {}, but(OPERATORS, WARNED)),
    ("POST", "/marketing/mailboxes/:mailbox/test", set(), {}, but(KEEPERS, WARNED)),
    ("GET", "/marketing/listing/:directory", PEOPLE),
    ("POST", "/marketing/listing/:directory/submit", set(), {}, but(PEOPLE, WARNED)),
    ("POST", "/marketing/listing/:directory/terms", set(), {}, but(OPERATORS, WARNED)),
    ("POST", "/marketing/listing/:directory/drop", OPERATORS),
    ("POST", "/marketing/contacts/:contact/switch", KEEPERS),
    ("POST", "/marketing/contacts/:contact/same", set(), {}, but(KEEPERS, WARNED)),
    ("POST", "/marketing/templates/:template/approval", KEEPERS),
    ("GET", "/marketing/indexnow/", PEOPLE),
    ("GET", "/marketing/results/", PEOPLE),
    # Without a site there is nothing to print, to stop or to run.
    ("GET", "/marketing/results/pdf", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/marketing/stop", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/marketing/jobs/:new/run", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/marketing/jobs/:new/switch", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/marketing/jobs/:new/every", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/marketing/results/mail", set(), {}, but(OPERATORS, WARNED)),
    ("GET", "/marketing/site/", KEEPERS | {"stranger"}),
    ("POST", "/marketing/site/", set(), ANY, but(KEEPERS | {"stranger"}, FILL)),
    (
        "POST",
        "/marketing/site/credentials",
        set(),
        {},
        but(KEEPERS | {"stranger"}, 404),
    ),
    *lists("marketing/keywords", OPERATORS, "keyword")[:-1],
    ("POST", "/marketing/keywords/:keyword/change/", OPERATORS),
    *lists("marketing/competitors", KEEPERS, "rival"),
    *lists("marketing/directories", OPERATORS, "directory"),
    *lists("marketing/contacts", KEEPERS, "contact"),
    *lists("marketing/templates", KEEPERS, "template"),
    *lists("marketing/countries", KEEPERS, "policy_of_country"),
    *lists("marketing/mailboxes", KEEPERS, "mailbox"),
    ("GET", "/marketing/suppressions/", PEOPLE),
    ("GET", "/marketing/suppressions/add/", KEEPERS),
    (
        "POST",
        "/marketing/suppressions/add/",
        set(),
        ANY,
        but(KEEPERS | {"stranger"}, FILL),
    ),
    ("GET", "/marketing/suppressions/:suppression", PEOPLE),
    ("POST", "/marketing/suppressions/:suppression/lift", KEEPERS),
    ("GET", "/marketing/suppressions/:suppression/change/", set()),
    ("POST", "/marketing/suppressions/:suppression/change/", set()),
    # For people outside; a token that is none is answered like any other.
    ("GET", "/u/:new", EVERYBODY),
    ("POST", "/u/:new", EVERYBODY),
    ("GET", "/u/probe/:new", EVERYBODY),
    # --- before anybody is signed in -------------------------------------------------
    ("GET", "/login/", EVERYBODY),
    ("POST", "/login/", set(), {"username": "nobody"}, but(EVERYBODY, 401)),
    ("GET", "/sign-in/:sign_in", EVERYBODY),
    ("POST", "/sign-in/:sign_in", EVERYBODY),
    ("GET", "/invite/:invitation", EVERYBODY),
    (
        "POST",
        "/invite/:invitation",
        {"stranger"},
        {},
        {**but(PEOPLE, 409), **but({"anonymous", "bearer"}, 422)},
    ),
    ("GET", "/live/:live", VIEWER, {}, but(EVERYBODY - VIEWER, 403)),
    ("POST", "/logout/", SIGNED_IN, {}, but({"anonymous", "bearer"}, 200)),
    ("GET", "/password_change/", SIGNED_IN),
    ("POST", "/password_change/", SIGNED_IN),
    ("GET", "/password_change/done/", SIGNED_IN),
    # --- the company that is shown ---------------------------------------------------
    ("GET", "/", PEOPLE),
    ("GET", "/activity/", PEOPLE),
    ("GET", "/board/", PEOPLE),
    ("GET", "/org/", PEOPLE),
    ("GET", "/search/", PEOPLE),
    ("GET", "/jsi18n/", PEOPLE),
    ("GET", "/leave-rehearsal/", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/leave-rehearsal/", set(), {}, but(SIGNED_IN, 404)),
    ("POST", "/company/:company/choose", PEOPLE),
    ("POST", "/company/:company/stop", OPERATORS),
    ("POST", "/company/:company/resume", set(), {}, but(OPERATORS, WARNED)),
    ("POST", "/company/:company/archive", set(), {}, but(PEOPLE, WARNED)),
    ("POST", "/company/:company/bring-back", set(), {}, but(PEOPLE, WARNED)),
    ("POST", "/stop", OPERATORS),
    ("POST", "/resume", set(), {}, but(KEEPERS | {"stranger"}, WARNED)),
    ("GET", "/companies/", PEOPLE),
    ("GET", "/companies/add/", OPERATORS),
    ("POST", "/companies/add/", set(), ANY, but(OPERATORS | {"stranger"}, FILL)),
    ("GET", "/companies/:company/change/", KEEPERS),
    ("POST", "/companies/:company/change/", set(), ANY, but(KEEPERS, FILL)),
    # --- people ----------------------------------------------------------------------
    ("GET", "/people/", PEOPLE),
    ("POST", "/people/invite", KEEPERS, {"role": "viewer"}),
    ("POST", "/people/:place/role", KEEPERS, {"role": "viewer"}),
    ("POST", "/people/:place/link", {"owner"}),
    ("POST", "/people/:place/remove", OPERATORS),
    ("POST", "/people/invites/:invite/revoke", KEEPERS),
    # --- money -----------------------------------------------------------------------
    ("GET", "/costs/", PEOPLE),
    ("POST", "/costs/account/:account/open", KEEPERS, {}, AT_HOME),
    ("POST", "/costs/account/:account/change", KEEPERS, {}, AT_HOME),
    ("GET", "/budgets/", PEOPLE),
    ("POST", "/budgets/put", KEEPERS, LIMIT, but({"stranger"}, FILL)),
    ("POST", "/budgets/:policy/remove", KEEPERS),
    ("POST", "/budgets/incidents/:incident/resolve", KEEPERS, {"action": "keep"}),
    # --- approvals -------------------------------------------------------------------
    ("GET", "/approvals/", PEOPLE),
    ("GET", "/approvals/:approval", PEOPLE),
    ("POST", "/approvals/:approval/decide", OPERATORS, {"verdict": "rejected"}),
    ("POST", "/approvals/:hire/decide", KEEPERS, {"verdict": "rejected"}),
    ("POST", "/approvals/:approval/comment", OPERATORS, {"body": "Why?"}),
    ("GET", "/approvals/rules", PEOPLE),
    ("POST", "/approvals/rules", KEEPERS, RULE),
    # --- agents ----------------------------------------------------------------------
    *lists("agents", KEEPERS, "agent"),
    ("GET", "/agents/:agent", PEOPLE),
    ("POST", "/agents/:agent/wake", OPERATORS),
    ("POST", "/agents/:agent/pause", OPERATORS),
    ("POST", "/agents/:paused/resume", OPERATORS),
    ("POST", "/agents/:agent/sessions_reset", OPERATORS),
    ("POST", "/agents/:agent/keep_secrets", KEEPERS),
    ("POST", "/agents/:agent/terminate", KEEPERS),
    ("POST", "/agents/sessions/:session/reset", OPERATORS),
    ("POST", "/agents/attempts/:attempt/retry", OPERATORS),
    ("POST", "/agents/:agent/keys", KEEPERS),
    ("POST", "/agents/:agent/keys/:key/revoke", KEEPERS),
    *lists("secrets", KEEPERS, "secret", opens=KEEPERS),
    ("GET", "/secrets/:secret", KEEPERS),
    ("POST", "/secrets/:secret/rotate", KEEPERS, {"value": "another long value"}),
    ("POST", "/secrets/:secret/remove", KEEPERS),
    ("GET", "/runs/", PEOPLE),
    ("GET", "/runs/add/", set()),
    ("POST", "/runs/add/", set()),
    ("GET", "/runs/:run/change/", PEOPLE, {}, AT_HOME),
    ("POST", "/runs/:run/change/", PEOPLE, {}, AT_HOME),
    ("GET", "/runs/:run", PEOPLE),
    ("GET", "/runs/:run/log", PEOPLE),
    ("GET", "/runs/:run/talk", PEOPLE),
    ("POST", "/runs/:run/stop", OPERATORS),
    # --- routines --------------------------------------------------------------------
    *lists("routines", OPERATORS, "routine"),
    ("GET", "/routines/:routine", PEOPLE),
    ("POST", "/routines/:routine/run", OPERATORS),
    ("POST", "/routines/:routine/pause", OPERATORS),
    ("POST", "/routines/:resting/resume", OPERATORS),
    ("POST", "/routines/:routine/archive", OPERATORS),
    ("GET", "/routines/:routine/revisions", PEOPLE),
    ("POST", "/routines/:routine/revisions/:revision/restore", OPERATORS),
    ("POST", "/routines/:routine/webhooks", OPERATORS, {"signing_mode": "bearer"}),
    ("POST", "/routines/:routine/webhooks/:trigger/rotate", OPERATORS),
    ("POST", "/routines/:routine/webhooks/:trigger/remove", OPERATORS),
    # --- issues ----------------------------------------------------------------------
    ("GET", "/issues/", PEOPLE),
    ("GET", "/issues/add/", OPERATORS),
    ("POST", "/issues/add/", set(), ANY, but(OPERATORS | {"stranger"}, FILL)),
    ("GET", "/issues/:issue/change/", OPERATORS),
    ("POST", "/issues/:issue/change/", set(), ANY, but(OPERATORS, FILL)),
    ("GET", "/issues/:issue", PEOPLE),
    ("GET", "/issues/:issue/stages", OPERATORS),
    ("POST", "/issues/:issue/stages", set(), ANY, but(OPERATORS, FILL)),
    ("POST", "/issues/:issue/move", OPERATORS, {"status": "todo"}),
    ("POST", "/issues/:issue/change", OPERATORS, PROPERTIES),
    ("POST", "/issues/:issue/comment", OPERATORS, {"body": "Hello"}),
    ("POST", "/issues/:issue/answer", OPERATORS, ANSWER),
    ("POST", "/issues/:issue/wake", OPERATORS),
    ("POST", "/issues/:issue/stop", OPERATORS),
    ("GET", "/issues/:issue/documents/:plan", PEOPLE),
    ("GET", "/issues/:issue/work/:product", PEOPLE),
    ("POST", "/issues/:issue/check", OPERATORS),
    ("POST", "/issues/:issue/criteria", OPERATORS, {"check": "look"}),
    ("POST", "/issues/:issue/criteria/:proposed/accept", OPERATORS),
    ("POST", "/issues/:issue/criteria/:criterion/by_hand", OPERATORS),
    ("POST", "/issues/:issue/criteria/:criterion/remove", OPERATORS),
    *lists("checks", KEEPERS, "check"),
    *lists("goals", OPERATORS, "goal"),
    *lists("projects", OPERATORS, "project"),
    ("GET", "/labels/", PEOPLE),
    ("GET", "/labels/add/", OPERATORS),
    ("POST", "/labels/add/", set(), ANY, but(OPERATORS | {"stranger"}, FILL)),
    ("GET", "/labels/:label/change/", PEOPLE, {}, AT_HOME),
    ("POST", "/labels/:label/change/", PEOPLE, {}, AT_HOME),
]

# Django's own pages of models that no company owns: for who administers the instance.
ADMINISTRATION = ("/auth/", "/django_celery_beat/", "/r/", "/autocomplete/", "/^")
