"""A git server on this machine: git's own http-backend behind a small HTTP server."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.clones import git

CORE = subprocess.check_output(["git", "--exec-path"], text=True).strip()
# What CGI calls the headers that git reads.
HEADERS = {
    "Content-Type": "CONTENT_TYPE",
    "Content-Length": "CONTENT_LENGTH",
    "Content-Encoding": "HTTP_CONTENT_ENCODING",
    "Git-Protocol": "GIT_PROTOCOL",
}


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories below `root`. `login` (user:password) is asked for
    when it is set; while `broken` every answer is a 500."""

    daemon_threads = True
    login = ""
    broken = False

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Backend)
        self.root = root

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def repository(self, name: str) -> Path:
        """A new empty one; it is found at `url`/`name`."""
        git(self.root, "init", "-q", "--bare", "--initial-branch=main", name)
        git(self.root / name, "config", "http.receivepack", "true")
        return self.root / name


class Backend(BaseHTTPRequestHandler):
    server: GitServer

    def do_GET(self) -> None:
        login = base64.b64encode(self.server.login.encode()).decode()
        if self.server.broken:
            self.send_error(500)
        elif login and self.headers["Authorization"] != f"Basic {login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
        else:
            self.answer()

    do_POST = do_GET

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        said = {name: self.headers[h] for h, name in HEADERS.items() if self.headers[h]}
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": "/nonexistent",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_USER": "tester",
            "REMOTE_ADDR": "127.0.0.1",
            **said,
        }
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        done = subprocess.run(
            [f"{CORE}/git-http-backend"], input=body, env=env, capture_output=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """A test says what matters itself."""


@contextmanager
def serving(root: Path) -> Iterator[GitServer]:
    root.mkdir(parents=True, exist_ok=True)
    server = GitServer(root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
