"""From cells to tables. Ratios within a round are what is quoted: the machine's mood is in both of their sides.

Must not: leave a cell out.
"""

import statistics

from .cell import Cell


def table(cells: list[Cell], base: str) -> str:
    """Markdown: a row a peer, dearest last."""
    peers = sorted({one.peer for one in cells}, key=lambda peer: statistics.median(micros(cells, peer)))
    with_redis = any(one.redis_micros for one in cells)
    head = ["peer", "CPU µs/request median (min–max)", f"× {base} rounds", f"× {base} best", "requests/s", "busy", "p50 ms", "p99 ms"]
    head += ["Redis µs/request"] if with_redis else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for peer in peers:
        lines.append("| " + " | ".join(row(cells, peer, base, with_redis)) + " |")
    foreign = statistics.median(one.foreign for one in cells)
    rounds = len({one.round for one in cells})
    lines.append(f"\n{rounds} rounds; foreign work up to {foreign:.2f} processors (median of the cells).")
    return "\n".join(lines)


def micros(cells: list[Cell], peer: str) -> list[float]:
    return [one.micros for one in cells if one.peer == peer]


def ratios(cells: list[Cell], peer: str, base: str) -> list[float]:
    of_base = {one.round: one.micros for one in cells if one.peer == base}
    return [one.micros / of_base[one.round] for one in cells if one.peer == peer and one.round in of_base]


def row(cells: list[Cell], peer: str, base: str, with_redis: bool) -> list[str]:
    own = [one for one in cells if one.peer == peer]
    cost = micros(cells, peer)

    def middle(field: str) -> float:
        return statistics.median(getattr(one, field) for one in own)

    within = ratios(cells, peer, base)
    best = min(cost) / min(micros(cells, base)) if within else float("nan")
    columns = [
        f"**{peer}**" if peer.startswith("gateway") else peer,
        f"{statistics.median(cost):.2f} ({min(cost):.2f}–{max(cost):.2f})",
        f"{statistics.median(within):.2f}" if within else "-",
        f"{best:.2f}" if within else "-",
        f"{middle('rate'):,.0f}",
        f"{middle('busy'):.0%}",
        f"{middle('p50'):.2f}",
        f"{middle('p99'):.2f}",
    ]
    return columns + ([f"{middle('redis_micros'):.2f}"] if with_redis else [])
