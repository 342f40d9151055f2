"""Health and reflection of one process, asked with PyPI's grpcio-health-checking and grpcio-reflection.

usage: infrastructure.py PORT CA CERT KEY SERVICE|- [ROUTE]

SERVICE is a service that the process must have ("-": none of its own); ROUTE is sent as metadata mainstay-service, for a call through the
gateway. Prints a line for each thing that is not as it should be, and exits with 1 when there is one.
"""
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

port, authority, certificate, key, service = sys.argv[1:6]
metadata = [("mainstay-service", sys.argv[6])] if len(sys.argv) > 6 else []
wrong = []


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check(holds, what):
    if not holds:
        wrong.append(what)


class Route(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Sends the route along with every call, also with those of the reflection client."""

    def send(self, proceed, details, request):
        class Details(grpc.ClientCallDetails):
            pass

        routed = Details()
        routed.method, routed.credentials = details.method, details.credentials
        routed.timeout, routed.wait_for_ready, routed.compression = details.timeout or 30, True, None
        routed.metadata = list(details.metadata or []) + metadata
        return proceed(routed, request)

    def intercept_unary_unary(self, proceed, details, request):
        return self.send(proceed, details, request)

    def intercept_unary_stream(self, proceed, details, request):
        return self.send(proceed, details, request)

    def intercept_stream_stream(self, proceed, details, requests):
        return self.send(proceed, details, requests)


credentials = grpc.ssl_channel_credentials(read(authority), read(key), read(certificate))
channel = grpc.intercept_channel(grpc.secure_channel(f"localhost:{port}", credentials), Route())

# Health
health = health_pb2_grpc.HealthStub(channel)
SERVING, UNKNOWN = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
names = [""] if service == "-" else ["", service]
for name in names:
    check(health.Check(health_pb2.HealthCheckRequest(service=name)).status == SERVING, f"Check {name!r}")
    watching = health.Watch(health_pb2.HealthCheckRequest(service=name))
    check(next(watching).status == SERVING, f"Watch {name!r}")
    watching.cancel()
watching = health.Watch(health_pb2.HealthCheckRequest(service="no.such.Service"))
check(next(watching).status == UNKNOWN, "Watch of an unknown service")
watching.cancel()
try:
    health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    check(False, "Check of an unknown service must fail")
except grpc.RpcError as error:
    check(error.code() == grpc.StatusCode.NOT_FOUND, f"Check of an unknown service: {error.code()}")
if hasattr(health, "List"):
    listed = health.List(health_pb2.HealthListRequest()).statuses
    check(set(names) <= set(listed) and listed[""].status == SERVING, f"List: {listed}")

# Reflection, by the numbers of both versions
NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND.value[0], grpc.StatusCode.INVALID_ARGUMENT.value[0]
Request = reflection.ServerReflectionRequest
for version in ["v1", "v1alpha"]:
    ask = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=Request.SerializeToString,
        response_deserializer=reflection.ServerReflectionResponse.FromString)
    extended = "google.protobuf.FieldOptions"
    questions = [
        Request(host="h", list_services=""),
        Request(file_by_filename="grpc/health/v1/health.proto"),
        Request(file_containing_symbol="grpc.health.v1.Health.Check"),
        Request(file_containing_symbol="grpc.health.v1.HealthCheckResponse.ServingStatus"),
        Request(all_extension_numbers_of_type=extended),
        Request(file_by_filename="no/such.proto"),
        Request(file_containing_symbol="no.such.Symbol"),
        Request(all_extension_numbers_of_type="no.such.Type"),
        Request(file_containing_extension=reflection.ExtensionRequest(containing_type=extended, extension_number=1)),
        Request(),
    ]
    replies = list(ask(iter(questions)))
    check(len(replies) == len(questions), f"{version}: {len(replies)} replies")
    for question, reply in zip(questions, replies):
        check(reply.original_request == question and reply.valid_host == question.host, f"{version}: {reply}")
    services = {entry.name for entry in replies[0].list_services_response.service}
    wanted = {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
    check(wanted | set(names[1:]) <= services, f"{version}: services {services}")
    for reply in replies[1:4]:
        files = [descriptor_pb2.FileDescriptorProto.FromString(file)
                 for file in reply.file_descriptor_response.file_descriptor_proto]
        check([file.name for file in files] == ["grpc/health/v1/health.proto"], f"{version}: {reply}")
    numbers = list(replies[4].all_extension_numbers_response.extension_number)
    check(replies[4].all_extension_numbers_response.base_type_name == extended and numbers, f"{version}: {replies[4]}")
    for reply in replies[5:9]:
        check(reply.error_response.error_code == NOT_FOUND and reply.error_response.error_message, f"{version}: {reply}")
    check(replies[9].error_response.error_code == INVALID, f"{version}: {replies[9]}")
    number = (numbers or [0])[0]
    extension = reflection.ExtensionRequest(containing_type=extended, extension_number=number)
    files = next(ask(iter([Request(file_containing_extension=extension)]))).file_descriptor_response.file_descriptor_proto
    first = descriptor_pb2.FileDescriptorProto.FromString(files[0]) if files else descriptor_pb2.FileDescriptorProto()
    check(number in [entry.number for entry in first.extension], f"{version}: extension {number} in {first.name}")

# The client that others use: it builds whole types from the answers.
database = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(database)
for name in database.get_services():
    if name.startswith("mainstay."):
        check(len(pool.FindServiceByName(name).methods) > 0, f"{name} has no methods")
check(service == "-" or service in database.get_services(), f"{service} is not listed")

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
