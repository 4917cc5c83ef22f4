"""A page as readers see it: by a headless Chromium that has no network of its own.

All that it asks for is fetched by our own client, which keeps to the hosts, the robots
and the budget of the site, and never connects to a private address. What the browser
would reach by itself (WebSockets, early connections, WebRTC) leads nowhere.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psutil

from marketing.crawl.sight import HIDDEN
from marketing.web.client import Page, Unreachable
from paperclip import browsers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Playwright, Request, Route

SECONDS, QUIET = 20.0, 2.0
# What it may take beyond that, to start and to be read.
GRACE = 30.0
# After so many crashes in a run it is done without.
MOST_CRASHES = 2
UNWANTED = {"image", "font", "media", "ping", "websocket", "manifest", "eventsource"}
NO_NETWORK = [
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]
# What is not seen is marked in the page itself: that can be read from it later.
MARK = (
    "document.querySelectorAll('h1,h2,p').forEach(one => {"
    "  if (one.checkVisibility && !one.checkVisibility({visibilityProperty: true}))"
    f"    one.setAttribute('{HIDDEN}', ''); }})"
)
# Of what a server sends, what was true of the bytes on the wire.
OF_THE_WIRE = {"content-encoding", "content-length", "transfer-encoding", "connection"}

Fetch = Callable[[str], Page]


class Broken(Exception):
    """The browser did not get as far as the page: the text says why."""


@dataclass(frozen=True)
class Rendered:
    """The page after its scripts. `megabytes` is what the whole browser took."""

    html: str
    seconds: float
    megabytes: float


class Chromium:
    """One browser for a run; use it as a context. `problem` says why there is none.

    It works in a thread of its own: Playwright leaves an event loop in its thread, and
    a page that hangs must not hold up the job.
    """

    def __init__(self, agent: str, path: str | None = None) -> None:
        self.agent, self.problem, self.crashes = agent, "", 0
        self._path = path if path is not None else browsers.find()
        self._mark = f"--paperclip-crawl={uuid4().hex}"
        self._home = tempfile.TemporaryDirectory(
            prefix="crawl-", ignore_cleanup_errors=True
        )
        self._play: Playwright | None = None
        self._is_over = False
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        # A daemon: should it hang, the program ends all the same.
        threading.Thread(target=self._serve, daemon=True).start()
        self._browser: Browser | None = None
        if not self._path:
            self.problem = "There is no browser on this machine."

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self._aside(self._close).result(10)
        self._kill()
        self._home.cleanup()

    @property
    def works(self) -> bool:
        return not self.problem

    def render(self, page: Page, fetch: Fetch) -> Rendered:
        """The page, whose bytes are here already, as its scripts make it. `fetch` is
        asked for whatever else it needs: Unreachable leaves it out. Broken when the
        browser is not there, crashes, or takes too long."""
        if not self.works:
            raise Broken(self.problem)
        work = self._aside(lambda: self._render(page, fetch))
        try:
            rendered: Rendered = work.result(SECONDS + GRACE)
            return rendered
        except Late:
            said = "A page held the browser up."
        except Broken:
            raise
        except Exception as error:
            said = f"The browser broke off: {str(error).splitlines()[0][:150]}"
        self._crashed(said)
        raise Broken(said)

    def processes(self) -> list[psutil.Process]:
        """Those of the browser."""
        found = []
        for one in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if self._mark in one.cmdline():
                    found += [one, *one.children(recursive=True)]
        return list(dict.fromkeys(found))

    def _aside(self, call: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._calls.put((future, call))
        return future

    # --- in its own thread ---------------------------------------------------------

    def _serve(self) -> None:
        while not self._is_over:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

    def _render(self, page: Page, fetch: Fetch) -> Rendered:
        began = time.monotonic()
        context = self._started().new_context(
            user_agent=self.agent, service_workers="block", accept_downloads=False
        )
        try:
            context.set_default_timeout(1000 * SECONDS)
            html = shown(context, page, fetch)
            took = time.monotonic() - began
            return Rendered(html, took, self._megabytes())
        finally:
            context.close()

    def _started(self) -> Browser:
        if self._browser is None:
            from playwright.sync_api import sync_playwright

            if self._play is None:
                self._play = sync_playwright().start()
            self._browser = self._play.chromium.launch(
                executable_path=self._path,
                # Chromium's own sandbox does not start as root.
                chromium_sandbox=os.geteuid() != 0,
                args=[*NO_NETWORK, self._mark],
                env=self._environment(),
            )
        return self._browser

    def _environment(self) -> dict[str, str | float | bool]:
        """Nothing of ours: what runs in a page must find no token in its process."""
        home = self._home.name
        return {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}

    def _close(self) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._play is not None:
            self._play.stop()
        self._is_over = True

    # --- from outside ----------------------------------------------------------------

    def _crashed(self, said: str) -> None:
        self.crashes += 1
        self._kill()
        self._browser = None
        if self.crashes >= MOST_CRASHES:
            self.problem = f"{said} It was done without from then on."

    def _kill(self) -> None:
        for one in self.processes():
            with contextlib.suppress(psutil.Error):
                one.kill()

    def _megabytes(self) -> float:
        total = 0
        for one in self.processes():
            with contextlib.suppress(psutil.Error, OSError):
                total += pss_of(one.pid)
        return round(total / 1024, 1)


def pss_of(pid: int) -> int:
    """What a process has in memory, its share of what is shared, in kilobytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def shown(context: BrowserContext, page: Page, fetch: Fetch) -> str:
    """The document after it has come to rest, or after its time is up."""
    from playwright.sync_api import Error

    until = time.monotonic() + SECONDS
    served: list[str] = []

    def answer(route: Route) -> None:
        request = route.request
        is_page = is_of_window(request)
        if is_page and not served:
            served.append(request.url)
            fulfil(route, page)
        elif is_page:
            # “No content” leaves the page where it is; an error would take its place.
            route.fulfill(status=204)
        elif not is_wanted(request) or time.monotonic() > until:
            route.abort()
        else:
            try:
                fulfil(route, fetch(request.url))
            except Unreachable:
                route.abort()

    context.route("**/*", answer)
    context.route_web_socket("**/*", lambda socket: socket.close())
    tab = context.new_page()
    with contextlib.suppress(Error):
        # A page that never ends loading is read as far as it came.
        tab.goto(page.url, wait_until="load", timeout=1000 * SECONDS)
        tab.wait_for_load_state("networkidle", timeout=1000 * QUIET)
    if tab.url.startswith("chrome-error:"):
        raise Broken("The page did not open.")
    tab.evaluate(MARK)
    return str(tab.content())


def fulfil(route: Any, page: Page) -> None:
    kept = {k: v for k, v in page.headers.items() if k not in OF_THE_WIRE}
    route.fulfill(status=page.status, headers=kept, body=page.body)


def is_of_window(request: Request) -> bool:
    """Whether it would fill a whole window, and not a part of the page."""
    from playwright.sync_api import Error

    if not request.is_navigation_request():
        return False
    try:
        return request.frame.parent_frame is None
    except Error:
        # A window that is only just being opened.
        return True


def is_wanted(request: Request) -> bool:
    """Whether the text of a page may depend on it."""
    return request.method == "GET" and request.resource_type not in UNWANTED
