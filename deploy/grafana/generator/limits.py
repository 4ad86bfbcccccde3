"""The dashboard *Limits and circuits*: who is refused and why, and which upstream is sick."""

from .board import dashboard as board
from .named import rates
from .panels import BLUE, GREEN, RED, YELLOW, Query, bars, columns, lines, stat, states, steps
from .queries import DENIED, UPSTREAM, or_zero, rate_by, series, share, sum_by

DECISIONS = "gateway_rate_limit_decisions_total"
LOCAL = "gateway_rate_limit_local_decisions_total"
TOKENS = "gateway_rate_limit_lease_tokens_total"
STATE = "gateway_circuit_breaker_state"
TRANSITIONS = "gateway_circuit_breaker_transitions_total"
REJECTIONS = "gateway_circuit_breaker_rejections_total"

STATES = {0: ("closed", GREEN), 1: ("half-open", YELLOW), 2: ("open", RED)}
TOP = 10


def part(name: str, *matchers: str, by: str = "") -> str:
    """The share of a counter that the matchers select, of the counter or of all decisions."""
    whole = rate_by(by, DECISIONS)
    return share(or_zero(rate_by(by, name, *matchers), whole), whole)


def moves(start: str, end: str) -> str:
    """Changes of state in an interval, as the replica saw them that saw most: all see the same ones."""
    changes = series(TRANSITIONS, UPSTREAM, f'from="{start}"', f'to="{end}"')
    return f"max by (upstream) (increase({changes}[$__rate_interval]))"


def now() -> list:
    worst = f"max({series(STATE, UPSTREAM)})"
    names = [
        {"type": "value", "options": {str(n): {"text": text, "color": color} for n, (text, color) in STATES.items()}}
    ]
    return [
        stat("Decisions per second", Query(rate_by("", DECISIONS)), "ops"),
        stat("Refused", Query(part(DECISIONS, DENIED)), "percentunit", steps(GREEN, (0.05, YELLOW), (0.2, RED))),
        stat(
            "Degraded",
            Query(part(DECISIONS, 'decision=~"degraded_.*"')),
            "percentunit",
            steps(GREEN, (0.01, RED)),
            description="Decisions made without the store while it was lost.",
        ),
        stat(
            "Without a store call",
            Query(part(LOCAL)),
            "percentunit",
            steps(BLUE),
            description="Decided from a lease or from denial memory.",
        ),
        stat(
            "Worst circuit", Query(worst), thresholds=steps(GREEN, (1, YELLOW), (2, RED)), defaults={"mappings": names}
        ),
        stat("Rejected by circuits", Query(rate_by("", REJECTIONS, UPSTREAM)), "reqps", steps(GREEN, (0.001, RED))),
    ]


def limits() -> list:
    refused = rate_by("policy", DECISIONS, DENIED)
    return [
        lines(
            "Decisions",
            rates("decision", DECISIONS),
            unit="ops",
            stacked=True,
            description="shadow_denied passes: the limit is only watched.",
        ),
        lines("Refused share by policy", Query(part(DECISIONS, DENIED, by="policy"), "{{policy}}"), unit="percentunit"),
        bars(f"Top {TOP} policies by refusals", Query(f"topk({TOP}, {refused})", "{{policy}}"), "ops"),
        bars(
            f"Top {TOP} policies by decisions",
            Query(f"topk({TOP}, {rate_by('policy', DECISIONS)})", "{{policy}}"),
            "ops",
        ),
        lines(
            "Degraded mode by policy",
            Query(part(DECISIONS, 'decision=~"degraded_.*"', by="policy"), "{{policy}}"),
            unit="percentunit",
            limit=0.01,
            description="GatewayDegradedMode fires above the dashed line.",
        ),
        lines(
            "Watched limits that would refuse",
            rates("policy", DECISIONS, 'decision="shadow_denied"'),
            unit="ops",
        ),
    ]


def near_side() -> list:
    leased = rate_by("policy", TOKENS, 'fate="leased"')
    returned = rate_by("policy", TOKENS, 'fate="given_back"')
    return [
        lines(
            "Decided from a lease",
            Query(part(LOCAL, 'by="lease"', by="policy"), "{{policy}}"),
            unit="percentunit",
            description="Granted from tokens held ahead, at most for the lease lifetime.",
        ),
        lines(
            "Decided from denial memory",
            Query(part(LOCAL, 'by="denial_memory"', by="policy"), "{{policy}}"),
            unit="percentunit",
            description="Refused because the store said until when there is nothing: a flood costs the store nothing.",
        ),
        lines(
            "Store calls to take, for each decision",
            Query(share(rate_by("", "gateway_store_operations_total", 'op="take"'), rate_by("", DECISIONS)), "calls"),
            description="Below 1 thanks to leases, denial memory and calls that several requests share. Zero on the embedded store, "
            "whose calls are not counted.",
        ),
        lines(
            "Leased tokens by fate",
            rates("fate", TOKENS),
            unit="ops",
            description="What is neither given back nor lost was spent.",
        ),
        lines(
            "Leased and given back",
            Query(share(returned, leased), "{{policy}}"),
            unit="percentunit",
            description="High: leases are larger than what is used within their lifetime.",
        ),
        lines(
            "Leased and lost",
            rates("policy", TOKENS, 'fate="lost"'),
            unit="ops",
            description="Tokens that came back too late or not at all. Clients get less than they may, never more.",
        ),
    ]


def circuits() -> list:
    transitions = sum_by("upstream, from, to", f"increase({series(TRANSITIONS, UPSTREAM)}[$__rate_interval])")
    return [
        states(
            "Circuits",
            Query(f"max by (upstream) ({series(STATE, UPSTREAM)})", "{{upstream}}"),
            STATES,
            width=12,
            description="The worst that any replica sees.",
        ),
        states(
            "Circuits as each replica sees them",
            Query(series(STATE, UPSTREAM), "{{upstream}} on {{instance}}"),
            STATES,
            width=12,
            description="Rows that differ for longer than a second: a replica does not hear the events of the store.",
        ),
        columns(
            "Transitions",
            Query(transitions, "{{upstream}} {{from}} → {{to}}"),
            description="Each replica counts the changes it sees; three replicas make three of one.",
        ),
        columns(
            "Probes",
            Query(moves("half_open", "closed"), "{{upstream}} succeeded"),
            Query(moves("half_open", "open"), "{{upstream}} failed"),
        ),
        lines(
            "Rejected",
            rates("upstream", REJECTIONS, UPSTREAM),
            unit="reqps",
            description="Answered with 503 without asking the upstream.",
        ),
        lines(
            "Failed attempts",
            rates("upstream, outcome", "gateway_upstream_requests_total", UPSTREAM, 'outcome!="success"'),
            unit="reqps",
            width=24,
            description="What the circuit counts, but for client_gone, which is not the upstream's fault.",
        ),
    ]


def dashboard() -> dict:
    rows = [("Now", now()), ("Limits", limits()), ("Leases and denial memory", near_side()), ("Circuits", circuits())]
    return board("gateway-limits", "Limits and circuits", "Who is refused and why, and which upstream is sick.", rows)
