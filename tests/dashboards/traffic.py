"""What clients do, and what befalls the fleet meanwhile: one of everything that a panel or an alert is about.

Each step waits until Prometheus has seen what the step is for, so that the queries find it and nobody waits longer than needed.
"""

import http.client
import itertools
import socket
import ssl
import threading
import time

from processes import HOST, Fleet, request, wait_for
from prometheus import Prometheus

GET_OK = [("GET", "/proxy/ok")]
MIXED = [("GET", "/proxy/ok"), ("POST", "/proxy/sink"), ("GET", "/proxy/bytes/2000"), ("GET", "/nowhere")]
SLOW = [("GET", "/proxy/slow?ms=1200")]
BROKEN = [("GET", "/proxy/status/503")]
STEERED = [("GET", "/steered/ok"), ("GET", "/guarded/ok"), ("GET", "/kept/users")]
KEPT = [("GET", f"/kept/bytes/4000?n={n}") for n in range(40)]
NARROW = [("GET", "/narrow/slow?ms=300")]

# Clients: source address, what it asks for, seconds between two requests. A limit counts each address by itself.
CLIENTS = (
    [(f"127.0.1.{n}", MIXED, 0.12) for n in range(1, 9)]
    + [(f"127.0.2.{n}", BROKEN, 0.1) for n in range(1, 7)]
    + [(f"127.0.5.{n}", STEERED, 0.1) for n in range(1, 5)]
    + [(f"127.0.7.{n}", KEPT, 0.05) for n in range(1, 3)]
    + [(f"127.0.6.{n}", NARROW, 0.05) for n in range(1, 9)]
    + [(f"127.0.3.{1 + n % 4}", SLOW, 0.0) for n in range(24)]
    # One address and no patience: it is refused most of the time, and hot enough for leases.
    + [("127.0.4.1", GET_OK, 0.04) for _ in range(3)]
)


class Clients:
    """Threads that send until they are told to stop."""

    def __init__(self, gateways: list[int]):
        self.gateways = gateways
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(number, *client), daemon=True)
            for number, client in enumerate(CLIENTS)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=5)

    def run(self, number: int, address: str, requests: list[tuple[str, str]], pause: float):
        # Every request to every gateway in turn. Each client begins elsewhere: in step they would send nothing but failures
        # for a moment, which opens the circuit before its time.
        pairs = [(port, one) for one in requests for port in self.gateways]
        wheel = itertools.islice(itertools.cycle(pairs), number, None)
        connections: dict[int, http.client.HTTPConnection] = {}
        while not self.stopping.wait(pause):
            port, (method, path) = next(wheel)
            if port not in connections:
                source = (address, 0)
                connections[port] = http.client.HTTPConnection(HOST, port, timeout=5, source_address=source)
            # A gateway that is killed in the course of the test takes its connections with it.
            try:
                connections[port].request(method, path)
                response = connections[port].getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connections.pop(port).close()
                self.stopping.wait(0.1)
                continue
            if response.status in (429, 503) and requests is SLOW:
                self.stopping.wait(0.3)


class Course:
    """The steps in order. What never came to be seen is noted, and the next step goes on."""

    def __init__(self, fleet: Fleet, prometheus: Prometheus):
        self.fleet, self.prometheus = fleet, prometheus
        self.missed: list[str] = []
        # What each gateway exposed in the middle of the traffic.
        self.expositions: list[str] = []

    def seen(self, what: str, expr: str, patience: float = 12):
        """Waits until `expr` has a result."""
        try:
            wait_for(what, lambda: self.prometheus.now(expr), patience)
        except TimeoutError as missed:
            self.missed.append(f"{missed}: {expr}")

    def run(self):
        with Clients([proxy for proxy, _ in self.fleet.gateways]):
            self.usual_day()
            self.everything_else()
            self.circuit_opens()
            self.expositions = [request(admin, "GET", "/metrics")[1] for _, admin in self.fleet.gateways]
            # Twice: a counter that is born with its first failure shows a rate from the second on.
            self.store_is_lost()
            self.store_is_lost()
            self.replica_is_lost()
            self.redis_fills_up()
            self.everything_stops()

    def usual_day(self):
        self.seen("both gateways scraped", 'sum(up{job="gateway"}) == 2')
        self.seen("two replicas", "min(gateway_replicas) == 2")
        self.seen("traffic", "sum(rate(gateway_http_requests_total[5s])) > 50")
        for code in ("200", "404", "429", "503"):
            self.seen(f"answers with {code}", f'sum(rate(gateway_http_requests_total{{code="{code}"}}[5s])) > 0')
        self.fleet.redis("SET expiring soon PX 100")
        self.seen("expired keys", "rate(redis_expired_keys_total[5s]) > 0")
        self.seen("retries", "sum(rate(gateway_retries_total[5s])) > 0")
        for by in ("lease", "denial_memory"):
            local = f'gateway_rate_limit_local_decisions_total{{by="{by}"}}'
            self.seen(f"decisions by {by}", f"sum(rate({local}[5s])) > 0")

    def everything_else(self):
        """What the routes of gateway.toml are for."""
        for port in self.fleet.tls_ports:
            # A handshake that works, and one that does not.
            trusting = ssl._create_unverified_context()
            with socket.create_connection((HOST, port), timeout=5) as plain, trusting.wrap_socket(plain):
                pass
            with socket.create_connection((HOST, port), timeout=5) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                plain.recv(1024)
        for what, expr in {
            "a split": "gateway_split_requests_total",
            "hedges": "gateway_hedges_total",
            "mirrored requests": "gateway_mirror_requests_total",
            "refusals for want of a place": "gateway_overload_refusals_total",
            "undecided requests": 'gateway_auth_decisions_total{result="unavailable"}',
            "dropped spans": "gateway_trace_spans_dropped_total",
            "ejections": "gateway_upstream_endpoint_ejections_total",
            "retries that were not made": "gateway_retry_budget_exhausted_total",
            "answers pushed out": "gateway_cache_evictions_total",
            "failed handshakes": 'gateway_tls_handshakes_total{result="failure"}',
        }.items():
            self.seen(what, f"sum({expr}) > 0")
        self.seen("an endpoint that is left out", 'min(gateway_upstream_endpoint_healthy{upstream="checked"}) == 0')
        (self.fleet.directory / "cert.pem").write_text("spoilt")
        with open(self.fleet.directory / "gateway.toml", "a") as file:
            file.write("[nonsense]\n")
        self.seen("a configuration that is refused", 'increase(gateway_config_reloads_total{result="failure"}[5s]) > 0')
        self.seen("certificates that cannot be used", 'increase(gateway_tls_reloads_total{result="failure"}[5s]) > 0')

    def circuit_opens(self):
        """Often enough to flap, and once for so long that probes fail."""
        mock = self.fleet.ports["mock"]
        # Two of them: a counter that is born with the first shows an increase from the second on.
        probes = 'gateway_circuit_breaker_transitions_total{from="half_open",to="open"}'
        failed_probes = f"max(increase({probes}[5s])) > 0"
        for attempt in range(6):
            request(mock, "POST", "/simulate-failure")
            self.seen(f"circuit open ({attempt})", 'min(gateway_circuit_breaker_state{upstream="default"}) == 2', patience=6)
            if attempt == 0:
                self.seen("failed probes", failed_probes)
            request(mock, "POST", "/simulate-recovery")
            # A probe can be one of the requests that fail on purpose; then it takes another second.
            self.seen(f"circuit closed ({attempt})", 'max(gateway_circuit_breaker_state{upstream="default"}) == 0', patience=20)
            if self.missed:
                return

    def store_is_lost(self):
        self.fleet.end("redis")
        self.seen("the loss of the store", "max(gateway_store_up) == 0")
        self.seen("the exporter's word for it", "redis_up == 0")
        for decision in ("degraded_granted", "degraded_denied"):
            counter = f'gateway_rate_limit_decisions_total{{decision="{decision}"}}'
            self.seen(decision, f"sum(rate({counter}[5s])) > 0")
        self.fleet.start_redis()
        self.seen("the store's return", "min(gateway_store_up) == 1")

    def replica_is_lost(self):
        self.fleet.end("gateway-2")
        self.seen("a gateway that cannot be scraped", 'up{job="gateway"} == 0')
        self.seen("one replica left", "max(gateway_replicas) == 1")

    def redis_fills_up(self):
        # After the restart Redis holds little more than itself; any new key is then one too many.
        self.fleet.redis("CONFIG SET maxmemory-policy allkeys-lru")
        for number in range(100):
            self.fleet.redis(f"SET filler:{number} {'x' * 1000} EX 60")
        self.fleet.redis("CONFIG SET maxmemory 900kb")
        self.seen("evicted keys", "increase(redis_evicted_keys_total[5m]) > 0")
        self.seen("full memory", "redis_memory_used_bytes / redis_memory_max_bytes > 0.85")

    def everything_stops(self):
        self.fleet.end("gateway-1", gently=True)
        self.seen("no gateway", "absent(gateway_build_info)")
        # The rules are evaluated once a second; this one shows in the alerts at the next.
        time.sleep(1)
