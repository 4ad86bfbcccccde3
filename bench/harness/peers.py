"""The servers that are compared: how each is started from its committed configuration, and stopped.

Guarantees: everything listens on loopback, on ports that were free; what was started is stopped by its handle; the measured
server is alone on the first processor, everything else shares the second. Must not: measure.
"""

import contextlib
import hashlib
import http.client
import os
import pathlib
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time

from . import machine
from .scenarios import UNLIMITED, Scenario

BENCH = pathlib.Path(__file__).resolve().parent.parent
CONFIGS = BENCH / "configs"
# What no package holds is built here.
PINGORA = BENCH / "peers/pingora"
SERVER_CORE = 0
OTHERS_CORE = 1
PATIENCE = 10.0


# Below those that outgoing connections are given: of thousands under load one could take a port before its server listens there.
PORTS = iter(random.sample(range(10_000, 32_768), 32_768 - 10_000))


def free_port() -> int:
    """Never the same twice."""
    for port in PORTS:
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise OSError("every port is taken")


def program(name: str) -> str:
    """A peer's program: from the wheels, else our own build, else from the system."""
    path = f"{BENCH}/.venv/bin:{PINGORA}/target/release:{os.environ['PATH']}:/usr/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; run bench/install.sh")
    return found


class Setting:
    """The names that configurations leave open, for one run in one directory."""

    def __init__(self, directory: pathlib.Path, names: dict[str, str]):
        self.directory = directory
        self.names = names | {"DIR": str(directory)}

    def write(self, template: str, names: dict[str, str]) -> pathlib.Path:
        """Fills a committed configuration in. A value may name others."""
        known = self.names | names
        text = (CONFIGS / template).read_text()
        for _ in range(2):
            text = re.sub(r"@([A-Z0-9_]+)@", lambda one: known.get(one[1], one[0]), text)
        left = re.search(r"^(?!\s*#).*(@[A-Z0-9_]+@)", text, re.MULTILINE)
        if left:
            raise ValueError(f"{template}: nothing says what {left[1]} is")
        path = self.directory / f"{known.get('PORT', 'x')}-{template}"
        path.write_text(text)
        return path


class Server:
    """A started process and its descendants."""

    def __init__(self, name: str, command: list[str], core: int, port: int, output=subprocess.DEVNULL, env=None, cwd=None):
        self.name = name
        self.port = port
        self.is_secure = False
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env=os.environ | (env or {}),
            cwd=cwd,
        )

    def wait(self, path: str | None) -> float:
        """Milliseconds from the start until the first answer; without a path, until something listens."""
        while time.monotonic() - self.began < PATIENCE:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with code {self.process.returncode}")
            if answers(self.port, path, self.is_secure):
                return (time.monotonic() - self.began) * 1e3
            time.sleep(0.0005)
        raise TimeoutError(f"{self.name} does not answer")

    def family(self) -> list[int]:
        return machine.family(self.process.pid)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def answers(port: int, path: str | None, is_secure: bool) -> bool:
    try:
        if path is None:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return True
        connection = client(port, is_secure)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        # A refusal is an answer: a flood's scenario begins with one, and who shows no key gets another.
        return status in (200, 400, 401, 429)
    except (OSError, http.client.HTTPException):
        return False


def client(port: int, is_secure: bool) -> http.client.HTTPConnection:
    """One that believes every certificate: they are made for the run."""
    if is_secure:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=1, context=ssl._create_unverified_context())
    return http.client.HTTPConnection("127.0.0.1", port, timeout=1)


def upstream(setting: Setting, scenario: Scenario) -> Server:
    bodies = {"BODY_128": "x" * 128, "BODY_1K": "x" * 1024, "PORT": "upstream", "NGINX_CONNECTIONS": "32768"}
    config = setting.write("upstream.conf", bodies)
    port = int(setting.names["UPSTREAM"])
    if scenario.load == "websocket":
        return Server("upstream", [sys.executable, "-m", "harness.websocket", "echo", str(port)], OTHERS_CORE, port, cwd=BENCH)
    return Server("upstream", [program("nginx"), "-c", str(config)], OTHERS_CORE, port)


def secrets(setting: Setting) -> None:
    """A certificate of this run, and the key that clients show."""
    crt, key = setting.directory / "tls.crt", setting.directory / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench,IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(command, check=True, capture_output=True)
    (setting.directory / "tls.pem").write_text(crt.read_text() + key.read_text())
    digest = hashlib.sha256(b"bench-key").hexdigest()
    (setting.directory / "keys.toml").write_text(f'[[keys]]\nid = "bench"\nsha256 = "{digest}"\n')


def sized(setting: Setting, size: int) -> None:
    """A body of `size` bytes for the upstream."""
    directory = setting.directory / "sized"
    directory.mkdir()
    directory.parent.chmod(0o755)
    (directory / str(size)).write_bytes(b"x" * size)


def redis(setting: Setting) -> Server:
    port = int(setting.names["REDIS"])
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server("redis", command, OTHERS_CORE, port)


def start(peer: str, scenario: Scenario, setting: Setting, gateways: dict[str, str]) -> Server:
    """Starts a peer for a scenario. `gateways` says which program a gateway's name stands for."""
    server = launch(peer, scenario, setting, gateways)
    server.is_secure = scenario.is_secure
    return server


def launch(peer: str, scenario: Scenario, setting: Setting, gateways: dict[str, str]) -> Server:
    port = free_port()
    names = UNLIMITED | scenario.settings | {"PORT": str(port), "ADMIN": str(free_port())}
    if peer in gateways:
        return gateway(peer, gateways[peer], setting, names)
    if peer == "pingora":
        return pingora(scenario, setting, port)
    if peer.startswith("traefik"):
        names["TRAEFIK_FAST"] = "experimental: { fastProxy: {} }" if peer == "traefik-fast" else ""
        names["DIR"] = str(setting.directory / peer)
        pathlib.Path(names["DIR"]).mkdir(exist_ok=True)
        routes = setting.write("traefik-routes.yaml", names)
        routes.rename(f"{names['DIR']}/traefik-routes.yaml")
    template = {"nginx": "nginx.conf", "nginx-lua": "nginx-lua.conf", "haproxy": "haproxy.cfg", "envoy": "envoy.yaml", "caddy": "Caddyfile"}
    config = str(setting.write(template.get(peer, "traefik.yaml"), names))
    commands = {
        "nginx": ["nginx", "-c", config],
        "nginx-lua": ["nginx", "-c", config],
        "haproxy": ["haproxy", "-db", "-f", config],
        "envoy": ["envoy", "--concurrency", "1", "-c", config, "--log-level", "error", "--use-dynamic-base-id"],
        "caddy": ["caddy", "run", "--config", config, "--adapter", "caddyfile"],
    }
    name, *arguments = commands.get(peer, ["traefik", f"--configFile={config}"])
    with open(setting.directory / f"{port}.log", "wb") as log:
        return Server(peer, [program(name), *arguments], SERVER_CORE, port, output=log, env={"GOMAXPROCS": "1"})


def gateway(peer: str, path: str, setting: Setting, names: dict[str, str]) -> Server:
    """The access log goes to a file, as a service manager would send it; a name that ends in `-quiet` has none."""
    config = setting.write("gateway.toml", names)
    quiet = {"GATEWAY__LOG__ACCESS": "false"} if peer.endswith("-quiet") else {}
    with open(setting.directory / f"{names['PORT']}.log", "wb") as log:
        command = [path, "run", "--config", str(config)]
        return Server(peer, command, SERVER_CORE, int(names["PORT"]), output=log, env=quiet)


def pingora(scenario: Scenario, setting: Setting, port: int) -> Server:
    """A library has no configuration: its program is told ports, and files where TLS is spoken."""
    files = [str(setting.directory / name) for name in ("tls.crt", "tls.key")] if scenario.is_secure else []
    return Server("pingora", [program("pingora-peer"), str(port), setting.names["UPSTREAM"], *files], SERVER_CORE, port)


def versions(gateways: dict[str, str]) -> dict[str, str]:
    """What each program calls itself."""
    asked = {"nginx": ["-v"], "haproxy": ["-v"], "envoy": ["--version"], "traefik": ["version"], "caddy": ["version"]}
    asked |= {"redis-server": ["--version"], "wrk": ["-v"], "h2load": ["--version"]}
    found = {}
    for name, arguments in asked.items():
        try:
            ran = subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=10, check=False)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            continue
        number = re.search(r"v?(\d+\.\d+\.\d+)", ran.stdout + ran.stderr)
        found[name] = number[1] if number else "?"
    found["pingora"] = re.search(r'name = "pingora-proxy"\nversion = "([^"]+)"', (PINGORA / "Cargo.lock").read_text())[1]
    return found | {name: "of this tree" for name in gateways if name == "gateway"}
