"""A site on this machine: what is PUT there is what it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.pages: dict[str, bytes] = {}
        self.sends_on: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    server: Site

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.pages[self.path] = self.rfile.read(length)
        self.send_response(201)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if to := self.server.sends_on.get(self.path):
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()
            return
        body = self.server.pages.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None:
        """A test says what matters itself."""


@contextmanager
def site() -> Iterator[Site]:
    server = Site()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
