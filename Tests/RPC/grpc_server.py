"""grpc.testing.TestService by PyPI grpcio, for our client. Prints its port; ends by a signal.

Usage: grpc_server.py CA CERT KEY
"""
import sys
import time
from concurrent import futures

import grpc
from grpc_messages import (
    SERVICE, Any, BadRequest, Empty, InputRequest, InputResponse, OutputRequest, OutputResponse, Payload, SimpleRequest,
    SimpleResponse, Status)

authority, certificate, key = sys.argv[1:4]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def echo(context):
    metadata = dict(context.invocation_metadata())
    if "x-grpc-test-echo-initial" in metadata:
        context.send_initial_metadata([("x-grpc-test-echo-initial", metadata["x-grpc-test-echo-initial"])])
    if "x-grpc-test-echo-trailing-bin" in metadata:
        context.set_trailing_metadata([("x-grpc-test-echo-trailing-bin", metadata["x-grpc-test-echo-trailing-bin"])])


def check(request, context):
    code = request.response_status.code
    if code:
        statuses = {status.value[0]: status for status in grpc.StatusCode}
        violation = BadRequest(field_violations=[{"field": "response_status", "description": "asked for"}])
        detail = Any()
        detail.Pack(violation)
        status = Status(code=code, message=request.response_status.message, details=[detail])
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(statuses[code], request.response_status.message)


def unary(request, context):
    echo(context)
    check(request, context)
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    return SimpleResponse(payload=Payload(body=bytes(request.response_size)))


def inputs(requests, context):
    return InputResponse(aggregated_payload_size=sum(len(request.payload.body) for request in requests))


def answer(request):
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1e6)
        yield OutputResponse(payload=Payload(body=bytes(parameters.size)))


def outputs(request, context):
    yield from answer(request)
    check(request, context)


def duplex(requests, context):
    for request in requests:
        check(request, context)
        yield from answer(request)


def handler(make, body, request):
    return make(body, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString())


server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 8 << 20)])
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
    "EmptyCall": handler(grpc.unary_unary_rpc_method_handler, lambda request, context: Empty(), Empty),
    "UnaryCall": handler(grpc.unary_unary_rpc_method_handler, unary, SimpleRequest),
    "StreamingInputCall": handler(grpc.stream_unary_rpc_method_handler, inputs, InputRequest),
    "StreamingOutputCall": handler(grpc.unary_stream_rpc_method_handler, outputs, OutputRequest),
    "FullDuplexCall": handler(grpc.stream_stream_rpc_method_handler, duplex, OutputRequest),
})])
credentials = grpc.ssl_server_credentials([(read(key), read(certificate))], read(authority), True)
print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
server.start()
server.wait_for_termination()
