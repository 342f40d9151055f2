"""A call as each protocol writes it, and what comes back in one form for all: after connectrpc.com's protocol reference and gRPC's
PROTOCOL-WEB.md, not after our own sources."""

import base64
import dataclasses
import json
import struct
import urllib.parse

import grpc
from google.protobuf import json_format

CODES = {status.value[0]: status.name for status in grpc.StatusCode}
ECHOED = ("x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin")


@dataclasses.dataclass
class Call:
    name: str
    path: str
    request: object
    reply: type
    metadata: dict = dataclasses.field(default_factory=dict)
    streams: bool = False
    timeout_seconds: float = None
    may_get: bool = False
    # Gives a bearer token, made when it is sent: it is good for minutes only.
    token: object = None

    def sent_metadata(self):
        return {**self.metadata, **({"authorization": f"Bearer {self.token()}"} if self.token else {})}


@dataclasses.dataclass
class Request:
    path: str
    headers: dict
    body: bytes = b""
    method: str = "POST"


@dataclasses.dataclass
class Response:
    status: int
    headers: dict
    body: bytes


def outcome(pool, code, message="", details=(), replies=(), metadata=()):
    """The form that is compared. `details` are (full name, bytes)."""
    return {
        "code": code,
        # Who runs out of time may notice it alone and say it in words of its own.
        "message": "" if code == "DEADLINE_EXCEEDED" else message,
        "details": [(name, json_format.MessageToDict(pool.new(name).FromString(value))) for name, value in details],
        "replies": [json_format.MessageToDict(reply, descriptor_pool=pool.pool) for reply in replies],
        "metadata": sorted((name, value) for name, value in metadata if name in ECHOED),
    }


def status_details(pool, value):
    status = pool.new("google.rpc.Status").FromString(value)
    return [(detail.type_url.split("/")[-1], detail.value) for detail in status.details]


def decoded(text):
    """Base64 with or without its padding."""
    return base64.b64decode(text + "=" * (-len(text) % 4))


class Connect:
    def __init__(self, codec, get=False):
        self.codec = codec
        self.get = get
        self.name = f"Connect {codec}{' by GET' if get else ''}"

    def takes(self, call):
        return not call.streams and (call.may_get or not self.get)

    def encode(self, call):
        if self.codec == "json":
            body = json_format.MessageToJson(call.request, indent=None).encode()
        else:
            body = call.request.SerializeToString()
        headers = call.sent_metadata()
        if call.timeout_seconds is not None:
            headers["connect-timeout-ms"] = str(int(call.timeout_seconds * 1000))
        if self.get:
            query = {"connect": "v1", "encoding": self.codec, "message": body}
            if self.codec == "proto":
                query.update(base64="1", message=base64.urlsafe_b64encode(body).rstrip(b"="))
            return Request(f"{call.path}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}", headers, method="GET")
        headers.update({"content-type": f"application/{self.codec}", "connect-protocol-version": "1"})
        return Request(call.path, headers, body)

    def decode(self, call, response, pool):
        metadata = [(name.removeprefix("trailer-"), value) for name, value in response.headers.items()]
        if response.status == 200:
            assert response.headers["content-type"] == f"application/{self.codec}", response
            reply = json_format.Parse(response.body, call.reply(), descriptor_pool=pool.pool) if self.codec == "json" else \
                call.reply.FromString(response.body)
            return outcome(pool, "OK", replies=[reply], metadata=metadata)
        assert response.headers["content-type"] == "application/json", response
        error = json.loads(response.body)
        code = error["code"].upper().replace("CANCELED", "CANCELLED")
        details = [(detail["type"], decoded(detail["value"])) for detail in error.get("details", [])]
        return outcome(pool, code, error.get("message", ""), details, metadata=metadata)


class GRPCWeb:
    def __init__(self, text):
        self.text = text
        self.type = "application/grpc-web-text" if text else "application/grpc-web+proto"
        self.name = "gRPC-Web text" if text else "gRPC-Web"

    def takes(self, call):
        return True

    def encode(self, call):
        message = call.request.SerializeToString()
        body = struct.pack(">BI", 0, len(message)) + message
        headers = {**call.sent_metadata(), "content-type": self.type, "x-grpc-web": "1", "x-user-agent": "grpc-web-test"}
        if call.timeout_seconds is not None:
            headers["grpc-timeout"] = f"{int(call.timeout_seconds * 1000)}m"
        return Request(call.path, headers, base64.b64encode(body) if self.text else body)

    def decode(self, call, response, pool):
        assert response.status == 200 and response.headers["content-type"].startswith(self.type.removesuffix("+proto")), response
        body = self.pieces(response.body) if self.text else response.body
        replies, trailers = [], {}
        while body:
            flags, length = struct.unpack(">BI", body[:5])
            message, body = body[5:5 + length], body[5 + length:]
            assert len(message) == length and not trailers, response
            if flags & 0x80:
                lines = message.decode().split("\r\n")
                trailers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines if line)}
            else:
                replies.append(call.reply.FromString(message))
        # What fails before a reply may have its status in the headers.
        trailers = trailers or response.headers
        details = status_details(pool, decoded(trailers.get("grpc-status-details-bin", "")))
        metadata = {**response.headers, **trailers}
        return outcome(
            pool, CODES[int(trailers["grpc-status"])], urllib.parse.unquote(trailers.get("grpc-message", "")), details, replies,
            metadata.items())

    @staticmethod
    def pieces(body):
        """Base64 that may be padded wherever the sender paused."""
        assert len(body) % 4 == 0, body
        return b"".join(base64.b64decode(body[at:at + 4]) for at in range(0, len(body), 4))


def by_grpcio(channel, call, pool):
    """The same call by PyPI grpcio, whose outcome is the one that all others must have."""
    def serialize(message):
        return message.SerializeToString()
    kind = channel.unary_stream if call.streams else channel.unary_unary
    invoke = kind(call.path, request_serializer=serialize, response_deserializer=call.reply.FromString)
    metadata = [(name, decoded(value) if name.endswith("-bin") else value) for name, value in call.sent_metadata().items()]
    timeout = 60 if call.timeout_seconds is None else call.timeout_seconds
    replies, code, message, trailers = [], "OK", "", []
    try:
        if call.streams:
            made = invoke(call.request, metadata=metadata, timeout=timeout)
            for reply in made:
                replies.append(reply)
        else:
            reply, made = invoke.with_call(call.request, metadata=metadata, timeout=timeout)
            replies.append(reply)
    except grpc.RpcError as error:
        made, code, message = error, error.code().name, error.details()
    pairs = [*(made.initial_metadata() or []), *(made.trailing_metadata() or [])]
    details = status_details(pool, dict(pairs).get("grpc-status-details-bin", b""))
    text = [(name, base64.b64encode(value).decode().rstrip("=") if isinstance(value, bytes) else value) for name, value in pairs]
    return outcome(pool, code, message, details, replies, text)
