"""Holds what Compose made of its files to docs/security.md: compose.py NAME FILE.json"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

# What reads the host on purpose.
READS_HOST = {"node-exporter"}


def problems(service: dict, name: str) -> Iterator[str]:
    if not service.get("read_only"):
        yield "may write to its root"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may gain privileges"
    if service.get("user", "0").split(":")[0] == "0":
        yield "runs as root"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if not {"cpus", "memory", "pids"} <= limits.keys():
        yield "has no limits"
    if "build" not in service and (":" not in service["image"] or service["image"].endswith(":latest")):
        yield f"runs an image of no certain version: {service['image']}"
    if not service.get("restart"):
        yield "stays away when it falls over"
    if not service.get("healthcheck") and name not in ("gateway", "upstream-mock"):
        yield "has no health check (those two have theirs in the image)"
    for dependency, how in service.get("depends_on", {}).items():
        if how["condition"] != "service_healthy":
            yield f"does not wait until {dependency} is healthy"
    for volume in service.get("volumes", []):
        if volume["type"] == "bind" and not volume.get("read_only"):
            yield f"may write to the host: {volume['source']}"
        if volume.get("source") == "/" and name not in READS_HOST:
            yield "reads the whole host"
    for variable, value in service.get("environment", {}).items():
        if "PASSWORD" in variable and value and value != "demanded":
            yield f"has a default password: {variable}"


def ports(services: dict, production: bool) -> Iterator[tuple[str, str]]:
    for name, service in services.items():
        for port in service.get("ports", []):
            local = port.get("host_ip") == "127.0.0.1"
            if not local and not (production and name == "front"):
                yield name, f"listens to the world on {port['published']}"


def production(services: dict) -> Iterator[tuple[str, str]]:
    """What docs/deployment.md says of production."""
    if "upstream-mock" in services:
        yield "upstream-mock", "is no upstream for production"
    gateway = services["gateway"]
    if gateway["environment"].get("GATEWAY__SERVER__METRICS") != "false":
        yield "gateway", "shows its metrics to clients"
    if gateway.get("ports"):
        yield "gateway", "can be reached without the front"
    if not gateway.get("secrets") or "REDIS_URL" in gateway["environment"]:
        yield "gateway", "has the address of Redis, with its password, in its environment"


def main() -> int:
    files, path = sys.argv[1:]
    services = json.loads(Path(path).read_text())["services"]
    found = [(name, problem) for name, service in services.items() for problem in problems(service, name)]
    found += ports(services, "prod" in files)
    if "prod" in files:
        found += production(services)
    for name, problem in found:
        print(f"{files}: {name} {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
