"""The inner half of the doors. Runs inside the sandbox, with nothing but Python.

    python -I -S entry.py HOST,PORT,SOCKET ... -- PROGRAM ARGUMENTS

listens on each address, passes what connects there to its socket, and becomes the
program, which so keeps its pid, its signals and its exit code.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import time

CHUNK = 65_536


def main(argv: list[str]) -> None:
    end = argv.index("--")
    listeners = [listen(*door.split(",")) for door in argv[:end]]
    drop_capabilities()
    serve_aside(listeners)
    # Python ignores these, and the program would inherit it.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    program = argv[end + 1 :]
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(126 if isinstance(error, PermissionError) else 127)


def listen(host: str, port: str, path: str) -> tuple[socket.socket, str]:
    """A listening socket on that address, and the unix socket it leads to."""
    if not (host == "::1" or host.startswith("127.")):
        add_address(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bind(listener, host, int(port))
    listener.listen(128)
    return listener, path


def bind(listener: socket.socket, host: str, port: int) -> None:
    """Bind, once the kernel has made the address that was added."""
    for left in range(100, -1, -1):
        try:
            listener.bind((host, port))
            return
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL or not left:
                raise
        time.sleep(0.01)


def serve_aside(listeners: list[tuple[socket.socket, str]]) -> None:
    """Serve in a process that is no child of the program's. It ends with the
    sandbox."""
    if child := os.fork():
        os.waitpid(child, 0)
        for listener, _ in listeners:
            listener.close()
        return
    if os.fork():
        os._exit(0)
    os.setsid()
    # The program may want to report while it is being ended: not without us.
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silence, stream)
    serve(listeners)


def serve(listeners: list[tuple[socket.socket, str]]) -> None:
    import threading

    for listener, path in listeners[1:]:
        threading.Thread(target=accept, args=(listener, path)).start()
    accept(*listeners[0])


def accept(listener: socket.socket, path: str) -> None:
    import threading

    while True:
        here, _ = listener.accept()
        there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            there.connect(path)
        except OSError:
            here.close()
            there.close()
            continue
        for pair in ((here, there), (there, here)):
            threading.Thread(target=carry, args=pair, daemon=True).start()


def carry(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side ends, then tell the other that nothing more comes. The
    sockets are closed when both directions have let go of them."""
    try:
        while data := source.recv(CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def add_address(host: str) -> None:
    """Give the loopback of this sandbox one more address."""
    import fcntl
    import struct

    if ":" in host:
        request = socket.inet_pton(socket.AF_INET6, host) + struct.pack("Ii", 128, 1)
        family = socket.AF_INET6
    else:
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(host))
        name = f"lo:{sum(host.encode())}".encode()
        request = struct.pack("16s16s", name, address)
        family = socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8916, request)  # SIOCSIFADDR


def drop_capabilities() -> None:
    """Keep none: not the ones that were needed to listen."""
    with open("/proc/self/status") as status:
        held = next(line for line in status if line.startswith("CapPrm"))
    if int(held.split()[1], 16) == 0:
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(47, 4, 0, 0, 0)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        sys.exit("The capabilities of the sandbox's entry could not be dropped.")


if __name__ == "__main__":
    main(sys.argv[1:])
