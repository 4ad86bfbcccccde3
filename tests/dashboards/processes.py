"""A fleet as processes on free loopback ports: Redis, two gateways, an upstream, two exporters, Prometheus.

Everything is started by its full command and ended by its handle, also when the test fails half-way.
"""

import atexit
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
SCRAPE = "500ms"
PATIENCE = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def wait_for(what: str, condition, patience: float = PATIENCE):
    """The first truthy value of `condition`; an error that names `what` if there is none in time."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if value := condition():
                return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {patience:.0f} s for: {what}")


def request(port: int, method: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def program(*names: str) -> str:
    """The first of these that is on the PATH."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise FileNotFoundError(f"none of {', '.join(names)} is installed: scripts/test-dashboards.sh installs it")
    return found


class Fleet:
    """The running processes and where they listen."""

    def __init__(self, directory: pathlib.Path, binaries: pathlib.Path):
        self.directory, self.binaries = directory, binaries
        self.running: dict[str, subprocess.Popen] = {}
        self.gateways: list[tuple[int, int]] = []
        self.tls_ports: list[int] = []
        self.ports = {name: free_port() for name in ("redis", "mock", "redis_exporter", "node_exporter", "prometheus")}

    def __enter__(self):
        # An interrupted test does not leave its contexts.
        atexit.register(self.__exit__)
        try:
            self.start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()

    def start_all(self):
        self.start_redis()
        self.start("mock", str(self.binaries / "upstream-mock"), "--listen", f"{HOST}:{self.ports['mock']}")
        wait_for("the mock upstream", lambda: request(self.ports["mock"], "GET", "/health")[0] == 200)
        for number in (1, 2):
            self.start_gateway(f"gateway-{number}")
        self.start_exporters()
        self.start_prometheus()

    def start(self, name: str, *command: str, variables: dict[str, str] | None = None):
        """Starts a process that logs to a file of its own name."""
        with open(self.log(name), "wb") as log:
            environment = {"PATH": os.environ["PATH"], **(variables or {})}
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=self.directory
            )

    def log(self, name: str) -> pathlib.Path:
        return self.directory / f"{name}.log"

    def end(self, name: str, gently: bool = False):
        process = self.running.pop(name)
        (process.terminate if gently else process.kill)()
        process.wait(PATIENCE)

    def start_redis(self):
        port = str(self.ports["redis"])
        options = ["--port", port, "--bind", HOST, "--save", "", "--appendonly", "no", "--maxmemory", "64mb"]
        self.start("redis", program("redis-server", "valkey-server"), *options)
        wait_for("Redis", lambda: self.redis("PING").startswith("+PONG"))

    def redis(self, command: str) -> str:
        """One command, and the first line of its answer."""
        with socket.create_connection((HOST, self.ports["redis"]), timeout=5) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(4096).decode()

    def start_gateway(self, name: str):
        variables = {
            "GATEWAY_CONFIG": str(self.configuration()),
            "UPSTREAM_URL": f"http://{HOST}:{self.ports['mock']}",
            "REDIS_URL": f"redis://{HOST}:{self.ports['redis']}",
            "GATEWAY__SERVER__LISTEN": f"{HOST}:0",
            "GATEWAY__SERVER__WORKERS": "1",
            "GATEWAY__ADMIN__LISTEN": f"{HOST}:0",
            "LOG_FORMAT": "json",
            "RATE_LIMIT_CAPACITY": "20",
            "RATE_LIMIT_REFILL_RATE": "12",
            "RATE_LIMIT_REFILL_INTERVAL_SECONDS": "1",
            # The traffic fails half of the attempts on purpose; only a total failure makes so many in a row.
            "CIRCUIT_BREAKER_FAILURE_THRESHOLD": "30",
            "CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS": "1",
            "RETRY_MAX_ATTEMPTS": "2",
            "RETRY_INITIAL_DELAY_MS": "5",
        }
        self.start(name, str(self.binaries / "gateway"), variables=variables)
        started = wait_for(f"{name} to start", lambda: self.event(name, "started"))
        self.gateways.append(tuple(int(started[key].rpartition(":")[2]) for key in ("proxy", "admin")))
        self.tls_ports.append(int(started["tls"].rpartition(":")[2]))

    def configuration(self) -> pathlib.Path:
        """One of everything, with a certificate that ends tomorrow."""
        file, certificate = self.directory / "gateway.toml", self.directory / "cert.pem"
        if not certificate.exists():
            command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
            command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            command += ["-keyout", str(self.directory / "key.pem"), "-out", str(certificate)]
            subprocess.run([program("openssl"), *command], check=True, capture_output=True)
        text = (pathlib.Path(__file__).parent / "gateway.toml").read_text()
        text = text.replace("DIRECTORY", str(self.directory)).replace("MOCK", f"{HOST}:{self.ports['mock']}")
        file.write_text(text)
        return file

    def event(self, name: str, event: str) -> dict | None:
        """The first log event of that name."""
        for line in self.log(name).read_text().splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == event:
                    return entry
        return None

    def start_exporters(self):
        port, redis = self.ports["redis_exporter"], self.ports["redis"]
        binary = program("prometheus-redis-exporter", "redis_exporter")
        self.start(
            "redis_exporter", binary, f"--redis.addr=redis://{HOST}:{redis}", f"--web.listen-address={HOST}:{port}"
        )
        binary = program("prometheus-node-exporter", "node_exporter")
        self.start("node_exporter", binary, f"--web.listen-address={HOST}:{self.ports['node_exporter']}")

    def start_prometheus(self):
        targets = {
            "gateway": [f"{HOST}:{admin}" for _, admin in self.gateways],
            "redis": [f"{HOST}:{self.ports['redis_exporter']}"],
            "node": [f"{HOST}:{self.ports['node_exporter']}"],
        }
        configuration = {
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": "1s"},
            "rule_files": [str(ROOT / "alerts.yml")],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": addresses}]} for job, addresses in targets.items()
            ],
        }
        # JSON is YAML.
        file = self.directory / "prometheus.yml"
        file.write_text(json.dumps(configuration))
        self.start(
            "prometheus",
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={self.directory / 'tsdb'}",
            f"--web.listen-address={HOST}:{self.ports['prometheus']}",
            "--log.level=warn",
        )
        wait_for("Prometheus", lambda: request(self.ports["prometheus"], "GET", "/-/ready")[0] == 200)
