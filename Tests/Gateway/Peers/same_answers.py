"""The same call by every peer, and the same answer: grpcio, curl, frames of h2 and a browser's fetch, in gRPC, the Connect protocol and
gRPC-Web.

same_answers.py GATEWAY_PORT CA PAGE_PORT KEY

GATEWAY_PORT has grpc.testing.TestService for everybody and mainstay.customer.v1.CustomerService for who shows a token signed with KEY,
and lets pages of http://127.0.0.1:PAGE_PORT call. Without Chromium the browser is left out, and the last line says so. Exit code 1 if an outcome is
another than grpcio's.
"""

import base64
import sys
import time
import uuid

import grpc
import jwt
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from protocols import Call, Connect, GRPCWeb, by_grpcio
from transports import Browser, Curl, Frames

TESTING = "grpc.testing."
CUSTOMER = "mainstay.customer.v1."
BINARY = base64.b64encode(bytes([0, 255, 128, 10])).decode().rstrip("=")


class Pool:
    """The messages that the gateway's reflection tells of."""

    def __init__(self, channel):
        self.pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def new(self, name, **fields):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))(**fields)

    def call(self, name, package, method, request, fields, reply, **options):
        service = "TestService" if package == TESTING else "CustomerService"
        return Call(
            name, f"/{package}{service}/{method}", self.new(package + request, **fields),
            message_factory.GetMessageClass(self.pool.FindMessageTypeByName(package + reply)), **options)


class Tokens:
    """Those of an issuer that is not ours."""

    def __init__(self, key):
        with open(key, encoding="ascii") as file:
            self.key = file.read()

    def of(self, role):
        def token():
            now = int(time.time())
            claims = {"iss": "https://login.example", "aud": "mainstay", "sub": "mei.lin", "roles": [role], "iat": now, "exp": now + 240}
            return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": "peers"})
        return token


def calls(pool, tokens):
    def unary(name, fields, method="UnaryCall", may_get=True, **options):
        return pool.call(name, TESTING, method, "SimpleRequest", fields, "SimpleResponse", may_get=may_get, **options)

    def outputs(name, fields, **options):
        return pool.call(
            name, TESTING, "StreamingOutputCall", "StreamingOutputCallRequest", fields, "StreamingOutputCallResponse", streams=True,
            **options)

    def party(name, method, request, fields, reply="Party", role="back-office"):
        return pool.call(name, CUSTOMER, method, request, fields, reply, token=tokens.of(role) if role else None)

    def create(name, source_key, **fields):
        # Each peer makes the same call once more, so that it gets the first answer.
        made = {"source": "desk", "source_key": source_key, **fields}
        return party(name, "CreateParty", "CreatePartyRequest", {"party": made, "request_id": str(uuid.uuid4())})

    yield unary("a reply of three bytes", {"response_size": 3})
    yield unary("an empty reply", {})
    yield unary("a large reply", {"response_size": 300_000, "payload": {"body": bytes(range(256)) * 200}}, may_get=False)
    yield unary("metadata", {"response_size": 1}, metadata={"x-grpc-test-echo-initial": "hello there", "x-grpc-test-echo-trailing-bin": BINARY})
    yield unary("details", {"response_size": -1})
    for code in range(1, 17):
        yield unary(f"code {code}", {"response_status": {"code": code, "message": f"no {code}: \"事\", 100 %\tor\nso ✓"}})
    yield unary("an unknown method", {}, method="NoSuchCall")
    yield unary("time enough", {"response_size": 2}, timeout_seconds=60)
    yield outputs("a stream", {"response_parameters": [{"size": size} for size in (3, 0, 70_000, 5)]})
    yield outputs("a stream of nothing", {})
    yield outputs("a stream that fails", {"response_parameters": [{"size": 4}], "response_status": {"code": 9, "message": "enough"}})
    yield outputs("a stream that is late", {"response_parameters": [{"size": 1}, {"size": 1, "interval_us": 2_000_000_000}]}, timeout_seconds=2)
    yield create("a person", str(uuid.uuid4()), person={"family_name": "王", "given_name": "小明", "birth_date": {"year": 1980, "month": 2, "day": 29}})
    yield create("a company", str(uuid.uuid4()), company={"name": "Ängström & Söhne <GmbH>"}, phones=["+86 138 0000 0000", "\u2028"])
    yield create("many bad fields", "", identifiers=[{"value": ""}], phones=[""], person={"birth_date": {"year": 2023, "month": 2, "day": 30}})
    yield party("nobody", "GetParty", "GetPartyRequest", {"party_id": "par_00000000000000000000000000"})
    yield party("without a token", "GetParty", "GetPartyRequest", {"party_id": "par_00000000000000000000000000"}, role=None)
    yield party("without the role", "GetParty", "GetPartyRequest", {"party_id": "par_00000000000000000000000000"}, role="gardener")
    yield party("no id", "GetParty", "GetPartyRequest", {"party_id": "?"})
    yield party("a page", "ListParties", "ListPartiesRequest", {"page_size": 1}, "ListPartiesResponse")
    yield party("a mask", "UpdateParty", "UpdatePartyRequest", {"party": {"party_id": "?"}, "update_mask": {"paths": ["person.given_name", "nothing"]}})


class Comparison:
    def __init__(self, channel, pool, tokens):
        self.pool = pool
        self.calls = list(calls(pool, tokens))
        self.expected = [by_grpcio(channel, call, pool) for call in self.calls]
        self.compared = self.wrong = 0

    def judge(self, index, peer, protocol, response):
        call, expected = self.calls[index], self.expected[index]
        self.compared += 1
        try:
            seen = protocol.decode(call, response, self.pool)
        except Exception as error:
            seen = f"{error!r}: {str(response)[:800]}"
        if seen != expected:
            self.wrong += 1
            print(f"{call.name}, {protocol.name} by {peer.name}:\n  {str(seen)[:1500]}\nnot as grpcio:\n  {str(expected)[:1500]}", file=sys.stderr)

    def run(self, peer, protocols):
        for protocol in protocols:
            for index, call in enumerate(self.calls):
                if protocol.takes(call):
                    self.judge(index, peer, protocol, peer.send(protocol.encode(call)))

    def run_browser(self, browser, protocols):
        pairs = [(index, protocol) for protocol in protocols for index, call in enumerate(self.calls) if protocol.takes(call)]
        responses = browser.send([protocol.encode(self.calls[index]) for index, protocol in pairs])
        for (index, protocol), response in zip(pairs, responses, strict=True):
            self.judge(index, browser, protocol, response)
        # A page that is not named may not even see that there is an answer.
        for response in browser.send([GRPCWeb(False).encode(self.calls[0]), Connect("json").encode(self.calls[0])], host="localhost"):
            if not isinstance(response, str) or "Failed to fetch" not in response:
                self.wrong += 1
                print(f"a page of another origin got {response}", file=sys.stderr)


def main(port, authority, page_port, key):
    with open(authority, "rb") as file:
        channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(file.read()))
    comparison = Comparison(channel, Pool(channel), Tokens(key))
    codes = {outcome["code"] for outcome in comparison.expected}
    assert len(codes) == 17, f"not every code came up: {sorted(codes)}"
    assert sum(bool(outcome["details"]) for outcome in comparison.expected) >= 4, "there are too few details to compare"
    every = [Connect("json"), Connect("proto"), Connect("json", get=True), Connect("proto", get=True), GRPCWeb(False), GRPCWeb(True)]
    comparison.run(Frames(port, authority), every)
    comparison.run(Curl(port, authority), [Connect("json"), Connect("json", get=True), GRPCWeb(True)])
    if Browser.program():
        comparison.run_browser(Browser(port, page_port), every)
    print(f"{comparison.compared} compared, {comparison.wrong} differ{'' if Browser.program() else '; no Chromium here, so none by a browser'}")
    sys.exit(1 if comparison.wrong else 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
