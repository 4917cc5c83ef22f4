"""The tools in the words of people. What a model is told of them is in loop/tools."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy


class Act(NamedTuple):
    """What people are told of a tool: what a call of it does, the argument that says
    to what, and what an agent may do that has it."""

    words: Any
    what: str = ""
    allows: Any = ""


ACTS = {
    "shell": Act(
        gettext_lazy("runs %(what)s"),
        "command",
        gettext_lazy("Run commands in its workspace: build, test, start programs."),
    ),
    "read_file": Act(
        gettext_lazy("reads %(what)s"),
        "path",
        gettext_lazy("Read files of its workspace."),
    ),
    "write_file": Act(
        gettext_lazy("writes %(what)s"),
        "path",
        gettext_lazy("Write files into its workspace."),
    ),
    "edit_file": Act(
        gettext_lazy("edits %(what)s"),
        "path",
        gettext_lazy("Change files of its workspace."),
    ),
    "list_files": Act(
        gettext_lazy("looks at its files"),
        "",
        gettext_lazy("See which files its workspace has."),
    ),
    "search_files": Act(
        gettext_lazy("searches for %(what)s"),
        "pattern",
        gettext_lazy("Search in the files of its workspace."),
    ),
    "http_request": Act(
        gettext_lazy("opens %(what)s"),
        "url",
        gettext_lazy(
            "Fetch web pages and call web services, where its network allows it."
        ),
    ),
    "inbox": Act(
        gettext_lazy("looks into its inbox"),
        "",
        gettext_lazy("See which issues are its own."),
    ),
    "list_issues": Act(
        gettext_lazy("looks at all issues"),
        "",
        gettext_lazy("See all issues of the company: where each is and who does it."),
    ),
    "checkout": Act(
        gettext_lazy("takes up %(what)s"),
        "issue",
        gettext_lazy("Take up an issue, so that nobody else works on it meanwhile."),
    ),
    "read_issue": Act(
        gettext_lazy("reads %(what)s"),
        "issue",
        gettext_lazy("Read issues: their thread, parts and results."),
    ),
    "comment": Act(
        gettext_lazy("comments on %(what)s"),
        "issue",
        gettext_lazy("Write in the thread of an issue, and call colleagues by @Name."),
    ),
    "update_issue": Act(
        gettext_lazy("changes %(what)s"),
        "issue",
        gettext_lazy("Change issues: status, priority, who does them."),
    ),
    "create_subtask": Act(
        gettext_lazy("files “%(what)s”"),
        "title",
        gettext_lazy(
            "File issues, and give them to colleagues if it has the right to."
        ),
    ),
    "request_review": Act(
        gettext_lazy("asks for a review of %(what)s"),
        "issue",
        gettext_lazy("Say that its work is done, so that its reviewer looks at it."),
    ),
    "approve": Act(
        gettext_lazy("approves %(what)s"),
        "issue",
        gettext_lazy("As a reviewer: accept the work of others, which merges it."),
    ),
    "request_changes": Act(
        gettext_lazy("asks for changes of %(what)s"),
        "issue",
        gettext_lazy("As a reviewer: send the work of others back."),
    ),
    "ask_person": Act(
        gettext_lazy("asks a person about %(what)s"),
        "issue",
        gettext_lazy("Ask you or another person, and wait for the answer."),
    ),
    "write_document": Act(
        gettext_lazy("writes the document %(what)s"),
        "key",
        gettext_lazy("Write documents for people, such as plans and reports."),
    ),
    "read_document": Act(
        gettext_lazy("reads the document %(what)s"),
        "key",
        gettext_lazy("Read the documents of an issue."),
    ),
    "hand_over": Act(
        gettext_lazy("hands over the branch of %(what)s"),
        "issue",
        gettext_lazy("Hand over its changes as a branch of the project."),
    ),
    "run_job": Act(
        gettext_lazy("runs the marketing job %(what)s"),
        "job",
        gettext_lazy("As whose jobs they are: run a marketing job before its time."),
    ),
    "list_colleagues": Act(
        gettext_lazy("looks who its colleagues are"),
        "",
        gettext_lazy("See who works here, and what they are good at."),
    ),
}


def of(name: str) -> Act:
    """The words of a tool; its name alone for one that is not ours."""
    return ACTS.get(name, Act(name))
