"""The dashboard *Fleet and Redis*: are we the problem, or Redis, or the host."""

from .board import dashboard as board
from .named import each, increases, means, quantiles, rates
from .panels import GREEN, RED, YELLOW, Query, columns, lines, stat, states, steps, table
from .queries import node, or_zero, rate, rate_by, redis, series, share, sum_by

CALLS = "gateway_store_operations_total"
CALL_DURATION = "gateway_store_operation_duration_seconds"
UP = {0: ("lost", RED), 1: ("up", GREEN)}


def failed(by: str = "") -> str:
    """The share of store calls that brought no answer."""
    whole = rate_by(by, CALLS)
    return share(or_zero(rate_by(by, CALLS, 'result!="ok"'), whole), whole)


def now() -> list:
    used = share(redis("redis_memory_used_bytes"), redis("redis_memory_max_bytes"))
    certificate = f"min({series('gateway_tls_certificate_expiry_timestamp_seconds')} - time()) / 86400"
    return [
        stat(
            "Replicas",
            Query(f"max({series('gateway_replicas')})"),
            thresholds=steps(RED, (2, YELLOW), (3, GREEN)),
            description="Heartbeats in the store, as last heard.",
        ),
        stat("Scraped", Query(f"sum({series('up')})"), description="Gateways that answer Prometheus."),
        stat(
            "Replicas without the store",
            Query(f"count({series('gateway_store_up')}) - sum({series('gateway_store_up')})"),
            thresholds=steps(GREEN, (1, RED)),
        ),
        stat("Failed store calls", Query(failed()), "percentunit", steps(GREEN, (0.001, YELLOW), (0.01, RED))),
        stat(
            "Redis memory",
            Query(used),
            "percentunit",
            steps(GREEN, (0.7, YELLOW), (0.85, RED)),
            description="Of maxmemory; nothing where that is not set.",
        ),
        stat("Days to the first certificate's end", Query(certificate), "d", steps(RED, (3, YELLOW), (14, GREEN))),
    ]


def replicas() -> list:
    builds = sum_by("instance, version, revision", series("gateway_build_info"))
    return [
        lines(
            "Replicas as each one hears",
            each("gateway_replicas"),
            description="Lines that differ: replicas do not share one store.",
        ),
        states("Scraped", each("up"), {0: ("down", RED), 1: ("up", GREEN)}),
        table("Builds", Query(builds)),
        lines("Uptime", Query(f"time() - {series('process_start_time_seconds')}", "{{instance}}"), unit="s"),
        lines(
            "Configuration reloads",
            increases("instance, result", "gateway_config_reloads_total", over="5m"),
        ),
        lines(
            "Log lines dropped",
            rates("instance", "gateway_log_lines_dropped_total"),
            unit="cps",
            description="The reader of the log is too slow; requests are not affected.",
        ),
        lines(
            "Trace spans dropped",
            rates("instance", "gateway_trace_spans_dropped_total"),
            unit="cps",
            description="The collector of traces is away or too slow; requests are not affected.",
        ),
        columns(
            "Certificates read again",
            increases("instance, result", "gateway_tls_reloads_total", over="5m"),
            description="failure: GatewayCertificateReloadFailed fires.",
        ),
        lines(
            "Days to a certificate's end",
            Query(
                f"min by (name) ({series('gateway_tls_certificate_expiry_timestamp_seconds')} - time()) / 86400",
                "{{name}}",
            ),
            unit="d",
            description="Alerts fire below 14 and below 3.",
        ),
    ]


def store() -> list:
    return [
        states("Store, as each replica sees it", each("gateway_store_up"), UP),
        lines("Store calls", rates("op", CALLS), unit="ops", stacked=True),
        lines(
            "Failed store calls",
            rates("op, result", CALLS, 'result!="ok"'),
            unit="ops",
            description="`down` was not sent: the store counts as lost.",
        ),
        lines("Mean time of a call", means("op", CALL_DURATION), unit="s"),
        lines(
            "p99 of a call",
            quantiles(0.99, "op", CALL_DURATION),
            unit="s",
            description="Buckets from 100 µs on. At store.timeout (20 ms) a call is given up.",
            limit=0.02,
        ),
        lines(
            "Failed share by replica",
            Query(failed("instance"), "{{instance}}"),
            unit="percentunit",
            description="One line above the others: the network of that replica, not Redis.",
        ),
    ]


def redis_rows() -> list:
    duration, count = (
        sum_by("cmd", rate(redis(name))) for name in ("redis_commands_duration_seconds_total", "redis_commands_total")
    )
    return [
        lines(
            "Redis memory",
            Query(redis("redis_memory_used_bytes"), "{{instance}} used"),
            Query(redis("redis_memory_max_bytes"), "{{instance}} maxmemory"),
            unit="bytes",
        ),
        lines("Redis commands", Query(count, "{{cmd}}"), unit="ops", stacked=True),
        lines(
            "Redis time for a command",
            Query(share(duration, count), "{{cmd}}"),
            unit="s",
            description="In the server alone. The difference to the mean time of a store call is the network and the wait.",
        ),
        lines("Redis clients", Query(redis("redis_connected_clients"), "{{instance}}")),
        lines(
            "Redis keys",
            Query(f"sum by (instance) ({redis('redis_db_keys')})", "{{instance}}"),
            description="About one for each client that is not at its full limit, and one for each circuit.",
        ),
        lines(
            "Redis keys that went",
            Query(rate(redis("redis_expired_keys_total")), "{{instance}} expired"),
            Query(rate(redis("redis_evicted_keys_total")), "{{instance}} evicted"),
            unit="ops",
            description="Expired is the usual end. Evicted gives a client a full bucket: RedisEvictingKeys fires.",
        ),
        lines(
            "Redis traffic",
            Query(rate(redis("redis_net_input_bytes_total")), "{{instance}} in"),
            Query(rate(redis("redis_net_output_bytes_total")), "{{instance}} out"),
            unit="Bps",
        ),
        lines("Redis replicas", Query(redis("redis_connected_slaves"), "{{instance}}")),
        lines(
            "Redis uptime",
            Query(redis("redis_uptime_in_seconds"), "{{instance}}"),
            unit="s",
            description="A drop to zero was a restart: without persistence, every bucket was full afterwards.",
        ),
    ]


def processes() -> list:
    fds = share(series("process_open_fds"), series("process_max_fds"))
    return [
        lines(
            "Processor per replica",
            Query(rate(series("process_cpu_seconds_total")), "{{instance}}"),
            unit="short",
            description="In cores. A replica has one worker per core, unless server.workers says otherwise.",
        ),
        lines("Memory per replica", each("process_resident_memory_bytes"), unit="bytes"),
        lines(
            "Open files per replica",
            Query(fds, "{{instance}}"),
            unit="percentunit",
            description="Of the most it may open.",
        ),
        lines(
            "Processor time per request",
            Query(
                share(
                    sum_by("instance", rate(series("process_cpu_seconds_total"))),
                    rate_by("instance", "gateway_http_requests_total"),
                ),
                "{{instance}}",
            ),
            unit="s",
            description="For capacity planning: replicas = rate × this ÷ cores of a replica ÷ the use you aim at.",
        ),
        lines("Threads per replica", each("process_threads")),
    ]


def host() -> list:
    idle = rate(node("node_cpu_seconds_total", 'mode="idle"'))
    busy = f"1 - avg by (instance) ({idle})"
    memory = f"1 - {share(node('node_memory_MemAvailable_bytes'), node('node_memory_MemTotal_bytes'))}"

    def network(name: str) -> str:
        return sum_by("instance", rate(node(name, 'device!="lo"')))

    return [
        lines("Host processor", Query(busy, "{{instance}}"), unit="percentunit"),
        lines("Host memory", Query(memory, "{{instance}}"), unit="percentunit"),
        lines("Host load", Query(node("node_load1"), "{{instance}}")),
        lines(
            "Host network",
            Query(network("node_network_receive_bytes_total"), "{{instance}} in"),
            Query(network("node_network_transmit_bytes_total"), "{{instance}} out"),
            unit="Bps",
            width=12,
        ),
        lines("Host connections", Query(node("node_netstat_Tcp_CurrEstab"), "{{instance}}"), width=12),
    ]


def dashboard() -> dict:
    rows = [
        ("Now", now()),
        ("Replicas", replicas()),
        ("Store, from the gateways", store()),
        ("Redis, from redis_exporter", redis_rows()),
        ("Gateway processes", processes()),
        ("Host, from node_exporter", host()),
    ]
    return board("gateway-fleet", "Fleet and Redis", "Are we the problem, or Redis, or the host?", rows)
