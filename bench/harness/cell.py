"""One cell of the table: one peer under one load for a few seconds.

Guarantees: ends when its time is over; a peer that answers wrongly is an error, not a fast peer. Must not: compare.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass

from .machine import Meter
from .peers import BENCH, OTHERS_CORE, Server, program
from .scenarios import Scenario

# Of all answers, so many may be of the other kind: a denied flood begins with what the bucket held.
TOLERATED = 0.01


@dataclass
class Cell:
    """What one cell came to."""

    peer: str
    scenario: str
    round: int
    micros: float
    rate: float
    busy: float
    foreign: float
    redis_micros: float
    p50: float
    p99: float
    p999: float

    def plain(self) -> dict:
        return asdict(self)


class Wrong(Exception):
    """A peer did not do what the scenario is about."""


def measure(server: Server, scenario: Scenario, redis: Server | None, turn: int, seconds: float, connections: int) -> Cell:
    """Loads `server` for `seconds` and says what a request cost it."""
    groups = {"server": server.family(), "redis": redis.family() if redis else []}
    meter = Meter(groups)
    told = load(server, scenario, seconds, connections)
    used = meter.read()
    check(server.name, scenario, told)
    requests = told["requests"]
    return Cell(
        peer=server.name,
        scenario=scenario.name,
        round=turn,
        micros=used["server"] / requests * 1e6,
        rate=requests / (told["micros"] / 1e6),
        busy=used["server"] / used["elapsed"],
        foreign=foreign_share(used),
        redis_micros=used["redis"] / requests * 1e6,
        p50=told["p50"] / 1e3,
        p99=told["p99"] / 1e3,
        p999=told["p999"] / 1e3,
    )


def load(server: Server, scenario: Scenario, seconds: float, connections: int) -> dict:
    """Runs the scenario's load on the second processor. What it counted, in wrk's terms."""
    scheme = "https" if scenario.is_secure else "http"
    url = f"{scheme}://127.0.0.1:{server.port}{scenario.path}"
    if scenario.load == "h2load":
        command = [program("h2load"), "-t1", f"-c{max(connections // 8, 1)}", f"-m{scenario.streams}", f"-D{seconds}"]
        command += [part for header in scenario.headers for part in ("-H", header)] + [url]
        return h2load(run(command, seconds, {}), seconds)
    if scenario.load == "websocket":
        command = [sys.executable, "-m", "harness.websocket", "load", str(server.port), scenario.path, str(connections), str(seconds)]
        return json.loads(run(command, seconds, {}).strip().splitlines()[-1])
    # Thousands of connections that come at once may wait for longer than wrk's two seconds.
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(BENCH / "configs/load.lua"), url]
    env = {"BENCH_CLIENTS": str(scenario.clients), "BENCH_FIRST": str(scenario.first), "BENCH_TARGETS": str(scenario.targets)}
    env["BENCH_HEADERS"] = "\n".join(scenario.headers)
    return json.loads(run(command, seconds, env).strip().splitlines()[-1])


def run(command: list[str], seconds: float, env: dict[str, str]) -> str:
    pinned = ["taskset", "-c", str(OTHERS_CORE), *command]
    ran = subprocess.run(
        pinned, capture_output=True, text=True, env=os.environ | env, timeout=seconds + 20, check=True, cwd=BENCH
    )
    return ran.stdout


def h2load(text: str, seconds: float) -> dict:
    """h2load's summary. It gives no percentiles."""

    def number(pattern: str) -> int:
        return int(re.search(pattern, text)[1])

    return {
        "requests": number(r"(\d+) succeeded") + number(r"status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx"),
        "micros": seconds * 1e6,
        "broken": number(r"(\d+) errored"),
        "refused": number(r"(\d+) 4xx") + number(r"(\d+) 5xx"),
        "p50": 0,
        "p99": 0,
        "p999": 0,
    }


def foreign_share(used: dict[str, float]) -> float:
    """Processors that worked for something else than server, Redis, load and upstream: an upper bound, as the second processor
    is taken to be the load's alone."""
    return max(0.0, used["everybody"] - used["server"] - used["elapsed"]) / used["elapsed"]


def check(peer: str, scenario: Scenario, told: dict) -> None:
    wrong = told["requests"] - told["refused"] if scenario.refused else told["refused"]
    if told["requests"] == 0 or told["broken"] or wrong > told["requests"] * TOLERATED + 200:
        raise Wrong(f"{peer} in {scenario.name}: {told}")
