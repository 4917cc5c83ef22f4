"""The control plane, over its HTTP API and with the token of the run."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from agents.loop import web
from agents.loop.errors import ToolError

# So many seconds a server that restarts is waited for: longer than one request may
# take, or one that got lost would never be sent again.
PATIENCE = 45
PAUSE = 0.5
CHUNK = 1 << 16
BUNDLE = "application/x-git-bundle"


class Api:
    """Everything the run may ask and change. A refusal is a ToolError that says why."""

    def __init__(self, url: str, token: str, run_id: str, company_id: str) -> None:
        self.company_id = company_id
        self._base = url.rstrip("/") + "/api/"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "X-Paperclip-Run-Id": run_id,
        }

    # --- requests ----------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PUT", path, body)

    def find(self, path: str) -> Any:
        """As get, and None when there is no such thing."""
        answer = self._answer("GET", path)
        return None if answer.status == 404 else said(answer)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return said(self._answer(method, path, body))

    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> web.Answer:
        headers = dict(self._headers)
        if method == "POST":
            # Sent twice, it is done once.
            headers["Idempotency-Key"] = str(uuid.uuid4())
        until = time.monotonic() + PATIENCE
        while True:
            try:
                answer = web.ask(method, self._url(path), body, headers)
                if answer.status not in (502, 503) or time.monotonic() > until:
                    return answer
            except web.Broken as error:
                if time.monotonic() > until:
                    raise ToolError(f"Paperclip does not answer: {error}.") from error
            time.sleep(PAUSE)

    def _url(self, path: str) -> str:
        # Addresses in answers begin with /api/, our own paths do not.
        return urljoin(self._base, path if path.startswith("/api/") else path[1:])

    # --- bundles -----------------------------------------------------------------

    def download(self, path: str, file: Path, have: list[str]) -> bool:
        """Whether there was something new; then it is in the file."""
        known = f"?have={','.join(have)}" if have else ""
        url = self._url(path) + known
        with web.asking("GET", url, None, self._headers, 120) as response:
            if response.status == 204:
                return False
            if response.status != 200:
                answer = web.parsed(response.read())
                raise ToolError(problem(response.status, answer))
            with file.open("wb") as out:
                while chunk := response.read(CHUNK):
                    out.write(chunk)
        return True

    def upload(self, path: str, file: Path) -> Any:
        headers = self._headers | {"Content-Type": BUNDLE}
        data = file.read_bytes()
        with web.asking("POST", self._url(path), data, headers, 120) as response:
            answer = web.parsed(response.read())
            return said(web.Answer(response.status, web.small(response), answer))

    # --- names -------------------------------------------------------------------

    @cached_property
    def colleagues(self) -> list[dict[str, Any]]:
        agents: list[dict[str, Any]] = self.get(f"/companies/{self.company_id}/agents")
        return agents

    def name_of(self, agent_id: str | None, user_id: str | None = None) -> str | None:
        """What people call them; None for nobody."""
        names = {agent["id"]: agent["name"] for agent in self.colleagues}
        if agent_id:
            return names.get(agent_id, "a former colleague")
        return "a person" if user_id else None

    def id_of(self, name: str) -> str:
        wanted = name.strip().lstrip("@").casefold()
        for agent in self.colleagues:
            if wanted in (agent["name"].casefold(), agent["id"]):
                found: str = agent["id"]
                return found
        known = ", ".join(agent["name"] for agent in self.colleagues)
        raise ToolError(f"There is no colleague {name!r}. There are: {known}.")

    def issue(self, name: str) -> dict[str, Any]:
        """An issue in full, by its identifier or id."""
        found: dict[str, Any] = self.get(f"/issues/{part(name)}")
        return found


def part(name: str) -> str:
    """A piece of a path, whatever a model wrote."""
    return quote(name.strip(), safe="")


def said(answer: web.Answer) -> Any:
    if answer.status >= 400:
        raise ToolError(problem(answer.status, answer.body))
    return answer.body


def problem(status: int, body: Mapping[str, Any] | None) -> str:
    """A refusal in words, with its code and what it is about."""
    body = body if isinstance(body, dict) else {}
    text = f"{status}: {body.get('error') or 'no reason was given'}"
    details = body.get("details")
    return f"{text} {details}" if details else text
