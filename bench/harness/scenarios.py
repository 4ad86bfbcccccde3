"""What is measured: a path, a load, and what each peer's configuration says about limits.

Guarantees: every peer that takes part in a scenario enforces the same thing in it. Must not: know how a peer is started.
"""

from dataclasses import dataclass, field

REDIS = "redis"


@dataclass(frozen=True)
class Scenario:
    """One way to load the peers."""

    name: str
    what: str
    path: str = "/proxy/128"
    # Distinct client addresses, sent as X-Forwarded-For; 0: all requests come from one address.
    clients: int = 0
    # Whether answers other than 2xx are what the scenario is about.
    refused: bool = False
    redis: bool = False
    peers: tuple[str, ...] = ("gateway", "gateway-quiet", "nginx", "haproxy", "envoy", "traefik-fast", "traefik", "caddy")
    settings: dict[str, str] = field(default_factory=dict)


UNLIMITED = {
    "NGINX_ZONE": "",
    "NGINX_LIMIT": "",
    "NGINX_REAL_IP": "",
    "HAPROXY_LIMIT": "",
    "HAPROXY_TABLE": "",
    "GATEWAY_TRUSTED": "",
    "GATEWAY_STORE": "",
    "GATEWAY_LIMIT": 'capacity = 100\nrefill = "10/1m"',
    "GATEWAY_LIMITS": "",
    "TRAEFIK_LIMITS": "",
    "TRAEFIK_LIMIT": "",
}

SHARED = {
    "GATEWAY_STORE": '[store]\nurl = "redis://127.0.0.1:@REDIS@"',
    "GATEWAY_LIMITS": '"per-client"',
    "TRAEFIK_LIMITS": ", limit",
}

LIMITERS = ("gateway", "gateway-quiet", "nginx", "haproxy", "traefik-fast")

# A bucket that the load never empties.
GENEROUS = SHARED | {
    "NGINX_ZONE": "limit_req_zone $binary_remote_addr zone=c:64m rate=1000000r/s;",
    "NGINX_LIMIT": "limit_req zone=c burst=1000000 nodelay; limit_req_status 429;",
    "HAPROXY_TABLE": "stick-table type ip size 1m expire 10s store http_req_rate(1s)",
    "HAPROXY_LIMIT": "http-request track-sc0 src table up\n    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }",
    "GATEWAY_LIMIT": 'capacity = 1000000\nrefill = "1000000/s"',
    "TRAEFIK_LIMIT": "    limit: { rateLimit: { average: 1000000, burst: 1000000, "
    "redis: { endpoints: ['127.0.0.1:@REDIS@'], poolSize: 128 } } }",
}

# A bucket that is empty after ten requests.
STINGY = SHARED | {
    "NGINX_ZONE": "limit_req_zone $binary_remote_addr zone=c:64m rate=1r/m;",
    "NGINX_LIMIT": "limit_req zone=c burst=10 nodelay; limit_req_status 429;",
    "HAPROXY_TABLE": "stick-table type ip size 1m expire 60s store http_req_rate(60s)",
    "HAPROXY_LIMIT": "http-request track-sc0 src table up\n    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 10 }",
    "GATEWAY_LIMIT": 'capacity = 10\nrefill = "1/1m"',
    "TRAEFIK_LIMIT": "    limit: { rateLimit: { average: 1, period: 1m, burst: 10, "
    "redis: { endpoints: ['127.0.0.1:@REDIS@'], poolSize: 128 } } }",
}

BY_HEADER = {
    "NGINX_REAL_IP": "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;",
    "GATEWAY_TRUSTED": '"127.0.0.1"',
    "HAPROXY_LIMIT": "http-request track-sc0 hdr_ip(x-forwarded-for) table up\n"
    "    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }",
}

ALL = (
    Scenario("plain", "128 bytes through a route without a limit"),
    Scenario("10k", "10 KiB through a route without a limit", path="/proxy/10k"),
    Scenario(
        "limited",
        "one client under a limit it never meets; the gateway and Traefik share it through Redis, nginx and HAProxy keep their own",
        redis=True,
        peers=LIMITERS,
        settings=GENEROUS,
    ),
    Scenario(
        "hot-clients",
        "the same with 64 clients that take turns",
        clients=64,
        redis=True,
        peers=LIMITERS,
        settings=GENEROUS | BY_HEADER,
    ),
    Scenario(
        "all-distinct",
        "the same with a client that was never seen before for each request: leases cannot help",
        clients=1 << 30,
        redis=True,
        peers=LIMITERS,
        settings=GENEROUS | BY_HEADER,
    ),
    Scenario("denied", "one client, nearly every request refused with 429", refused=True, redis=True, peers=LIMITERS, settings=STINGY),
)

BY_NAME = {one.name: one for one in ALL}
