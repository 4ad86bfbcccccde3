"""WebSocket without a library: an upstream that echoes, and connections that each send a message when the last one is back.

    python3 -m harness.websocket echo PORT
    python3 -m harness.websocket load PORT PATH CONNECTIONS SECONDS

Messages are one unfragmented frame of 128 bytes (RFC 6455, section 5.2), made once: what is measured is the proxy between the two, and
a proxy looks at no frame. Must not: be taken for an implementation of the protocol.
"""

import base64
import hashlib
import json
import os
import selectors
import socket
import sys
import time

PAYLOAD = b"x" * 128
MASK = b"mask"
# FIN and binary; masked from a client, in clear from a server.
MASKED = bytes([0x82, 0xFE, 0, 128]) + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(PAYLOAD))
CLEAR = bytes([0x82, 0x7E, 0, 128]) + PAYLOAD
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def echo(port: int) -> None:
    """Answers a handshake, then every frame; to a request that asks for no upgrade it says 200."""
    door = socket.create_server(("127.0.0.1", port), backlog=4096, reuse_port=True)
    chooser = selectors.DefaultSelector()
    chooser.register(door, selectors.EVENT_READ)
    left: dict[socket.socket, int] = {}
    while True:
        for key, _ in chooser.select():
            one = key.fileobj
            if one is door:
                one, _ = door.accept()
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chooser.register(one, selectors.EVENT_READ)
                continue
            got = receive(one)
            if not got:
                chooser.unregister(one)
                left.pop(one, None)
                one.close()
            elif one in left:
                frames, left[one] = divmod(left[one] + len(got), len(MASKED))
                one.sendall(CLEAR * frames)
            else:
                one.sendall(welcome(got))
                if b"ebsocket" in got:
                    left[one] = 0


def receive(one: socket.socket) -> bytes:
    try:
        return one.recv(65536)
    except OSError:
        return b""


def welcome(head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            accept = base64.b64encode(hashlib.sha1(value.strip() + GUID).digest())
            return (
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def opened(port: int, path: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), 5)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    one.sendall(
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    got = b""
    while b"\r\n\r\n" not in got:
        more = one.recv(4096)
        if not more:
            raise ConnectionError(f"no handshake: {got[:80]!r}")
        got += more
    if not got.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"no upgrade: {got[:80]!r}")
    return one


def load(port: int, path: str, connections: int, seconds: float) -> dict:
    chooser = selectors.DefaultSelector()
    missing, sent, took = {}, {}, []
    for _ in range(connections):
        one = opened(port, path)
        chooser.register(one, selectors.EVENT_READ)
        missing[one], sent[one] = len(CLEAR), 0.0
    began = time.perf_counter()
    for one in missing:
        sent[one] = time.perf_counter()
        one.sendall(MASKED)
    broken = 0
    while (now := time.perf_counter()) < began + seconds and not broken:
        for key, _ in chooser.select(0.1):
            one = key.fileobj
            got = len(receive(one))
            broken += got == 0
            missing[one] -= got
            if missing[one] == 0:
                now = time.perf_counter()
                took.append(now - sent[one])
                missing[one], sent[one] = len(CLEAR), now
                one.sendall(MASKED)
    took.sort()
    share = {name: int(took[int(len(took) * part)] * 1e6) if took else 0 for name, part in PARTS.items()}
    return {"requests": len(took), "micros": int((now - began) * 1e6), "broken": broken, "refused": 0} | share


PARTS = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def main() -> None:
    match sys.argv[1:]:
        case ["echo", port]:
            echo(int(port))
        case ["load", port, path, connections, seconds]:
            print(json.dumps(load(int(port), path, int(connections), float(seconds))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
