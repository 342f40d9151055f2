"""PyPI grpcio against a running gateway: what a stock client in any language sees.

usage: grpc_client.py PORT PKI_FOLDER

Messages are made from what the server's reflection says, so nothing here is generated. Prints a line for each check and exits
with 1 when one fails.
"""
import sys
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

port, pki = sys.argv[1], sys.argv[2]


def read(name):
    with open(f"{pki}/{name}", "rb") as file:
        return file.read()


credentials = grpc.ssl_channel_credentials(read("ca.pem"), read("admin-key.pem"), read("admin.pem"))
channel = grpc.secure_channel(f"localhost:{port}", credentials)
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
CUSTOMERS = "mainstay.customer.v1.CustomerService"
EVENTS = "mainstay.platform.v1.EventService"
TO_CUSTOMER = [("mainstay-service", "customer")]


def message(name, **fields):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))(**fields)


def customer(name, **fields):
    return message(f"mainstay.customer.v1.{name}", **fields)


def method(service, name):
    found = pool.FindServiceByName(service).FindMethodByName(name)
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }
    reply = message_factory.GetMessageClass(found.output_type)
    return kinds[found.client_streaming, found.server_streaming](
        f"/{service}/{name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=reply.FromString,
    )


def status(call):
    """Code and error of a call that must fail."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error
    return grpc.StatusCode.OK, None


failures = []


def check(name, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + name + ("" if holds else f": {seen}"))
    if not holds:
        failures.append(name)


def party(key, **fields):
    return customer("Party", source="grpcio", source_key=key, **fields)


key = uuid.uuid4().hex
person = customer("Person", family_name="欧阳", given_name="娜娜")
created = method(CUSTOMERS, "CreateParty")(customer("CreatePartyRequest", party=party(key, person=person)), timeout=30)
check("unary: create", created.party_id.startswith("par_") and created.customer_id.startswith("cus_"), created)
get = method(CUSTOMERS, "GetCustomer")
found = get(customer("GetCustomerRequest", customer_id=created.customer_id), timeout=30)
check("unary: read back", found.display_name == "欧阳娜娜" and found.parties[0].source_key == key, found)

subscribe = method(EVENTS, "Subscribe")
replies = subscribe(
    message("mainstay.platform.v1.SubscribeRequest", until_caught_up=False), metadata=TO_CUSTOMER, timeout=60
)
seen = []
for reply in replies:
    seen += [event.aggregate_id for event in reply.events]
    if created.party_id in seen:
        break
check("server streaming: the event of the creation arrives", created.party_id in seen, seen[-3:])
replies.cancel()
code, error = status(lambda: next(replies))
check("cancellation", code == grpc.StatusCode.CANCELLED, code)

# A stream that has nothing more to say outlasts any deadline.
code, error = status(
    lambda: list(subscribe(message("mainstay.platform.v1.SubscribeRequest"), metadata=TO_CUSTOMER, timeout=0.5))
)
check("deadline exceeded", code == grpc.StatusCode.DEADLINE_EXCEEDED, code)

rows = [
    customer("ImportPartyRow", line=number, party=party(f"{key}-{number}", person=person)) for number in range(1, 251)
]
imports = method(CUSTOMERS, "ImportParties")
requests = (customer("ImportPartiesRequest", source="grpcio", rows=rows[at : at + 100]) for at in range(0, 250, 100))
answers = [answer.created for answer in imports(requests, timeout=60)]
check("bidirectional: one answer for each request", answers == [100, 100, 50], answers)

unknown = channel.unary_unary(f"/{CUSTOMERS}/NoSuchMethod")
code, error = status(lambda: unknown(b"", timeout=30))
check("unknown method", code == grpc.StatusCode.UNIMPLEMENTED, code)
code, error = status(lambda: channel.unary_unary("/mainstay.nowhere.v1.Service/Method")(b"", timeout=30))
check("unknown service", code == grpc.StatusCode.UNIMPLEMENTED, code)
code, error = status(lambda: get(customer("GetCustomerRequest", customer_id="cus_" + "0" * 26), timeout=30))
check("no such customer", code == grpc.StatusCode.NOT_FOUND, code)

bad = customer("Party", source="NOT VALID", source_key="", person=customer("Person", family_name="x" * 300))
code, error = status(lambda: method(CUSTOMERS, "CreateParty")(customer("CreatePartyRequest", party=bad), timeout=30))
check("bad request", code == grpc.StatusCode.INVALID_ARGUMENT, code)
details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
rich = message("google.rpc.Status")
rich.ParseFromString(details)
violations = message("google.rpc.BadRequest")
rich.details[0].Unpack(violations) if rich.details else None
fields = sorted(violation.field for violation in violations.field_violations)
check(
    "bad request: BadRequest names each bad field",
    fields == ["party.person.family_name", "party.source", "party.source_key"] and rich.code == 3,
    fields,
)
code, error = status(lambda: channel.unary_unary(f"/{CUSTOMERS}/GetCustomer")(b"\x0a\x02\xff\xfe", timeout=30))
check("a request that is not UTF-8", code == grpc.StatusCode.INVALID_ARGUMENT, code)

health = health_pb2_grpc.HealthStub(channel)
serving = health_pb2.HealthCheckResponse.SERVING
check("health of the gateway", health.Check(health_pb2.HealthCheckRequest(), timeout=30).status == serving)
of_service = health.Check(health_pb2.HealthCheckRequest(service=CUSTOMERS), metadata=TO_CUSTOMER, timeout=30)
check("health of a service behind it", of_service.status == serving)
first = next(iter(health.Watch(health_pb2.HealthCheckRequest(), timeout=30)))
check("health is watched", first.status == serving)

stranger = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(read("ca.pem")))
code, error = status(lambda: stranger.unary_unary(f"/{CUSTOMERS}/GetCustomer")(b"", timeout=30))
check("no certificate", code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED), code)

print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
