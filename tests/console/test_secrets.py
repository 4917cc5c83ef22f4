"""Secrets in the console: kept, rotated and bound, and never shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents.models import Agent, Secret
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make
from tests.console.conftest import LOG
from tests.console.test_hire import HIRE

pytestmark = pytest.mark.django_db
CANARY = "canary-of-the-company-7"
PROGRAM = {**HIRE, "adapter_type": "process", "command": "true", "apiBase": ""}


def kept(company: Company, name: str = "github", value: str = CANARY) -> Secret:
    return Secret.objects.keep(company, by=SYSTEM, name=name, value=value)


def test_a_secret_is_kept_and_changed(console: Client, company: Company) -> None:
    form = {"name": "github", "value": f" {CANARY}\r\n", "providers": "Gemini, openai"}
    answer = console.post("/secrets/add/", form, follow=True)
    assert b"github is saved" in answer.content
    secret = Secret.objects.get(company=company)
    assert secret.read(by=SYSTEM, use="test").value == CANARY
    assert {b.target_id for b in secret.bindings.all()} == {"gemini", "openai"}
    change = {"name": "hub", "description": "pushes", "providers": "openai"}
    console.post(f"/secrets/{secret.pk}/change/", change)
    secret.refresh_from_db()
    assert (secret.name, secret.description) == ("hub", "pushes")
    assert [str(b) for b in secret.bindings.all()] == ["openai (models): API key"]
    shown = console.get(f"/secrets/{secret.pk}").content.decode()
    assert "openai (models): API key" in shown and "version 1" in shown
    for path in ("", f"{secret.pk}", f"{secret.pk}/change/"):
        assert "canary" not in console.get(f"/secrets/{path}").content.decode()


def test_a_key_keeps_its_lines(console: Client) -> None:
    console.post("/secrets/add/", {"name": "key", "value": "first line\r\nsecond\r\n"})
    read = Secret.objects.get().read(by=SYSTEM, use="test")
    assert read.value == "first line\nsecond\n"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"value": "canary"}, "at least 8 characters"),
        ({"name": "<b>"}, "Letters, numbers"),
        ({"name": ""}, "This field is required"),
        ({"name": CANARY}, "holds the value itself"),
        ({"providers": "no-provider"}, "is no provider"),
    ],
)
def test_what_is_wrong_is_said_and_the_value_is_not(
    console: Client, wrong: Any, words: str
) -> None:
    form = {"name": "github", "value": CANARY} | wrong
    answer = console.post("/secrets/add/", form)
    assert answer.status_code == 422 and words in answer.content.decode()
    if form["name"] != CANARY:
        assert "canary" not in answer.content.decode()
    assert not Secret.objects.exists()


def test_a_new_value(console: Client, company: Company) -> None:
    secret = kept(company)
    answer = console.post(
        f"/secrets/{secret.pk}/rotate", {"value": "the-newer-canary"}, follow=True
    )
    assert "The next run gets the new value" in answer.content.decode()
    assert "canary" not in answer.content.decode()
    secret.refresh_from_db()
    assert secret.read(by=SYSTEM, use="test").value == "the-newer-canary"
    answer = console.post(f"/secrets/{secret.pk}/rotate", {"value": "tiny"})
    assert answer.status_code == 422 and "at least 8" in answer.content.decode()


def test_one_in_use_stays(console: Client, company: Company) -> None:
    secret = kept(company)
    binding = secret.bind("provider", "gemini", "API key", by=SYSTEM, label="gemini")
    answer = console.post(f"/secrets/{secret.pk}/remove")
    assert answer.status_code == 409 and "is used by" in answer.content.decode()
    binding.delete()
    console.post(f"/secrets/{secret.pk}/remove")
    assert not Secret.objects.exists()


def test_who_sees_them(viewer: Client, stranger: Client, company: Company) -> None:
    secret = kept(company)
    for path in ("", f"{secret.pk}", f"{secret.pk}/change/", "add/"):
        answer = viewer.get(f"/secrets/{path}")
        assert answer.status_code == 403 and b"github" not in answer.content
    for act in ("rotate", "remove"):
        form = {"value": "another-value"}
        assert viewer.post(f"/secrets/{secret.pk}/{act}", form).status_code == 403
        assert stranger.post(f"/secrets/{secret.pk}/{act}", form).status_code == 404
    assert stranger.get(f"/secrets/{secret.pk}").status_code == 404
    assert b"github" not in stranger.get("/secrets/").content
    assert b'href="/secrets/"' not in viewer.get("/").content
    assert Secret.objects.get().latest_version == 1


# --- In an agent's form --------------------------------------------------------------


def test_an_agent_is_given_a_secret(console: Client, company: Company) -> None:
    secret = kept(company)
    form = {**PROGRAM, "env": "SITE=example", "secret_env": "TOKEN=github"}
    console.post("/agents/add/", form)
    agent = Agent.objects.get()
    assert agent.adapter_config["env"] == {
        "SITE": "example",
        "TOKEN": {
            "type": "secret_ref",
            "secretId": str(secret.pk),
            "version": "latest",
        },
    }
    assert (
        "TOKEN=the secret github" in console.get(f"/agents/{agent.pk}").content.decode()
    )
    shown = console.get(f"/agents/{agent.pk}/change/").content.decode()
    assert "TOKEN=github" in shown and "SITE=example" in shown
    assert "show them to its model" in " ".join(shown.split())
    console.post(f"/agents/{agent.pk}/change/", {**form, "secret_env": ""})
    agent.refresh_from_db()
    assert agent.adapter_config["env"] == {"SITE": "example"}
    assert not secret.bindings.exists()


def test_an_agent_with_a_model_is_given_one_too(console: Client, company: Any) -> None:
    kept(company)
    console.post("/agents/add/", {**HIRE, "secret_env": "TOKEN=github"})
    assert list(Agent.objects.get().adapter_config["env"]) == ["TOKEN"]


def test_a_secret_that_is_none_is_said(console: Client) -> None:
    answer = console.post("/agents/add/", {**PROGRAM, "secret_env": "TOKEN=github"})
    assert "There is no secret github" in answer.content.decode()


def test_a_pinned_version_stays_pinned(console: Client, company: Company) -> None:
    pinned = {"type": "secret_ref", "secretId": str(kept(company).pk), "version": 1}
    config = {"command": "true", "env": {"TOKEN": pinned}}
    agent = make.agent(company, adapter_config=config)
    form = {**PROGRAM, "env": "A=b", "secret_env": "TOKEN=github"}
    console.post(f"/agents/{agent.pk}/change/", form)
    agent.refresh_from_db()
    assert agent.adapter_config["env"] == {"A": "b", "TOKEN": pinned}


def test_what_looks_like_a_secret_becomes_one(
    console: Client, company: Company
) -> None:
    kept(company, "Dennis GITHUB_TOKEN", "taken-by-another")
    env = f"GITHUB_TOKEN={CANARY}\nKEYBOARD=qwertzuiop\nAPI_KEY=short"
    env += "\nsite_password=12345678"
    console.post("/agents/add/", {**PROGRAM, "env": env, "keep_as_secrets": "on"})
    agent = Agent.objects.get()
    told = agent.adapter_config["env"]
    assert (told["KEYBOARD"], told["API_KEY"]) == ("qwertzuiop", "short")
    names = {str(one.pk): one.name for one in Secret.objects.all()}
    assert names[told["GITHUB_TOKEN"]["secretId"]] == "Dennis GITHUB_TOKEN 2"
    assert names[told["site_password"]["secretId"]] == "Dennis site_password"
    assert "canary" not in console.get(f"/agents/{agent.pk}").content.decode()


def test_values_of_before_become_secrets_with_one_click(
    console: Client, viewer: Client, company: Company
) -> None:
    config = {"command": "true", "env": {"GITHUB_TOKEN": CANARY, "SITE": "example"}}
    agent = make.agent(company, adapter_config=config)
    page = f"/agents/{agent.pk}"
    assert "GITHUB_TOKEN looks like a secret" in console.get(page).content.decode()
    assert "looks like a secret" not in viewer.get(page).content.decode()
    viewer.post(f"{page}/keep_secrets")
    assert not Secret.objects.exists()
    answer = console.post(f"{page}/keep_secrets", follow=True)
    assert "They are secrets now" in answer.content.decode()
    shown = console.get(page).content.decode()
    assert "canary" not in shown and "looks like a secret" not in shown
    agent.refresh_from_db()
    assert agent.adapter_config["env"]["SITE"] == "example"
    secret = Secret.objects.get()
    assert secret.read(by=SYSTEM, use="test").value == CANARY


def test_the_log_says_it_in_words(
    console: Client, viewer: Client, company: Company
) -> None:
    secret = kept(company)
    secret.bind("agent", "x", "env.TOKEN", by=SYSTEM, label="Dev")
    secret.read(by=SYSTEM, use="env.TOKEN")
    feed = " ".join(
        console.get("/activity/").content.decode().partition(LOG)[2].split()
    )
    page = f'href="/secrets/{secret.pk}"'
    assert page in console.get("/activity/").content.decode()
    # Whom the secret's page is closed to, is not led there.
    for url in ("/activity/", "/"):
        assert page not in viewer.get(url).content.decode()
    for words in (
        "kept the secret",
        "bound to Dev: env.TOKEN",
        "was given, for env.TOKEN",
    ):
        assert words in feed
