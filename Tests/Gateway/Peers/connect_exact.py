"""The Connect protocol's unary calls as connectrpc.com's protocol reference has them, frame by frame: statuses, headers and bodies are
compared whole, so that nothing else is there either.

connect_exact.py GATEWAY_PORT CA PART

PART is `answers`; `slow` for a gateway with connections.stall_seconds of 1; `stopped` for one whose service has been stopped.
"""

import base64
import gzip
import json
import sys

import h2.errors
import h2.events
from protocols import Request
from transports import Frames

SERVICE = "/grpc.testing.TestService/"
JSON = {"content-type": "application/json"}
# SimpleRequest with response_size (2), and SimpleResponse whose payload (1) has a body (2).
PROTO, PROTO_REPLY = bytes([0x10, 3]), bytes([0x0A, 5, 0x12, 3, 0, 0, 0])
ASKING, REPLY = b'{"responseSize": 3}', b'{"payload":{"body":"AAAA"}}'
failures = []


def post(body=ASKING, method="UnaryCall", **headers):
    named = {"content-type": "application/json", "connect-protocol-version": "1"}
    named.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Request(SERVICE + method, {name: value for name, value in named.items() if value is not None}, body)


def get(query, method="UnaryCall", **headers):
    return Request(f"{SERVICE}{method}?{query}", {name.replace("_", "-"): value for name, value in headers.items()}, method="GET")


def expect(name, response, status, headers, body):
    """`body` are bytes, or what JSON must say."""
    seen = (response.status, response.headers, json.loads(response.body or b"null") if isinstance(body, dict) else response.body)
    if seen != (status, headers, body):
        failures.append(name)
        print(f"{name}:\n  {seen}\nshould be\n  {(status, headers, body)}", file=sys.stderr)


def error(code, message, **rest):
    return {"code": code, "message": message, **rest}


def answers(peer):
    def check(name, request, status, headers, body):
        expect(name, peer.send(request), status, headers, body)

    proto = {"content-type": "application/proto"}
    check("JSON", post(), 200, JSON, REPLY)
    check("JSON with a character set", post(content_type="application/json; charset=utf-8"), 200, JSON, REPLY)
    check("JSON without the protocol's version", post(connect_protocol_version=None), 200, JSON, REPLY)
    check("protobuf", post(PROTO, content_type="application/proto"), 200, proto, PROTO_REPLY)
    check("no fields", post(b"{}", method="EmptyCall"), 200, JSON, b"{}")
    check("no bytes are a protobuf message", post(b"", method="EmptyCall", content_type="application/proto"), 200, proto, b"")
    check("a reply is as it is though gzip would be taken", post(accept_encoding="gzip"), 200, JSON, REPLY)
    check("gzip", post(gzip.compress(ASKING), content_encoding="gzip"), 200, JSON, REPLY)
    check("identity", post(content_encoding="identity"), 200, JSON, REPLY)
    check("time enough", post(connect_timeout_ms="9999999999"), 200, JSON, REPLY)
    check("metadata", post(x_grpc_test_echo_initial="hello", x_grpc_test_echo_trailing_bin="AP+ACg"), 200,
          {**JSON, "x-grpc-test-echo-initial": "hello", "trailer-x-grpc-test-echo-trailing-bin": "AP+ACg"}, REPLY)

    query = "connect=v1&encoding=json&message=%7B%22responseSize%22%3A3%7D"
    check("GET", get(query), 200, JSON, REPLY)
    check("GET in base64", get("connect=v1&encoding=json&base64=1&message=" + base64.urlsafe_b64encode(ASKING).decode()), 200, JSON, REPLY)
    check("GET with protobuf", get("connect=v1&encoding=proto&base64=1&message=EAM"), 200, proto, PROTO_REPLY)
    zipped = base64.urlsafe_b64encode(gzip.compress(ASKING)).decode().rstrip("=")
    check("GET with gzip", get(f"connect=v1&encoding=json&base64=1&compression=gzip&message={zipped}"), 200, JSON, REPLY)
    check("GET with a timeout", get(query, connect_timeout_ms="60000"), 200, JSON, REPLY)
    check("GET of another version", get(query.replace("v1", "v2")), 400, JSON, error("invalid_argument", "connect: expected v1"))
    check("GET of another codec", get(query.replace("json", "xml")), 415, {}, b"")
    check("GET without base64", get("connect=v1&encoding=proto&base64=1&message=?"), 400, JSON,
          error("invalid_argument", "message: expected base64 in its form for URLs"))
    check("GET of a call with effects", get("connect=v1&encoding=json&message=%7B%7D", "UnimplementedCall"), 501, JSON, error(
        "unimplemented", "grpc.testing.TestService/UnimplementedCall cannot be called by GET, for it changes something or its request is "
        "sensitive: use POST"))

    statuses = {  # The table of the protocol reference.
        1: ("canceled", 499), 2: ("unknown", 500), 3: ("invalid_argument", 400), 4: ("deadline_exceeded", 504), 5: ("not_found", 404),
        6: ("already_exists", 409), 7: ("permission_denied", 403), 8: ("resource_exhausted", 429), 9: ("failed_precondition", 400),
        10: ("aborted", 409), 11: ("out_of_range", 400), 12: ("unimplemented", 501), 13: ("internal", 500), 14: ("unavailable", 503),
        15: ("data_loss", 500), 16: ("unauthenticated", 401)}
    for number, (code, status) in statuses.items():
        asked = json.dumps({"responseStatus": {"code": number, "message": 'a "事"'}}).encode()
        check(code, post(asked), status, JSON, error(code, 'a "事"'))
    check("an error without a message", post(b'{"responseStatus": {"code": 5}}'), 404, JSON, {"code": "not_found"})
    failing = post(b':\x05\x08\x05\x12\x01x', content_type="application/proto", x_grpc_test_echo_trailing_bin="AP+ACg")
    check("an error of a call in protobuf", failing, 404, {**JSON, "trailer-x-grpc-test-echo-trailing-bin": "AP+ACg"}, error("not_found", "x"))

    def bad(field, what):
        violation = b"\x0a" + bytes([len(field)]) + field.encode() + b"\x12" + bytes([len(what)]) + what.encode()
        value = base64.b64encode(b"\x0a" + bytes([len(violation)]) + violation).decode().rstrip("=")
        debug = {"fieldViolations": [{"field": field, "description": what}]} if field else {"fieldViolations": [{"description": what}]}
        return [{"type": "google.rpc.BadRequest", "value": value, "debug": debug}]

    for name, body, field, what in [
        ("details of the service", b'{"responseSize": -1}', "response_size", "0 to 4000000 bytes"),
        ("a wrong type", b'{"payload": {"body": 7}}', "payload.body", "expected a base64 string, found a number"),
        ("an unknown field", b'{"payload": {"nothing": 7}}', "payload.nothing", "grpc.testing.Payload has no such field"),
        ("a number out of range", b'{"responseSize": 2147483648}', "responseSize", "2147483648 is no integer of 32 bits"),
        ("the same field twice", b'{"responseSize": 1, "response_size": 1}', "response_size", "occurs twice, as responseSize and response_size"),
    ]:
        check(name, post(body), 400, JSON, error("invalid_argument", f"{field}: {what}", details=bad(field, what)))
    for name, body in [("no JSON", b"{"), ("nothing", b""), ("too deep", b'{"payload":' * 500), ("two values", b"{}{}"), ("no UTF-8", b'{"\xff": 1}')]:
        response = peer.send(post(body))
        seen = json.loads(response.body)
        if (response.status, response.headers, seen["code"]) != (400, JSON, "invalid_argument") or not seen["message"]:
            failures.append(name)
            print(f"{name}: {response}", file=sys.stderr)

    for name, timeout in [("eleven digits", "10000000000"), ("a word", "soon"), ("a sign", "-1"), ("a fraction", "1.5"), ("nothing", "")]:
        check(f"a timeout of {name}", post(connect_timeout_ms=timeout), 400, JSON,
              error("invalid_argument", "connect-timeout-ms: expected at most ten digits"))
    check("another version", post(connect_protocol_version="2"), 400, JSON, error("invalid_argument", "connect-protocol-version: expected 1"))
    check("unknown compression", post(content_encoding="br"), 501, JSON,
          error("unimplemented", "compression br is not known; there are gzip and identity"))
    check("what is not gzip", post(content_encoding="gzip"), 400, JSON, error("invalid_argument", "the request is not gzip, as it says"))
    bomb = post(gzip.compress(bytes(64 << 20)), content_encoding="gzip")
    check("gzip that grows beyond the limit", bomb, 429, JSON, error(
        "resource_exhausted", "a compressed message holds more than the 4194304 bytes that are taken"))
    check("too many bytes", post(bytes(5 << 20)), 429, JSON, error(
        "resource_exhausted", "the request has more than 4194304 bytes, or the gateway holds too many"))
    for kind in ("text/plain", "application/xml", "application/connect+json", "application/jsonx"):
        check(f"content type {kind}", post(content_type=kind), 415, {}, b"")
    check("PUT", Request(SERVICE + "UnaryCall", JSON, ASKING, method="PUT"), 405, {"allow": "POST"}, b"")
    check("a streaming call", post(b"{}", method="StreamingOutputCall"), 501, JSON,
          error("unimplemented", "grpc.testing.TestService/StreamingOutputCall streams: call it by gRPC or gRPC-Web"))
    check("an unknown method", post(method="NoSuch"), 501, JSON, error("unimplemented", "grpc.testing.TestService has no method NoSuch"))


def slow(peer):
    request = post()
    # A body whose first byte is here, while another call comes and goes.
    stream = peer.begin(request)
    peer.data(stream, request.body[:1])
    expect("a call beside a slow one", peer.send(post()), 200, JSON, REPLY)
    peer.data(stream, request.body[1:], ends=True)
    expect("a body in pieces", peer.answer(stream), 200, JSON, REPLY)
    # One of which no more comes is cut off, and the connection goes on.
    stalled = peer.begin(request)
    peer.data(stalled, request.body[:1])
    while not peer.ended(stalled, h2.events.StreamReset):
        peer.pump()
    code = [event.error_code for event in peer.events[stalled]]
    if code != [h2.errors.ErrorCodes.CANCEL]:
        failures.append("a body that stops")
        print(f"a body that stops: {peer.events[stalled]}", file=sys.stderr)
    expect("a call after one that was cut off", peer.send(post()), 200, JSON, REPLY)


def stopped(peer):
    late = error("deadline_exceeded", "the deadline has passed")
    expect("a service that does not answer", peer.send(post(connect_timeout_ms="300")), 504, JSON, late)
    expect("the same by GET", peer.send(get("connect=v1&encoding=json&message=%7B%7D", connect_timeout_ms="300")), 504, JSON, late)


def main(port, authority, part):
    {"answers": answers, "slow": slow, "stopped": stopped}[part](Frames(int(port), authority))
    print(f"{part}: {len(failures)} wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main(*sys.argv[1:4])
