"""gRPC's interop tests (interop-test-descriptions.md) by PyPI grpcio against a server of ours.

Usage: grpc_conformance.py PORT CA CERT KEY. Prints a line per case; exit code 1 if one failed.
"""
import sys
import threading
import traceback

import grpc
from grpc_messages import (
    SERVICE, BadRequest, BoolValue, EchoStatus, Empty, InputRequest, InputResponse, OutputRequest, OutputResponse,
    Parameters, Payload, SimpleRequest, SimpleResponse, Status)

port, authority, certificate, key = sys.argv[1:5]


def read(path):
    with open(path, "rb") as file:
        return file.read()


channel = grpc.secure_channel(
    f"localhost:{port}", grpc.ssl_channel_credentials(read(authority), read(key), read(certificate)),
    options=[("grpc.max_receive_message_length", 16 << 20)])


def method(kind, name, response, service=SERVICE):
    return getattr(channel, kind)(
        f"/{service}/{name}", request_serializer=lambda m: m.SerializeToString(), response_deserializer=response.FromString)


unary = method("unary_unary", "UnaryCall", SimpleResponse)
empty = method("unary_unary", "EmptyCall", Empty)
inputs = method("stream_unary", "StreamingInputCall", InputResponse)
outputs = method("unary_stream", "StreamingOutputCall", OutputResponse)
duplex = method("stream_stream", "FullDuplexCall", OutputResponse)
SIZES = [31_415, 9, 2_653, 58_979]


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


def request(*sizes, interval_us=0):
    return OutputRequest(response_parameters=[Parameters(size=size, interval_us=interval_us) for size in sizes])


def empty_unary():
    expect(empty(Empty(), timeout=20), Empty())


def large_unary():
    reply = unary(SimpleRequest(response_size=314_159, payload=Payload(body=bytes(271_828))), timeout=20)
    expect(len(reply.payload.body), 314_159)


def four_mebibytes():
    body = bytes(4_194_304 - 16)
    expect(unary(SimpleRequest(payload=Payload(body=body)), timeout=20).payload.body, b"")
    error = failure(lambda: unary(SimpleRequest(payload=Payload(body=bytes(5_000_000))), timeout=20))
    expect(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)


def client_streaming():
    requests = (InputRequest(payload=Payload(body=bytes(size))) for size in (27_182, 8, 1_828, 45_904))
    expect(inputs(requests, timeout=20).aggregated_payload_size, 74_922)


def server_streaming():
    expect([len(reply.payload.body) for reply in outputs(request(*SIZES), timeout=20)], SIZES)


def ping_pong():
    turn = threading.Semaphore(1)

    def requests():
        for size in SIZES:
            turn.acquire()
            yield request(size)

    sizes = []
    for reply in duplex(requests(), timeout=20):
        sizes.append(len(reply.payload.body))
        turn.release()
    expect(sizes, SIZES)


def empty_stream():
    expect(list(duplex(iter([]), timeout=20)), [])


def hundred_megabytes():
    expect(sum(len(reply.payload.body) for reply in outputs(request(*[1_000_000] * 100), timeout=60)), 100_000_000)


def custom_metadata():
    metadata = [("x-grpc-test-echo-initial", "test_initial"), ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab\x00")]
    _, call = unary.with_call(SimpleRequest(response_size=1), metadata=metadata, timeout=20)
    expect(dict(call.initial_metadata()).get(metadata[0][0]), metadata[0][1])
    expect(dict(call.trailing_metadata()).get(metadata[1][0]), metadata[1][1])


def status_code_and_message():
    status = EchoStatus(code=2, message="test status message")
    for error in (failure(lambda: unary(SimpleRequest(response_status=status), timeout=20)),
                  failure(lambda: list(duplex(iter([OutputRequest(response_status=status)]), timeout=20)))):
        expect((error.code(), error.details()), (grpc.StatusCode.UNKNOWN, "test status message"))


def special_status_message():
    text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    error = failure(lambda: unary(SimpleRequest(response_status=EchoStatus(code=2, message=text)), timeout=20))
    expect((error.code(), error.details()), (grpc.StatusCode.UNKNOWN, text))


def long_status_message():
    text = "😈" * 5_000
    error = failure(lambda: unary(SimpleRequest(response_status=EchoStatus(code=5, message=text)), timeout=20))
    expect(error.code(), grpc.StatusCode.NOT_FOUND)
    expect(text.startswith(error.details()) and len(error.details()) > 100, True)


def unimplemented():
    for name, service in [("UnimplementedCall", SERVICE), ("Nothing", SERVICE), ("UnimplementedCall", "grpc.testing.Nobody")]:
        error = failure(lambda: method("unary_unary", name, Empty, service)(Empty(), timeout=20))
        expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def bad_request():
    error = failure(lambda: unary(SimpleRequest(response_size=-1), timeout=20))
    expect(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    expect((status.code, status.message), (3, error.details()))
    violations = BadRequest()
    expect(status.details[0].Unpack(violations), True)
    expect([violation.field for violation in violations.field_violations], ["response_size"])


def large_metadata():
    for size in (8_000, 1_000):
        metadata = [("x-grpc-test-echo-initial", "a" * size)]
        _, call = unary.with_call(SimpleRequest(), metadata=metadata, timeout=20)
        expect(len(dict(call.initial_metadata())["x-grpc-test-echo-initial"]), size)
    error = failure(lambda: unary(SimpleRequest(), metadata=[("x-large", "a" * 40_000)], timeout=20))
    expect(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
    expect(unary(SimpleRequest(), timeout=20).payload.body, b"")


def repeated_metadata():
    key = "x-grpc-test-echo-trailing-bin"
    values = [b"\x01", b"", bytes(range(256))]
    _, call = unary.with_call(SimpleRequest(), metadata=[(key, value) for value in values], timeout=20)
    expect([entry.value for entry in call.trailing_metadata() if entry.key == key], values)


def compressed_requests():
    # The server says INVALID_ARGUMENT if a message is not what it says of itself.
    body, yes, no = Payload(body=bytes(271_828)), BoolValue(value=True), BoolValue(value=False)
    gzip = {"compression": grpc.Compression.Gzip, "timeout": 20}
    reply = unary(SimpleRequest(payload=body, expect_compressed=yes, response_size=314_159), **gzip)
    expect(len(reply.payload.body), 314_159)
    unary(SimpleRequest(payload=body, expect_compressed=no), timeout=20)
    error = failure(lambda: unary(SimpleRequest(payload=body, expect_compressed=yes), timeout=20))
    expect(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
    requests = (InputRequest(payload=body, expect_compressed=yes) for _ in range(20))
    expect(inputs(requests, **gzip).aggregated_payload_size, 20 * 271_828)


def compressed_replies():
    compressed = [BoolValue(value=number % 3 != 0) for number in range(30)]
    request = OutputRequest(response_parameters=[
        Parameters(size=50_000 + number, compressed=flag) for number, flag in enumerate(compressed)])
    expect([len(reply.payload.body) for reply in outputs(request, timeout=20)], [50_000 + number for number in range(30)])
    reply = unary(SimpleRequest(response_size=314_159, response_compressed=BoolValue(value=True)), timeout=20)
    expect(len(reply.payload.body), 314_159)


def compressed_bomb():
    error = failure(lambda: unary(
        SimpleRequest(payload=Payload(body=bytes(8_000_000))), compression=grpc.Compression.Gzip, timeout=20))
    expect(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)


def unknown_compression():
    error = failure(lambda: unary(
        SimpleRequest(payload=Payload(body=bytes(10_000))), compression=grpc.Compression.Deflate, timeout=20))
    expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def timeout_on_sleeping_server():
    error = failure(lambda: list(outputs(request(1, interval_us=10_000_000), timeout=0.2)))
    expect(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def cancel_after_begin():
    never = threading.Event()
    call = inputs.future(iter(never.wait, True), timeout=20)
    call.cancel()
    expect(call.code(), grpc.StatusCode.CANCELLED)
    never.set()


def cancel_after_first_response():
    replies = outputs(OutputRequest(response_parameters=[Parameters(size=3), Parameters(size=3, interval_us=10_000_000)]), timeout=20)
    next(replies)
    replies.cancel()
    expect(failure(lambda: next(replies)).code(), grpc.StatusCode.CANCELLED)


def many_calls():
    calls = [unary.future(SimpleRequest(response_size=number), timeout=60) for number in range(3_000)]
    expect([len(call.result().payload.body) for call in calls], list(range(3_000)))


CASES = [
    empty_unary, large_unary, four_mebibytes, client_streaming, server_streaming, ping_pong, empty_stream,
    hundred_megabytes, custom_metadata, status_code_and_message, special_status_message, long_status_message,
    large_metadata, repeated_metadata, compressed_requests, compressed_replies, compressed_bomb, unknown_compression,
    unimplemented, bad_request, timeout_on_sleeping_server, cancel_after_begin, cancel_after_first_response, many_calls]
failed = 0
for case in CASES:
    try:
        case()
        print("passed", case.__name__)
    except Exception:  # a case that fails must not hide the others
        failed += 1
        print("FAILED", case.__name__)
        traceback.print_exc(file=sys.stdout)
sys.exit(1 if failed else 0)
