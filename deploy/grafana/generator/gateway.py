"""The dashboard *Gateway*: what clients get, and how fast."""

from .board import dashboard as board
from .named import each, increases, quantiles, rates, sums
from .panels import GREEN, RED, YELLOW, Query, columns, gauge, heatmap, lines, stat, steps
from .queries import ROUTE, UPSTREAM, mean, or_zero, quantile, rate_by, series, share, sum_by

REQUESTS = "gateway_http_requests_total"
DURATION = "gateway_http_request_duration_seconds"
ATTEMPTS = "gateway_upstream_requests_total"
ATTEMPT_DURATION = "gateway_upstream_request_duration_seconds"
HEALTHY = "gateway_upstream_endpoint_healthy"
EJECTIONS = "gateway_upstream_endpoint_ejections_total"
AT_ENDPOINT = "gateway_upstream_endpoint_in_flight"
RETRIES = "gateway_retries_total"
EXHAUSTED = "gateway_retry_budget_exhausted_total"
CACHE = "gateway_cache_requests_total"
# Results of requests that the upstream was not asked for.
SERVED = "hit|collapsed|stale|stale_error"
HEDGES = "gateway_hedges_total"
SPLIT = "gateway_split_requests_total"
MIRROR = "gateway_mirror_requests_total"
OVERLOAD = "gateway_overload_refusals_total"
PLACES = "gateway_upstream_concurrency_limit"
AUTH = "gateway_auth_decisions_total"
HANDSHAKES = "gateway_tls_handshakes_total"
ENDED = "gateway_client_connections_ended_total"

# Requests of one endpoint in five minutes from which its gauge turns yellow, and red. What is much is yours to say.
BUSY, VERY_BUSY = 3_000, 10_000

# The thresholds of alerts.yml, drawn where the alert is decided.
ERRORS, SECONDS = 0.05, 1.0


def part(code: str, by: str = "") -> str:
    """The share of answers whose status matches `code`."""
    whole = rate_by(by, REQUESTS, ROUTE)
    return share(or_zero(rate_by(by, REQUESTS, ROUTE, f'code=~"{code}"'), whole), whole)


def now() -> list:
    in_flight = sum_by("", series("gateway_http_requests_in_flight", ROUTE))
    return [
        stat("Requests per second", Query(rate_by("", REQUESTS, ROUTE)), "reqps"),
        stat(
            "Answered with 5xx",
            Query(part("5..")),
            "percentunit",
            steps(GREEN, (0.01, YELLOW), (ERRORS, RED)),
            description="Includes 503 of an open circuit and 502 and 504 that the gateway answers itself.",
        ),
        stat("Refused with 429", Query(part("429")), "percentunit", steps(GREEN, (0.05, YELLOW), (0.2, RED))),
        stat(
            "p95",
            Query(quantile(0.95, "", DURATION, ROUTE)),
            "s",
            steps(GREEN, (0.5, YELLOW), (SECONDS, RED)),
            description="From a request's head to the last byte of its answer.",
        ),
        stat("In flight", Query(in_flight)),
        stat(
            "Replicas",
            Query(f"max({series('gateway_replicas')})"),
            thresholds=steps(RED, (2, YELLOW), (3, GREEN)),
            description="That share the store, as last heard.",
        ),
    ]


def endpoints() -> list:
    increase = f"increase({series(REQUESTS, ROUTE)}[5m])"
    return [
        gauge(
            "Requests per endpoint in 5 minutes",
            Query(sum_by("route, method", increase), "{{method}} {{route}}"),
            steps(GREEN, (BUSY, YELLOW), (VERY_BUSY, RED)),
            width=24,
            height=7,
            description="An endpoint is a method on a route. Where a gauge turns yellow and red is set in the generator.",
        ),
    ]


def traffic() -> list:
    return [
        lines("Requests by route", rates("route", REQUESTS, ROUTE), unit="reqps", stacked=True),
        lines(
            "Requests by status",
            rates("code", REQUESTS, ROUTE),
            unit="reqps",
            stacked=True,
            description="499: the client left before there was an answer.",
        ),
        lines(
            "5xx by route",
            Query(part("5..", "route"), "{{route}}"),
            unit="percentunit",
            limit=ERRORS,
            description="GatewayErrorRateHigh fires above the dashed line.",
        ),
        lines("In flight by route", sums("route", "gateway_http_requests_in_flight", ROUTE)),
        lines(
            "Requests by instance",
            rates("instance", REQUESTS, ROUTE),
            unit="reqps",
            description="Uneven lines mean an uneven load balancer.",
        ),
        lines("429 by route", Query(part("429", "route"), "{{route}}"), unit="percentunit"),
    ]


def latency() -> list:
    def panel(q: float, **more):
        name = f"p{round(q * 100)}"
        return lines(f"{name} by route", quantiles(q, "route", DURATION, ROUTE), unit="s", **more)

    buckets = sum_by("le", f"increase({series(f'{DURATION}_bucket', ROUTE)}[$__rate_interval])")
    return [
        panel(0.5, description="Quantiles below 5 ms are interpolated within the first bucket."),
        panel(0.95, limit=SECONDS, description="GatewayLatencyHigh fires above the dashed line."),
        panel(0.99),
        heatmap("Durations", Query(buckets, "{{le}}"), "s", width=16),
        lines(
            "Where the time goes",
            Query(mean("", DURATION, ROUTE), "request"),
            Query(mean("", ATTEMPT_DURATION, UPSTREAM), "upstream, to its response head"),
            unit="s",
            description="Means. What lies between the lines is waiting, retrying and streaming.",
        ),
    ]


def upstreams() -> list:
    retried = share(rate_by("route", RETRIES, ROUTE), rate_by("route", REQUESTS, ROUTE))
    return [
        lines(
            "Attempts by outcome",
            rates("upstream, outcome", ATTEMPTS, UPSTREAM),
            unit="reqps",
            stacked=True,
        ),
        lines(
            "p95 to the response head",
            quantiles(0.95, "upstream", ATTEMPT_DURATION, UPSTREAM),
            unit="s",
        ),
        columns(
            "Retries by reason",
            rates("route, reason", RETRIES, ROUTE),
            unit="reqps",
        ),
        lines(
            "Retried share",
            Query(retried, "{{route}}"),
            unit="percentunit",
            description="Attempts after the first, by requests. A route's retry budget bounds it.",
        ),
        columns(
            "Not repeated for want of budget",
            rates("route", EXHAUSTED, ROUTE),
            unit="reqps",
            description="GatewayRetryBudgetSpent fires when this goes on.",
        ),
        lines(
            "Endpoints in use",
            Query(f"min by (upstream) (avg by (upstream, instance) ({series(HEALTHY, UPSTREAM)}))", "{{upstream}}"),
            unit="percentunit",
            description="The share that takes requests, on the replica that sees fewest. Below panic_threshold all are used.",
        ),
        columns(
            "Ejections",
            increases("upstream, endpoint", EJECTIONS, UPSTREAM),
            description="Endpoints left out because their requests kept failing, on any replica.",
        ),
        lines(
            "In flight by endpoint",
            Query(
                f"topk(20, {sum_by('upstream, endpoint', series(AT_ENDPOINT, UPSTREAM))})", "{{upstream}} {{endpoint}}"
            ),
            description="The twenty with most. One far above its fellows is slow, or gets more than its share.",
        ),
    ]


def steering() -> list:
    """What routes do beside sending a request to an upstream, and what upstreams have no place for."""
    return [
        lines(
            "Split requests by upstream",
            Query(rate_by("route, upstream", SPLIT, ROUTE), "{{route}} to {{upstream}}"),
            unit="reqps",
            stacked=True,
            description="Compare with the weights: a share that drifts is one upstream's circuit or a cookie that holds clients.",
        ),
        lines(
            "Hedges by outcome",
            rates("route, outcome", HEDGES, ROUTE),
            unit="reqps",
            description="`won` was faster than the attempt it stood beside. Few of many: hedge.after is too short.",
        ),
        lines(
            "Mirrored requests",
            rates("route, result", MIRROR, ROUTE),
            unit="reqps",
            description="Clients wait for none of these.",
        ),
        columns(
            "Refused for want of a place",
            rates("upstream, reason", OVERLOAD, UPSTREAM),
            unit="reqps",
            description="GatewayOverloadRefusals fires when this goes on.",
        ),
        lines(
            "Places in use",
            Query(
                share(
                    sum_by("upstream", series("gateway_upstream_requests_in_flight", UPSTREAM)),
                    sum_by("upstream", series(PLACES, UPSTREAM)),
                ),
                "{{upstream}}",
            ),
            unit="percentunit",
            description="Of upstreams with a concurrency limit. At 100 % requests wait, and then are refused.",
        ),
        lines(
            "Waiting for a place",
            Query(sum_by("upstream", series("gateway_upstream_requests_queued", UPSTREAM)), "{{upstream}} waiting"),
            Query(sum_by("upstream", series(PLACES, UPSTREAM)), "{{upstream}} places"),
            description="An adaptive limit moves its places with the upstream's latency.",
        ),
    ]


def doors() -> list:
    """Who comes in: connections, TLS, authentication."""
    return [
        lines(
            "Who may come in, by auth",
            rates("auth, result", AUTH),
            unit="reqps",
            stacked=True,
            description="`unavailable` and `unchecked`: GatewayAuthUndecidable fires.",
        ),
        lines("TLS handshakes", rates("result", HANDSHAKES), unit="ops"),
        columns(
            "Connections ended in self-defence",
            rates("reason", ENDED),
            unit="ops",
            description="flood: HTTP/2 frames as an attack sends them. cap: too many connections. proxy_protocol: no announcement.",
        ),
    ]


def cache() -> list:
    asked = rate_by("route", CACHE, ROUTE)
    hits = share(or_zero(rate_by("route", CACHE, ROUTE, f'result=~"{SERVED}"'), asked), asked)
    return [
        lines("Cache by result", rates("result", CACHE, ROUTE), unit="reqps", stacked=True),
        lines(
            "Cache hit ratio by route",
            Query(hits, "{{route}}"),
            unit="percentunit",
            description="Answered from what is kept, fresh or stale, of all requests of routes that keep answers.",
        ),
        lines(
            "Cache memory",
            each("gateway_cache_bytes"),
            unit="bytes",
            description="Of each process, with what keeping costs; cache.memory bounds it.",
        ),
        lines("Cache entries", each("gateway_cache_entries")),
        columns(
            "Cache evictions",
            increases("instance", "gateway_cache_evictions_total"),
            description="Answers pushed out by others. As many as misses: more cache.memory would help.",
        ),
    ]


def dashboard() -> dict:
    rows = [
        ("Now", now()),
        ("Endpoints", endpoints()),
        ("Traffic", traffic()),
        ("Latency", latency()),
        ("Upstreams and retries", upstreams()),
        ("Splits, hedges, mirrors, overload", steering()),
        ("Doors", doors()),
        ("Cache", cache()),
    ]
    return board(
        "gateway-overview", "Gateway", "What clients get, and how fast: rate, errors, duration, upstreams.", rows
    )
