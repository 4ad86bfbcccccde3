"""What every peer has to do before its time counts: whole bodies, X-Forwarded-For, upstream connections that are kept.

Guarantees: a peer that saves itself one of these is an error, not a fast peer. Must not: measure.
"""

import contextlib
import ipaddress
import re
from typing import Callable

from . import peers
from .cell import Wrong
from .peers import Server
from .scenarios import Scenario

# Upstream connections for each connection of the load. One would do; a peer that keeps none opens hundreds in the second of a warm-up.
MOST = 8


def check(server: Server, scenario: Scenario, upstream: int, connections: int, warm_up: Callable[[], object]) -> None:
    """Warms `server` up, and asks it whether it does what its scenario takes for granted."""
    before = opened(upstream, scenario)
    warm_up()
    if before is None:
        return
    more = opened(upstream, scenario) - before
    if more > connections * MOST:
        raise Wrong(f"{server.name} in {scenario.name} opens upstream connections without end: {more} for {connections} clients")
    seen = ask(server.port, "/proxy/seen", scenario)
    if not is_address(seen):
        raise Wrong(f"{server.name} in {scenario.name} does not say whom it forwards for: {seen!r}")
    if ask(server.port, scenario.path, scenario) != direct(upstream, scenario.path.removeprefix("/proxy")):
        raise Wrong(f"{server.name} in {scenario.name} does not give its upstream's body as it is")


def is_address(seen: str) -> bool:
    """Any: for a client on loopback Envoy puts the machine's own."""
    try:
        ipaddress.ip_address(seen)
    except ValueError:
        return False
    return True


def opened(upstream: int, scenario: Scenario) -> int | None:
    """Connections that the upstream has accepted so far; `None` where it is not asked: behind tunnels there is an echo, and who is to
    be refused sends next to nothing."""
    if scenario.refused or scenario.load == "websocket":
        return None
    return int(re.search(r"requests\s+(\d+)", direct(upstream, "/opened"))[1])


def direct(upstream: int, path: str) -> str:
    return ask(upstream, path, Scenario("direct", "the upstream without a proxy"))


def ask(port: int, path: str, scenario: Scenario) -> str:
    """The body of an answer to one request, with the fields that the scenario sends."""
    with contextlib.closing(peers.client(port, scenario.is_secure)) as client:
        client.request("GET", path, headers=dict(one.split(": ", 1) for one in scenario.headers))
        answer = client.getresponse()
        body = answer.read().decode()
    if answer.status != 200:
        raise Wrong(f"{path} on port {port} is answered with {answer.status}")
    return body
