"""Python's `websockets` through the gateway: echo, large and empty messages, pings, subprotocols, close codes."""

import asyncio
import sys

import websockets


async def main(url):
    async with websockets.connect(url, max_size=None, subprotocols=["chat"]) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        for message in ["text", "", "ä€😀", b"", b"\x00\xff", b"x" * (16 << 20), "y" * 70_000]:
            await socket.send(message)
            assert await socket.recv() == message, len(message)
        await socket.send(iter(["in ", "pieces"]))
        assert await socket.recv() == "in pieces"
        for _ in range(10):
            await asyncio.wait_for(await socket.ping(), 10)
        for number in range(1_000):
            await socket.send(str(number))
        for number in range(1_000):
            assert await socket.recv() == str(number)
    assert socket.close_code == 1000, socket.close_code
    for code, reason in [(1000, "done"), (1001, ""), (4321, "of our own")]:
        socket = await websockets.connect(url)
        await socket.close(code, reason)
        assert (socket.close_code, socket.close_reason) == (code, reason), (socket.close_code, socket.close_reason)
    plain = url.replace("/ws", "/ok")
    try:
        await websockets.connect(plain)
    except websockets.InvalidStatus as refused:
        assert refused.response.status_code == 200, refused
    else:
        raise AssertionError("a switch that nobody granted")
    print("websockets", websockets.__version__, "agrees")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 120))
