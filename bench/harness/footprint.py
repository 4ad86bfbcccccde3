"""What a peer costs when nothing happens: memory, and the time from its start to its first answer.

Must not: measure under load.
"""

import pathlib
import socket
import statistics
import tempfile
import time

from . import peers
from .machine import resident_kib
from .scenarios import BY_NAME

CLIENTS = 1_000
STARTS = 15
# Long enough for what a server does about connections that have gone quiet.
SETTLE = 3.0
REQUEST = b"GET /proxy/128 HTTP/1.1\r\nHost: bench\r\n\r\n"


def table(names: list[str], gateways: dict[str, str]) -> str:
    """Markdown: a row a peer."""
    head = ["peer", "idle MiB", f"with {CLIENTS:,} idle connections MiB", "KiB a connection", "first answer ms (min–max)"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in names:
        lines.append("| " + " | ".join(row(name, gateways)) + " |")
    return "\n".join(lines)


def row(name: str, gateways: dict[str, str]) -> list[str]:
    scenario = BY_NAME["plain"]
    starts = []
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        ports = {"UPSTREAM": str(peers.free_port()), "REDIS": str(peers.free_port())}
        setting = peers.Setting(pathlib.Path(directory), ports)
        with peers.upstream(setting, scenario) as upstream:
            upstream.wait("/128")
            for _ in range(STARTS):
                with peers.start(name, scenario, setting, gateways) as server:
                    starts.append(server.wait(scenario.path))
            with peers.start(name, scenario, setting, gateways) as server:
                server.wait(scenario.path)
                time.sleep(SETTLE)
                idle = resident_kib(server.family())
                clients = [client(server.port) for _ in range(CLIENTS)]
                time.sleep(SETTLE)
                crowded = resident_kib(server.family())
                for one in clients:
                    one.close()
    return [
        name,
        f"{idle / 1024:.1f}",
        f"{crowded / 1024:.1f}",
        f"{(crowded - idle) / CLIENTS:.1f}",
        f"{statistics.median(starts):.1f} ({min(starts):.1f}–{max(starts):.1f})",
    ]


def client(port: int) -> socket.socket:
    """A client that has had one answer and stays."""
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(REQUEST)
    got = b""
    while b"x" * 128 not in got:
        got += one.recv(4096)
    return one
