"""What a request costs as something grows: routes, clients, connections, header fields, bodies, workers, kept answers, replicas.

Guarantees: every point is measured like a cell of the tables, peer after peer in turn; a curve is bounded in time: points times peers
times rounds times seconds, or those that it takes to open the connections. Must not: draw a point that it could not measure.
"""

import contextlib
import math
import pathlib
import statistics
import tempfile
from dataclasses import dataclass, replace
from typing import Callable, Iterator

from . import fleet, peers, plot
from .cell import measure
from .scenarios import BY_HEADER, BY_NAME, GENEROUS, MAIN, Scenario

# So many connections for each second of a cell at most.
OPENED_A_SECOND = 1_000
PLAIN = replace(BY_NAME["plain"], peers=MAIN)


@dataclass(frozen=True)
class Curve:
    """Something that grows. `at` makes the scenario, and says how many connections load it, at one of the `values`."""

    name: str
    what: str
    values: tuple[int, ...]
    at: Callable[[int], tuple[Scenario, int]]
    peers: tuple[str, ...] = ("gateway-quiet", "nginx", "haproxy")


def routes(count: int) -> tuple[Scenario, int]:
    """One that is asked for among others beside it, none of which is a prefix of another."""
    others = range(count - 1)
    ours = "\n".join(
        f'[[routes]]\nname = "other{one}"\npath = "/other{one}/{{*path}}"\nupstream = "default"\nlimits = []' for one in others
    )
    return replace(PLAIN, settings={"GATEWAY_ROUTES": ours}), 64


def clients(count: int) -> tuple[Scenario, int]:
    return replace(BY_NAME["hot-clients"], clients=count, settings=GENEROUS | BY_HEADER), 64


def headers(count: int) -> tuple[Scenario, int]:
    return replace(PLAIN, headers=tuple(f"X-Field-{one}: some value of twenty" for one in range(count))), 64


def body(size: int) -> tuple[Scenario, int]:
    return replace(PLAIN, path=f"/proxy/sized/{size}"), 64


def connections(count: int) -> tuple[Scenario, int]:
    """The gateway's default for one address is 10,000, and those of the cell before are not always gone."""
    room = {"NGINX_CONNECTIONS": "32768", "GATEWAY_SERVER": "max_connections_per_address = 100000"}
    return replace(PLAIN, settings=room), count


def workers(count: int) -> tuple[Scenario, int]:
    return replace(PLAIN, settings={"GATEWAY_WORKERS": str(count)}), 64


def cache(count: int) -> tuple[Scenario, int]:
    """Answers that are kept, asked for in turn: all are hits as long as the process's own tier has room for them."""
    return replace(PLAIN, targets=count, settings={"GATEWAY_EXTRAS": 'cache = { ttl = "10m" }'}), 64


CURVES = (
    Curve("routes", "routes beside the one that is asked for", (1, 10, 100, 1_000, 10_000), routes, ("gateway-quiet",)),
    Curve("clients", "clients that take turns under a limit", (10, 100, 1_000, 10_000, 100_000, 1_000_000), clients),
    Curve("connections", "connections under load", (10, 100, 1_000, 4_000, 10_000), connections, ("gateway-quiet", "nginx")),
    Curve("headers", "header fields of a request", (1, 5, 10, 20, 40, 80), headers),
    Curve("body", "bytes of an answer's body", (100, 1_000, 10_000, 100_000, 1_000_000), body),
    Curve("workers", "workers of the gateway, on one processor", (1, 2), workers, ("gateway-quiet",)),
    Curve("cache", "answers that are kept", (1, 10, 100, 1_000, 10_000, 100_000), cache, ("gateway-quiet",)),
)
BY_CURVE = {one.name: one for one in CURVES}
# Not a curve of what the gateway pays for a request, but Redis.
REPLICAS = "replicas"
NAMES = (*BY_CURVE, REPLICAS)


def run(names: list[str], gateways: dict[str, str], rounds: int, seconds: float, images: pathlib.Path) -> Iterator[str]:
    """Measures the named curves, draws each, and gives the rows of a table of all as they come: a failure takes no other curve along."""
    yield from ("| what grows | peer | CPU µs/request at each |", "|---|---|---|")
    images.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name == REPLICAS:
            what, unit = "replicas on one Redis", "Redis µs/request"
            points = fleet.redis_by_replicas(gateways["gateway-quiet"], rounds, seconds)
        else:
            what, unit = BY_CURVE[name].what, "CPU µs/request"
            points = measured(BY_CURVE[name], gateways, rounds, seconds)
        (images / f"bench-{name}.svg").write_text(plot.svg(f"Cost by {what}", what, unit, points))
        for peer, own in points.items():
            told = ", ".join(f"{plot.short(x)}: {y:.2f}" for x, y in own)
            yield f"| {what} | {peer} | {told} |"


def measured(curve: Curve, gateways: dict[str, str], rounds: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    points: dict[str, list[tuple[float, float]]] = {peer: [] for peer in curve.peers}
    for value in curve.values:
        scenario, connections = curve.at(value)
        # The load opens its connections within the cell: they are not to be what is measured.
        opening = connections / OPENED_A_SECOND
        with contextlib.ExitStack() as stack:
            directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            setting = peers.Setting(directory, {"UPSTREAM": str(peers.free_port()), "REDIS": str(peers.free_port())})
            peers.secrets(setting)
            peers.sized(setting, value if curve.name == "body" else 128)
            stack.enter_context(peers.upstream(setting, scenario)).wait("/128")
            redis = stack.enter_context(peers.redis(setting)) if scenario.redis else None
            if redis:
                redis.wait(None)
            servers = [stack.enter_context(peers.start(peer, scenario, setting, gateways)) for peer in curve.peers]
            cells = {server.name: [] for server in servers}
            for server in servers:
                server.wait(scenario.path)
            for turn in range(-1, rounds):
                for server in servers:
                    length = math.ceil(max(seconds if turn >= 0 else 1, opening))
                    cell = measure(server, scenario, redis, turn, length, connections)
                    if turn >= 0:
                        cells[server.name].append(cell.micros)
        for peer, own in cells.items():
            points[peer].append((value, statistics.median(own)))
    return points
