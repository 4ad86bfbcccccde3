"""The inside of scripts/test-image-recipe.sh: run.py FOLDER, in namespaces where it is root and alone.

FOLDER holds manifests.yaml, root/usr/local/bin/gateway and upstream-mock.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import front
from manifest import Recipe

ROOT = Path(__file__).resolve().parents[2]
passed = failed = 0


def check(name: str, ok: bool, seen: object = "") -> None:
    global passed, failed
    if ok:
        passed += 1
        print(f"  ok      {name}", flush=True)
    else:
        failed += 1
        print(f"  FAILED  {name}: {seen}", flush=True)


def raise_loopback() -> None:
    """A new network begins with its loopback interface down."""
    up_and_running = 0x41
    get_flags, set_flags = 0x8913, 0x8914
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, get_flags, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", request)[1] | up_and_running
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sH14x", b"lo", flags))


def status(url: str) -> int | str:
    try:
        return urllib.request.urlopen(url, timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def eventually(seconds: float, condition) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


@contextlib.contextmanager
def running(*command: str, **how) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def users(gateway: str, metrics: str) -> str:
    """The users of Redis, as deploy.sh writes them."""
    environment = os.environ | {"GATEWAY_PASSWORD": gateway, "METRICS_PASSWORD": metrics}
    return subprocess.run(
        [ROOT / "deploy/deploy.sh", "acl"], env=environment, check=True, capture_output=True, text=True
    ).stdout


def redis(work: Path, recipe: Recipe, gateway: str, metrics: str) -> contextlib.AbstractContextManager:
    auditor = "user auditor on nopass -@all +acl|log\n"
    (work / "users.acl").write_text(users(gateway, metrics) + auditor)
    (work / "data").mkdir()
    configuration = recipe.redis_configuration.replace("/etc/redis/secrets", str(work)).replace("/data", f"{work}/data")
    (work / "redis.conf").write_text(configuration)
    log = (work / "redis.log").open("w")
    return running("redis-server", str(work / "redis.conf"), "--bind", "127.0.0.1", stdout=log)


def audit(metrics: str) -> None:
    """What Redis denied its users: nothing that they need."""
    info = ["redis-cli", "--no-auth-warning", "--user", "metrics", "--pass", metrics, "info", "memory"]
    answer = subprocess.run(info, capture_output=True, text=True, check=False).stdout
    check("Redis tells its user for metrics how it is", "used_memory:" in answer, answer)
    log = ["redis-cli", "--user", "auditor", "--pass", "any", "--no-auth-warning", "--json", "acl", "log"]
    entries = json.loads(subprocess.run(log, capture_output=True, text=True, check=True).stdout)
    denied = [(entry["username"], entry["object"]) for entry in entries]
    # A client library's way to introduce itself; Redis before 7.2 does not know it, so no user can be allowed it there.
    needed = [one for one in denied if one != ("gateway", "client|setinfo")]
    check("Redis denied its users nothing", not needed, needed)


def libraries(binary: Path) -> list[str]:
    """The files that a dynamic binary wants: none for the image's, which is static."""
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def sandbox(work: Path, recipe: Recipe, arguments: list[str]) -> list[str]:
    """The container: what bubblewrap is told."""
    root = work / "root"
    command = ["bwrap", "--unshare-user", "--uid", str(recipe.user), "--gid", str(recipe.group), "--cap-drop", "ALL"]
    command += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--chdir", "/"]
    for library in libraries(root / "usr/local/bin/gateway"):
        command += ["--ro-bind", library, library]
    for name, value in recipe.variables.items():
        command += ["--setenv", name, value]
    return [*command, "/usr/local/bin/gateway", *arguments]


def prepare_root(work: Path, recipe: Recipe, store: str) -> None:
    """The files that the kubelet would mount, names that the cluster would resolve, and places to mount on."""
    root = work / "root"
    files = recipe.files({"gateway-redis": {"url": store}})
    host, _ = recipe.upstream
    files["/etc/hosts"] = f"127.0.0.1 localhost redis {host}\n"
    for path, content in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o444)
    for folder in ("proc", "dev", *(library.lstrip("/") for library in libraries(root / "usr/local/bin/gateway"))):
        place = root / folder
        if folder in ("proc", "dev"):
            place.mkdir(exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()


def gateway_below(supervisor: int) -> int:
    """The process of the gateway itself: bubblewrap stays as its parent and as the first of its namespace."""
    for status_file in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if status_file.read_text().startswith("Name:\tgateway\n"):
                return int(status_file.parent.name)
    raise SystemExit(f"no gateway runs below {supervisor}")


def confined(pid: int, recipe: Recipe) -> None:
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    mapping = Path(f"/proc/{pid}/uid_map").read_text().split()
    check(f"it is user {recipe.user}", mapping[0] == str(recipe.user), mapping)
    check("it has no capability", int(facts["CapEff"], 16) == 0 and int(facts["CapBnd"], 16) == 0, facts["CapEff"])
    check("it can gain no privilege", facts["NoNewPrivs"].strip() == "1", facts["NoNewPrivs"])
    writable = [
        line.split()[1]
        for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()
        if "ro" not in line.split()[3].split(",") and not line.split()[1].startswith(("/proc", "/dev"))
    ]
    check("it can write nowhere", not writable, writable)


def serves(recipe: Recipe) -> None:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        check(f"{name} {recipe.probe(name)} is 200", status(recipe.probe(name)) == 200, status(recipe.probe(name)))
    proxy = f"http://127.0.0.1:{recipe.ports['http']}"
    check("metrics are closed on the proxy port", status(f"{proxy}/metrics") == 404, status(f"{proxy}/metrics"))
    admin = f"http://127.0.0.1:{recipe.ports['admin']}"
    tested = subprocess.run(
        [ROOT / "deploy/test-endpoints.sh", "--admin", admin, "--path", "/proxy/ok", "--requests", "500", proxy],
        check=False,
    )
    check("deploy/test-endpoints.sh passes", tested.returncode == 0, tested.returncode)


def fronted(work: Path) -> None:
    """Through the TLS front, which the manifest's trusted proxies here are."""
    with front.nginx(work):
        url = f"https://127.0.0.1:{front.HTTPS}"
        tested = subprocess.run(
            [ROOT / "deploy/test-endpoints.sh", "--insecure", "--no-load", "--path", "/proxy/ok", url], check=False
        )
        check("deploy/test-endpoints.sh passes through the front", tested.returncode == 0, tested.returncode)
        seen = front.seen_by_upstream()
        check("the front tells who the client is", seen.get("x-forwarded-for") == "127.0.0.1, 127.0.0.1", seen)
        check("… and that it came by HTTPS, whatever the client says", seen.get("x-forwarded-proto") == "https", seen)
        echo = front.websocket()
        check("a WebSocket's message comes back through it", echo == "through all of them", echo)
        moved = front.redirect()
        check("plain HTTP is sent to HTTPS", moved == "308 https://api.example.org/proxy/ok?a=b", moved)


def drains(supervisor: subprocess.Popen, pid: int, recipe: Recipe) -> None:
    proxy = f"http://127.0.0.1:{recipe.ports['http']}/health"
    ready = recipe.probe("readinessProbe")
    os.kill(pid, signal.SIGTERM)
    started = time.monotonic()
    check("SIGTERM: readiness fails at once", eventually(2, lambda: status(ready) == 503), status(ready))
    check("… while it still accepts", status(proxy) == 200, status(proxy))
    with contextlib.suppress(subprocess.TimeoutExpired):
        supervisor.wait(recipe.grace)
    check(f"… and it ends by itself within {recipe.grace} s", supervisor.returncode == 0, supervisor.returncode)
    print(f"          after {time.monotonic() - started:.1f} s")


def main() -> int:
    work = Path(sys.argv[1])
    raise_loopback()
    recipe = Recipe(work / "manifests.yaml")
    # YOURS, says the overlay: who stands in front. Here that is nginx, beside it.
    recipe.given["GATEWAY__SERVER__TRUSTED_PROXIES"] = '["127.0.0.1/32"]'
    password, metrics = secrets.token_hex(24), secrets.token_hex(24)
    prepare_root(work, recipe, f"redis://gateway:{password}@redis:6379\n")
    host, port = recipe.upstream
    log = (work / "gateway.log").open("w")
    mock_log = (work / "mock.log").open("w")
    print(f"gateway {' '.join(recipe.arguments)}, upstream {host}:{port}")
    with (
        redis(work, recipe, password, metrics),
        running(str(work / "upstream-mock"), "--listen", f"127.0.0.1:{port}", stderr=mock_log),
        running(*sandbox(work, recipe, recipe.arguments), stdout=log, stderr=log) as supervisor,
    ):
        up = eventually(30, lambda: status(recipe.probe("startupProbe")) == 200 or supervisor.poll() is not None)
        if not up or supervisor.poll() is not None:
            check("it starts", False, (work / "gateway.log").read_text()[-2000:])
        else:
            pid = gateway_below(supervisor.pid)
            confined(pid, recipe)
            # Before the load, which spends the tokens.
            fronted(work)
            serves(recipe)
            healthy = subprocess.run(sandbox(work, recipe, ["health"]), check=False, capture_output=True, text=True)
            check("the image's HEALTHCHECK, `gateway health`, says yes", healthy.returncode == 0, healthy.stderr)
            drains(supervisor, pid, recipe)
            audit(metrics)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
