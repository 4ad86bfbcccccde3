"""Latency at a fixed rate, in open loop: a request's time runs from when it was due, so that what waits behind a stall is counted in.

Guarantees: every peer is asked at the same rate, round after round in turn; beside them stands the upstream asked without any proxy, which
is what load, kernel and machine take for themselves. Must not: say anything of a rate that a peer cannot keep up with: that is an error.
"""

import contextlib
import json
import pathlib
import statistics
import subprocess
import tempfile

from . import peers
from .peers import BENCH, OTHERS_CORE
from .scenarios import BY_NAME

DIRECT = "no proxy"
PACE = BENCH.parent / "target/release/pace"
# Of all requests, so many may be missing at the end of a run.
TOLERATED = 0.01


def table(what: str, names: list[str], gateways: dict[str, str], rate: int, rounds: int, seconds: int, connections: int, pace: str) -> str:
    """Markdown: a row a peer in the scenario called `what`; the median of the rounds for each percentile."""
    scenario = BY_NAME[what]
    seen: dict[str, list[dict]] = {}
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        setting = peers.Setting(directory, {"UPSTREAM": str(peers.free_port()), "REDIS": str(peers.free_port())})
        stack.enter_context(peers.upstream(setting, scenario)).wait("/128")
        if scenario.redis:
            stack.enter_context(peers.redis(setting)).wait(None)
        servers = [stack.enter_context(peers.start(name, scenario, setting, gateways)) for name in names]
        for server in servers:
            server.wait(scenario.path)
        asked = [(server.name, server.port, scenario.path) for server in servers]
        asked.append((DIRECT, int(setting.names["UPSTREAM"]), "/128"))
        for turn in range(-1, rounds):
            for name, port, path in asked:
                told = ask(pace, port, path, rate, connections, 1 if turn < 0 else seconds)
                if turn >= 0:
                    seen.setdefault(name, []).append(told)
            asked = asked[1:] + asked[:1]
    head = ["peer", "p50 ms", "p99 ms", "p99.9 ms", "longest ms"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in [*names, DIRECT]:
        middle = [statistics.median(one[key] for one in seen[name]) / 1e3 for key in ("p50", "p99", "p999", "longest")]
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in middle) + " |")
    return f"\n### {scenario.name}: {scenario.what}\n\n" + "\n".join(lines)


def ask(pace: str, port: int, path: str, rate: int, connections: int, seconds: int) -> dict:
    command = ["taskset", "-c", str(OTHERS_CORE), pace, f"127.0.0.1:{port}", path, str(rate), str(connections), str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 20, check=True)
    told = json.loads(ran.stdout)
    if told["answered"] < told["due"] * (1 - TOLERATED):
        raise RuntimeError(f"port {port} answered {told['answered']} of {told['due']}")
    return told
