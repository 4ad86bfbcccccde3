"""Several gateways on one Redis, and what Redis pays for a request of theirs as they become more.

Guarantees: all are loaded at once, for the same time. Must not: compare with other programs.
"""

import contextlib
import pathlib
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from . import peers
from .cell import check, load
from .machine import Meter
from .scenarios import BY_NAME

REPLICAS = (1, 2, 4, 8, 16)
# Of all replicas together.
CONNECTIONS = 64
SERIES = {"one client": BY_NAME["limited"], "every client new": BY_NAME["all-distinct"]}


def redis_by_replicas(program: str, rounds: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Microseconds of Redis for a request: a point a number of replicas."""
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in SERIES}
    for name, scenario in SERIES.items():
        for count in REPLICAS:
            points[name].append((count, statistics.median(measured(program, scenario, count, rounds, seconds))))
    return points


def measured(program: str, scenario, count: int, rounds: int, seconds: float) -> list[float]:
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        setting = peers.Setting(directory, {"UPSTREAM": str(peers.free_port()), "REDIS": str(peers.free_port())})
        peers.secrets(setting)
        stack.enter_context(peers.upstream(setting, scenario)).wait("/128")
        redis = stack.enter_context(peers.redis(setting))
        redis.wait(None)
        start = lambda: stack.enter_context(peers.start("gateway-quiet", scenario, setting, {"gateway-quiet": program}))
        servers = [start() for _ in range(count)]
        for server in servers:
            server.wait(scenario.path)
        threads = stack.enter_context(ThreadPoolExecutor(count))
        # Addresses of each load begin elsewhere: what is new to one replica is new to all.
        loads = [replace(scenario, first=number << 24) for number in range(count)]

        def turn(length: float) -> float:
            meter = Meter({"server": [], "redis": redis.family()})
            asked = lambda pair: load(pair[0], pair[1], length, max(CONNECTIONS // count, 1))
            told = list(threads.map(asked, zip(servers, loads)))
            used = meter.read()
            for server, one in zip(servers, told):
                check(server.name, scenario, one)
            return used["redis"] / sum(one["requests"] for one in told) * 1e6

        turn(1)
        return [turn(seconds) for _ in range(rounds)]
