"""A program without a network, where the machine around it has one.

    argv = offline.wrap(argv)

The kernel refuses every socket that leads out of it (EACCES), for it and for all that
it starts, for good: a filter of seccomp(2), which needs no rights and works inside of a
sandbox. Sockets of the same machine's files (AF_UNIX) and pipes stay.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

# linux/prctl.h, linux/seccomp.h, linux/audit.h and the system calls of each machine.
NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP = 425  # would make sockets past any filter
X32 = 0x40000000
AF_UNIX = 1
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 13  # EACCES
# linux/bpf_common.h: load a word, jump if equal, if greater or equal, return.
LOAD, EQUAL, AT_LEAST, ANSWER = 0x20, 0x15, 0x35, 0x06
# struct seccomp_data: where the call, the machine and the first argument are.
CALL, MACHINE, FIRST = 0, 4, 16


def works() -> bool:
    return sys.platform == "linux" and platform.machine() in MACHINES


def wrap(argv: Sequence[str]) -> list[str]:
    """The argv that runs this argv without a network. Where that cannot be done it ends
    at once, with 126."""
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *argv]


def rules(machine: str) -> bytes:
    """The filter, in the instructions of classic BPF."""
    kind, socket = MACHINES[machine]
    # Each jump says how many instructions to pass over, if it is so and if not.
    steps = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 0, 7, kind),
        (LOAD, 0, 0, CALL),
        (AT_LEAST, 5, 0, X32),
        (EQUAL, 4, 0, IO_URING_SETUP),
        (EQUAL, 0, 2, socket),
        (LOAD, 0, 0, FIRST),
        (EQUAL, 0, 1, AF_UNIX),
        (ANSWER, 0, 0, ALLOW),
        (ANSWER, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def close() -> None:
    """Take the network from this process and all that comes of it; OSError where that
    does not work."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    steps = rules(platform.machine())
    program = Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0
    ):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


if __name__ == "__main__":
    try:
        close()
    except (OSError, KeyError) as error:
        sys.stderr.write(f"Its network cannot be taken away here: {error}\n")
        sys.exit(126)
    os.execvp(sys.argv[1], sys.argv[1:])
