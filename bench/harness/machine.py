"""What the kernel says of processes and processors.

Guarantees: processor time is counted in nanoseconds from /proc/PID/task/*/schedstat, for a process and all that it started.
Must not: start or stop anything.
"""

import os
import pathlib
import time

PROC = pathlib.Path("/proc")


def family(root: int) -> list[int]:
    """A process and its descendants: nginx's workers, Envoy's launcher, a threaded server's threads come with them."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        one = queue.pop()
        found.append(one)
        queue += children.get(one, [])
    return found


def processor_ns(pids: list[int]) -> int:
    """Nanoseconds on a processor so far, user and system."""
    total = 0
    for pid in pids:
        for task in (PROC / str(pid) / "task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                continue
    return total


def resident_kib(pids: list[int]) -> int:
    """Proportional set size: what the processes cost, with shared pages counted once."""
    total = 0
    for pid in pids:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def busy_ns() -> int:
    """Nanoseconds that all processors have worked for anybody."""
    user, nice, system, _idle, _wait, irq, soft, *_ = map(int, (PROC / "stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + soft) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Meter:
    """Processor time of some processes, and of everybody else, between two moments."""

    def __init__(self, groups: dict[str, list[int]], load: int | None = None):
        self.groups = groups
        self.load = load
        self.began = time.monotonic()
        self.busy = busy_ns()
        self.start = {name: processor_ns(pids) for name, pids in groups.items()}

    def read(self) -> dict[str, float]:
        """Seconds for each group; `elapsed` beside them."""
        used = {name: (processor_ns(pids) - self.start[name]) / 1e9 for name, pids in self.groups.items()}
        used["everybody"] = (busy_ns() - self.busy) / 1e9
        used["elapsed"] = time.monotonic() - self.began
        return used
