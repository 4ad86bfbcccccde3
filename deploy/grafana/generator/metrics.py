"""Metrics that are not found in gateway/src/telemetry/metrics: planned ones, and those of exporters."""

# Named by the contract and not exposed yet. Panels that show one say so, and no query may mix one with a metric that exists:
# its absence would hide what is there. Move a name out of here in the change that exposes it.
PLANNED: dict[str, tuple[str, ...]] = {}

# The client library's process collector; labels are the scrape's own.
PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
}

# https://github.com/oliver006/redis_exporter
REDIS_EXPORTER = {
    "redis_commands_duration_seconds_total": ("cmd",),
    "redis_commands_total": ("cmd",),
    "redis_connected_clients": (),
    "redis_connected_slaves": (),
    "redis_db_keys": ("db",),
    "redis_evicted_keys_total": (),
    "redis_expired_keys_total": (),
    "redis_memory_max_bytes": (),
    "redis_memory_used_bytes": (),
    "redis_net_input_bytes_total": (),
    "redis_net_output_bytes_total": (),
    "redis_rejected_connections_total": (),
    "redis_up": (),
    "redis_uptime_in_seconds": (),
}

# https://github.com/prometheus/node_exporter
NODE_EXPORTER = {
    "node_cpu_seconds_total": ("cpu", "mode"),
    "node_load1": (),
    "node_memory_MemAvailable_bytes": (),
    "node_memory_MemTotal_bytes": (),
    "node_netstat_Tcp_CurrEstab": (),
    "node_network_receive_bytes_total": ("device",),
    "node_network_transmit_bytes_total": ("device",),
}

# What Prometheus itself makes.
PROMETHEUS = {"ALERTS": ("alertname", "alertstate", "severity"), "up": ()}


def planned_in(text: str) -> list[str]:
    """The planned metrics that a query names."""
    return [name for name in PLANNED if name in text]
