"""One HTTP request, as far as the sandbox lets it."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.request import (
    BaseHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
)

from agents.loop.desk import SHOWN, Desk, digest
from agents.loop.errors import ToolError
from agents.loop.fence import label
from agents.loop.web import Broken

SECONDS = 60
LARGEST = 2_000_000
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
READS = ("GET", "HEAD")
# So much that is only asked for may say, in its address and its headers; what says more
# brings something along.
LONGEST_QUESTION = 500
TEXTUAL = ("text/", "json", "xml", "javascript", "urlencoded")


def http_request(
    desk: Desk,
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: str = "",
) -> str:
    if not url.startswith(("http://", "https://")):
        raise ToolError("Only http:// and https:// addresses can be asked.")
    seconds = min(SECONDS, desk.seconds_left)
    try:
        data = body.encode() if body else None
        request = Request(url, data, headers or {}, method=method)  # noqa: S310
        must_be_allowed(desk, request, body)
        with opener(Doors(desk.doors)).open(request, timeout=seconds) as answer:
            return read(desk, answer)
    except HTTPError as error:
        with error:
            return read(desk, error)
    except (*Broken, ValueError) as error:
        raise ToolError(f"{url} does not answer: {error}") from error


def read(desk: Desk, answer: HTTPResponse | HTTPError) -> str:
    if not is_ours(desk, answer.url):
        desk.note_outside(f"page {answer.url}")
    return described(answer)


def is_ours(desk: Desk, url: str) -> bool:
    """Whether it is Paperclip itself, which has rules of its own."""
    ours = {place_of(Request(near)) for near in desk.near}  # noqa: S310
    return place_of(Request(url)) in ours  # noqa: S310


def must_be_allowed(desk: Desk, request: Request, body: str) -> None:
    """What is sent outside needs a yes; what is only read does not."""
    only_reads = request.get_method() in READS and not body and is_short(request)
    if only_reads or not desk.is_open or is_ours(desk, request.full_url):
        return
    told = {
        "method": request.get_method(),
        "url": request.full_url,
        "headers": dict(request.header_items()),
        "body": body[:SHOWN],
        "bodySha256": digest(body),
    }
    where = f"{request.get_method()} {request.host}"
    desk.must_be_allowed("post_to_internet", told, where)


def is_short(request: Request) -> bool:
    said = [request.selector, *map("".join, request.header_items())]
    return sum(map(len, said)) <= LONGEST_QUESTION


class Doors(BaseHandler):
    """Without a sandbox, what one with network "none" would let through: every request
    is looked at, the ones that redirects lead to as well."""

    def __init__(self, doors: Sequence[str] | None) -> None:
        self._open = None if doors is None else set(map(place_of, map(Request, doors)))

    def http_request(self, request: Request) -> Request:
        if self._open is not None and place_of(request) not in self._open:
            raise ToolError(
                f"{request.full_url} cannot be asked: you have no network here."
            )
        return request

    https_request = http_request


def place_of(request: Request) -> tuple[str, str]:
    return request.type, request.host.casefold()


def opener(doors: Doors) -> OpenerDirector:
    """HTTP and nothing else: no files, no FTP, no proxy of the environment."""
    made = OpenerDirector()
    made.add_handler(doors)
    for handler in (
        HTTPHandler,
        HTTPSHandler,
        HTTPRedirectHandler,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
    ):
        made.add_handler(handler())
    return made


def described(answer: HTTPResponse | HTTPError) -> str:
    """A line with the status and whose text follows; then the body if it is a text."""
    data, kind = answer.read(LARGEST + 1), answer.headers.get_content_type()
    charset = answer.headers.get_content_charset("utf-8")
    status = f"HTTP {answer.status}"
    if not data:
        return status
    if not any(mark in kind for mark in TEXTUAL):
        return f"{status}\n[{len(data)} bytes of {kind}]"
    more = "\n[... the rest was cut ...]" if len(data) > LARGEST else ""
    try:
        text = data[:LARGEST].decode(charset, "replace")
    except LookupError:
        text = data[:LARGEST].decode("utf-8", "replace")
    return f"{status} ({label(answer.url)})\n{text}{more}"
