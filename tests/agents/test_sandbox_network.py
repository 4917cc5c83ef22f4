"""Behind the walls Paperclip answers at its own address, and nobody else does."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import LazySettings

from paperclip import home
from tests.agents.walls import inside, new_workspace

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="bubblewrap needs Linux"
)


# curl's words for a connection that was taken and ended; 7 would be one refused.
NO_ANSWER = ("52", "56")


class Echo(BaseHTTPRequestHandler):
    """Answers what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.send_response(200)
        length = int(self.headers["Content-Length"])
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(self.rfile.read(length))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def place() -> Path:
    return new_workspace()


@pytest.fixture
def port() -> Iterator[int]:
    yield from served()


def served(
    context: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[int]:
    """The port of an Echo."""
    with ThreadingHTTPServer((address, 0), Echo) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def post(url: str, options: str = "") -> str:
    return f"curl -sS {options} --data-binary @- {url}/ <"


# --- What answers ----------------------------------------------------------------


@pytest.mark.parametrize("profile", ["closed", "host"])
def test_the_api_answers_at_its_own_address(
    place: Path, port: int, profile: str
) -> None:
    """Whole and in order, also more at once than fits into a buffer."""
    (place / "sent").write_bytes(os.urandom(3_000_000))
    url = f"http://127.0.0.1:{port}"
    call = f"{post(url)} sent >"
    script = (
        f"{call} a & {call} b & {call} c; wait; for i in a b c; do cmp sent $i; done"
    )
    done = inside(place, script, profile=profile, env={"PAPERCLIP_API_URL": url})
    assert done.stdout + done.stderr == ""
    assert (place / "c").read_bytes() == (place / "sent").read_bytes()


def test_the_gateway_answers_beside_it(place: Path, port: int) -> None:
    (place / "sent").write_text("hello")
    for gateway in served():
        env = {
            "PAPERCLIP_API_URL": f"http://127.0.0.1:{port}",
            "PAPERCLIP_GATEWAY_URL": f"http://127.0.0.1:{gateway}",
        }
        script = ";".join(f"{post(url)} sent" for url in env.values())
        assert inside(place, script, env=env).stdout == "hellohello"


def test_an_address_elsewhere_answers_as_itself(place: Path) -> None:
    """On a worker of another host the control plane has a real address."""
    if (address := machines_address()) is None:
        pytest.skip("this machine has no address")
    (place / "sent").write_text("hello")
    for port in served(address=address):
        url = f"http://{address}:{port}"
        script = f"{post(url)} sent; grep CapEff /proc/self/status"
        done = inside(place, script, env={"PAPERCLIP_API_URL": url})
        assert done.stdout == f"helloCapEff:\t{0:016x}\n", done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "[2001:db8::7]", "paperclip.test"])
def test_every_kind_of_address_is_listened_on(place: Path, host: str) -> None:
    """Also on a port that only root may listen on elsewhere. Nobody is behind it."""
    url = f"http://{host}:81"
    script = f"{post(url, '-g')} /dev/null; echo $?; grep CapPrm /proc/self/status"
    done = inside(place, script, env={"PAPERCLIP_API_URL": url})
    assert done.stdout.split() in [[code, "CapPrm:", "0" * 16] for code in NO_ANSWER], (
        done
    )


def test_tls_is_between_the_program_and_the_server(place: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = certificate(tmp_path)
    context.load_cert_chain(authority)
    shutil.copy(authority, place / "ca.pem")
    (place / "sent").write_text("hello")
    for port in served(context):
        url = f"https://localhost:{port}"
        env = {"PAPERCLIP_API_URL": url}
        trusting = inside(place, f"{post(url, '--cacert ca.pem')} sent", env=env)
        assert trusting.stdout == "hello", trusting.stderr
        doubting = inside(place, f"{post(url)} sent", env=env)
        assert "certificate" in doubting.stderr and not doubting.stdout


def test_a_server_that_is_away_is_not_waited_for(place: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    (place / "sent").write_text("hello")
    script = f"{post(url, '--max-time 5')} sent; echo $?"
    done = inside(place, script, env={"PAPERCLIP_API_URL": url})
    assert done.stdout.strip() in NO_ANSWER, done


END = """
import socket, sys
from agents.sandbox import relay
through = socket.socket(socket.AF_UNIX)
path = relay.socket_to("127.0.0.1", int(sys.argv[1]))
through.connect(str(path))
through.sendall(b"POST / HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\nok")
assert through.recv(10)
if not os.fork():
    sys.exit()  # what it inherited is not its own to end
os.wait()
assert path.exists()
print(path)
"""


def test_it_ends_without_a_word_while_it_carries(port: int) -> None:
    python = f"import os, django; django.setup(); {END.strip()}"
    done = subprocess.run(
        [sys.executable, "-c", python, str(port)],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "paperclip.settings"},
        cwd=home.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout and not Path(done.stdout.strip()).parent.exists()


def certificate(place: Path) -> Path:
    """A key and a certificate for localhost, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file = place / "both.pem"
    file.write_bytes(key.private_bytes(pem, form, plain) + made.public_bytes(pem))
    return file


# --- What does not ---------------------------------------------------------------


@pytest.fixture
def neighbour() -> Iterator[int]:
    """The port of somebody else's server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_without_a_network_nothing_answers(
    place: Path, neighbour: int, settings: LazySettings
) -> None:
    places = [("127.0.0.1", neighbour), ("1.1.1.1", 443)]
    places += [(machines_address() or "192.0.2.1", neighbour)]
    for url in (settings.DATABASE_URL, settings.REDIS_URL):
        places.append((urlsplit(url).hostname or "", urlsplit(url).port or 0))
    ask = (
        "import socket, sys\n"
        f"for place in {places}:\n"
        "    try: socket.create_connection(place, 3)\n"
        "    except OSError as error: print(error.errno)\n"
        "    else: print(place, 'answers')\n"
        "try: socket.getaddrinfo('example.com', 80)\n"
        "except OSError: print('no names')\n"
    )
    (place / "ask.py").write_text(ask)
    for profile in ("closed", "host"):
        done = inside(place, f"{sys.executable} ask.py", profile=profile)
        assert "answers" not in done.stdout, done.stdout
        assert len(done.stdout.splitlines()) == len(places) + 1
        assert done.stdout.endswith("no names\n")


def test_with_a_network_the_machine_answers(place: Path, neighbour: int) -> None:
    ask = f"import socket; socket.create_connection(('127.0.0.1', {neighbour}))"
    done = inside(place, f'{sys.executable} -c "{ask}"', network="open")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "network"), [("path", "none"), ("path", "open"), ("abstract", "none")]
)
def test_no_socket_of_the_machine_answers(place: Path, kind: str, network: str) -> None:
    """A database may listen on a file, or on a name that belongs to the network."""
    name = f"/run/{uuid4()}" if kind == "path" else f"\0{uuid4()}"
    if kind == "path" and not os.access("/run", os.W_OK):
        name = tempfile.mktemp()  # noqa: S306 (bound at once)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        ask = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        (place / "ask.py").write_text(ask)
        for profile in ("closed", "host"):
            ask = f"{sys.executable} ask.py"
            done = inside(place, ask, profile=profile, network=network)
            assert done.returncode == 1 and "Error" in done.stderr
    if kind == "path":
        os.unlink(name)


def machines_address() -> str | None:
    """The address other machines know this one by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])
