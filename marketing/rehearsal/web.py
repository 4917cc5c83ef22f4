"""A web server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOST = "127.0.0.1"
Answering = Callable[[Request], Response]


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing of each request."""


@dataclass
class Server:
    """Answers on a port, in threads of its own, until it is stopped. OSError from
    `start` when somebody else has the port."""

    port: int
    answer: Answering
    _server: BaseWSGIServer | None = field(default=None, repr=False)

    def start(self) -> None:
        application = Request.application(self.labelled)
        # The library ends the whole program when it finds the port taken.
        with socket.create_server((HOST, self.port)) as listens:
            self._server = make_server(
                HOST,
                self.port,
                application,
                threaded=True,
                request_handler=Quiet,
                fd=listens.fileno(),
            )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def is_up(self) -> bool:
        return self._server is not None

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def labelled(self, request: Request) -> Response:
        answer = self.answer(request)
        answer.headers["X-Rehearsal"] = "yes"
        return answer


def missing() -> Response:
    return Response("There is no such page in this rehearsal.\n", 404)
