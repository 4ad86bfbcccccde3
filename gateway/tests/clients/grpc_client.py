"""Python's `grpcio` through the gateway: every kind of call, deadlines, cancellation, and the gateway's own refusals."""

import sys
import threading
import time

import grpc

SAME = {"request_serializer": bytes, "response_deserializer": bytes}


def refused(call, code):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error
    raise AssertionError(f"no {code}")


def main(address):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
    with grpc.insecure_channel(address, options=options) as channel:
        unary = channel.unary_unary("/some.Service/Unary", **SAME)
        for message in [b"", b"hello", b"x" * (8 << 20)]:
            assert unary(message, timeout=30) == message
        answer, call = unary.with_call(b"metadata", timeout=10, metadata=[("x-some", "value"), ("x-some-bin", b"\x00\xff")])
        assert answer == b"metadata" and call.code() == grpc.StatusCode.OK

        many = [str(number).encode() for number in range(1_000)]
        stream = channel.stream_stream("/some.Service/Both", **SAME)
        assert list(stream(iter(many), timeout=30)) == many
        server = channel.unary_stream("/some.Service/Server", **SAME)
        assert list(server(b"one", timeout=10)) == [b"one"]
        client = channel.stream_unary("/some.Service/Client", **SAME)
        assert client(iter([b"only"]), timeout=10) == b"only"

        # Turn by turn: nothing waits for the end of anything.
        turn, ended = threading.Event(), threading.Event()

        def questions():
            for number in range(20):
                yield str(number).encode()
                turn.wait(10)
                turn.clear()
            ended.wait(30)

        conversation = stream(questions(), timeout=30)
        for number in range(20):
            assert next(conversation) == str(number).encode()
            turn.set()

        # Cancelled by the client, and known to be so.
        conversation.cancel()
        ended.set()
        refused(lambda: next(conversation), grpc.StatusCode.CANCELLED)

        waiting = threading.Event()

        def silence():
            yield b"first"
            waiting.wait(30)

        begun = time.monotonic()
        late = stream(silence(), timeout=0.5)
        assert next(late) == b"first"
        refused(lambda: next(late), grpc.StatusCode.DEADLINE_EXCEEDED)
        assert time.monotonic() - begun < 10
        waiting.set()

        # The gateway's own words are gRPC's.
        limited = channel.unary_unary("/limited.Service/Call", **SAME)
        assert limited(b"one", timeout=10) == b"one"
        error = refused(lambda: limited(b"two", timeout=10), grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert "quota" in error.details(), error
        assert any(name == "retry-after" for name, _ in error.initial_metadata() + error.trailing_metadata()), error

        # And it is all as good as new.
        assert unary(b"again", timeout=10) == b"again"
    print("grpcio", grpc.__version__, "agrees")


main(sys.argv[1])
