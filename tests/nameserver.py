"""A name server on this machine, over UDP and TCP: what is in its zone, and how it
fails."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset

# Answers over UDP that are longer are cut off.
MOST = 512


class NameServer:
    """`zone`: lines of records such as `TXT "v=spf1 -all"` by name; a name in `broken`
    answers SERVFAIL, one in `silent` never."""

    def __init__(self) -> None:
        self.zone: dict[str, list[str]] = {}
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def resolver(self) -> dns.resolver.Resolver:
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], self.port
        return found

    def answer(self, wire: bytes, how: str) -> dns.message.Message | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append((how, name))
        if name in self.silent:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply
        while name in self.zone:
            alias = next((r for r in self.zone[name] if r.startswith("CNAME")), "")
            for record in [alias] if alias else self.zone[name]:
                kind, _, told = record.partition(" ")
                owner = dns.name.from_text(name)
                rows = reply.find_rrset(
                    reply.answer, owner, 1, dns.rdatatype.from_text(kind), create=True
                )
                rows.update(dns.rrset.from_text(owner, 60, "IN", kind, told))
            if not alias:
                return reply
            name = alias.split()[1].rstrip(".")
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def serve_udp(self) -> None:
        with suppress(OSError):
            while True:
                wire, asker = self.udp.recvfrom(4096)
                if (reply := self.answer(wire, "udp")) is None:
                    continue
                if len(said := reply.to_wire()) > MOST:
                    reply.flags |= dns.flags.TC
                    reply.answer = []
                    said = reply.to_wire()
                self.udp.sendto(said, asker)

    def serve_tcp(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.tcp.accept()
                with client, client.makefile("rb") as stream:
                    (length,) = struct.unpack("!H", stream.read(2))
                    if (reply := self.answer(stream.read(length), "tcp")) is not None:
                        said = reply.to_wire()
                        client.sendall(struct.pack("!H", len(said)) + said)

    def stop(self) -> None:
        self.udp.close()
        self.tcp.close()


@contextmanager
def nameserver() -> Iterator[NameServer]:
    server = NameServer()
    try:
        yield server
    finally:
        server.stop()
