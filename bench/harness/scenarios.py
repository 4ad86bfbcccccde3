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
    # What makes the load: wrk (HTTP/1.1), h2load (HTTP/2, so many streams a connection) or websocket (messages there and back).
    load: str = "wrk"
    streams: int = 0
    is_secure: bool = False
    # Sent with each request.
    headers: tuple[str, ...] = ()
    # Distinct client addresses, sent as X-Forwarded-For; 0: all requests come from one address.
    clients: int = 0
    # The number of the first of them.
    first: int = 0
    # Distinct targets, told apart by a query; 0: one.
    targets: int = 0
    # Whether answers other than 2xx are what the scenario is about.
    refused: bool = False
    redis: bool = False
    peers: tuple[str, ...] = ("gateway", "gateway-quiet", "nginx", "haproxy", "pingora", "envoy", "traefik-fast", "traefik", "caddy")
    settings: dict[str, str] = field(default_factory=dict)


UNLIMITED = {
    "NGINX_ZONE": "",
    "NGINX_LIMIT": "",
    "NGINX_REAL_IP": "",
    "HAPROXY_LIMIT": "",
    "HAPROXY_TABLE": "",
    "GATEWAY_TRUSTED": "",
    "GATEWAY_SERVER": "",
    "GATEWAY_STORE": "",
    "GATEWAY_LIMIT": 'capacity = 100\nrefill = "10/1m"',
    "GATEWAY_LIMITS": "",
    "TRAEFIK_LIMITS": "",
    "TRAEFIK_LIMIT": "",
    # nginx allocates them ahead: no more than a scenario needs.
    "NGINX_CONNECTIONS": "8192",
    "NGINX_TLS": "",
    "NGINX_CERTIFICATE": "",
    "NGINX_EXTRAS": "",
    "NGINX_LOG": "access_log off;",
    "NGINX_CONNECTION": 'proxy_set_header Connection "";',
    "HAPROXY_TLS": "",
    "HAPROXY_LOG": "",
    "HAPROXY_EXTRAS": "",
    "GATEWAY_TLS": "",
    "GATEWAY_AUTH": "",
    "GATEWAY_EXTRAS": "",
    "GATEWAY_ROUTES": "",
    "GATEWAY_WORKERS": "1",
}

SHARED = {
    "GATEWAY_STORE": '[store]\nurl = "redis://127.0.0.1:@REDIS@"',
    "GATEWAY_LIMITS": '"per-client"',
    "TRAEFIK_LIMITS": ", limit",
}

# TLS 1.3 with an ECDSA P-256 certificate, which every peer reads from the same files.
SECURE = {
    "NGINX_TLS": " ssl",
    "NGINX_CERTIFICATE": "ssl_certificate @DIR@/tls.crt; ssl_certificate_key @DIR@/tls.key; ssl_protocols TLSv1.3;",
    "HAPROXY_TLS": " ssl crt @DIR@/tls.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3",
    "GATEWAY_TLS": 'tls = { certificates = [{ cert_file = "@DIR@/tls.crt", key_file = "@DIR@/tls.key" }], min_version = "1.3" }',
}

LIMITERS = ("gateway", "gateway-quiet", "nginx", "nginx-lua", "haproxy", "traefik-fast")

MAIN = ("gateway", "gateway-quiet", "nginx", "haproxy")

OVER_TLS = (*MAIN, "pingora")

# A bucket that the load never empties.
GENEROUS = SHARED | {
    "NGINX_ZONE": "limit_req_zone $binary_remote_addr zone=c:64m rate=1000000r/s;",
    "NGINX_LIMIT": "limit_req zone=c burst=1000000 nodelay; limit_req_status 429;",
    "HAPROXY_TABLE": "stick-table type ip size 1m expire 10s store http_req_rate(1s)",
    "HAPROXY_LIMIT": "http-request track-sc0 src table up\n    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }",
    "GATEWAY_LIMIT": 'capacity = 1000000\nrefill = "1000000/s"',
    "LUA_MICROS": "1",
    "LUA_BURST": "1000000",
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
    "LUA_MICROS": "60000000",
    "LUA_BURST": "600000000",
    "TRAEFIK_LIMIT": "    limit: { rateLimit: { average: 1, period: 1m, burst: 10, "
    "redis: { endpoints: ['127.0.0.1:@REDIS@'], poolSize: 128 } } }",
}

BY_HEADER = {
    "NGINX_REAL_IP": "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;",
    "GATEWAY_TRUSTED": '"127.0.0.1"',
    "HAPROXY_LIMIT": "http-request track-sc0 hdr_ip(x-forwarded-for) table up\n"
    "    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }",
}

# What a route in earnest has: TLS, a key, a limit, retries, edited headers, answers for another origin, a line for each request.
EVERYTHING = (
    GENEROUS
    | SECURE
    | {
        "NGINX_LOG": "access_log @DIR@/@PORT@.access.log combined buffer=32k;",
        "NGINX_EXTRAS": 'if ($http_x_api_key != "bench-key") { return 401; } proxy_next_upstream error timeout http_502; '
        "proxy_next_upstream_tries 3; proxy_set_header X-Request-ID $request_id; proxy_set_header X-Api-Key ''; "
        "proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Edited yes; proxy_hide_header Server; "
        "add_header X-Edited yes; add_header X-Request-ID $request_id; add_header Access-Control-Allow-Origin https://app.example;",
        "HAPROXY_LOG": "log stdout format raw local0\n    option httplog\n    retries 3\n    retry-on conn-failure response-timeout 502",
        "HAPROXY_EXTRAS": "http-request deny deny_status 401 unless { req.hdr(x-api-key) bench-key }\n"
        "    unique-id-format %{+X}o%ci%cp%Ts%rt\n    unique-id-header X-Request-ID\n    http-request del-header X-Api-Key\n"
        "    http-request set-header X-Forwarded-Proto https\n    http-request set-header X-Edited yes\n"
        "    http-response set-header X-Edited yes\n    http-response set-header X-Request-ID %[unique-id]\n"
        "    http-response del-header Server\n    http-response set-header Access-Control-Allow-Origin https://app.example",
        "GATEWAY_AUTH": '[auth.keys]\napi_keys = { file = "@DIR@/keys.toml" }',
        "GATEWAY_EXTRAS": 'auth = ["keys"]\nretry = { attempts = 3 }\ncors = { origins = ["https://app.example"] }\n'
        'request_headers = { set = { x-edited = "yes" } }\n'
        'response_headers = { set = { x-edited = "yes" }, remove = ["server"] }',
    }
)

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
    Scenario("tls", "128 bytes over TLS 1.3, connections stay open", is_secure=True, peers=OVER_TLS, settings=SECURE),
    Scenario(
        "h2",
        "the same over HTTP/2: 8 connections with 16 streams each",
        load="h2load",
        streams=16,
        is_secure=True,
        peers=OVER_TLS,
        settings=SECURE | {"NGINX_TLS": " ssl http2"},
    ),
    Scenario(
        "everything",
        "TLS, an API key, a limit (the gateway's shared through Redis), retries, edited headers, CORS, and an access line for each request",
        is_secure=True,
        redis=True,
        headers=("X-Api-Key: bench-key", "Origin: https://app.example"),
        peers=("gateway", "nginx", "haproxy"),
        settings=EVERYTHING,
    ),
    Scenario(
        "websocket",
        "messages of 128 bytes there and back through open tunnels; a request is a message and its echo",
        path="/proxy/echo",
        load="websocket",
        peers=MAIN,
        settings={"NGINX_CONNECTION": 'proxy_set_header Connection "upgrade"; proxy_set_header Upgrade $http_upgrade;'},
    ),
)

BY_NAME = {one.name: one for one in ALL}
