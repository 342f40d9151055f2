"""The messages of grpc.testing for the scripts beside this one: made from proto/ at run time, so that nothing is generated."""
import pathlib
import tempfile

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

SERVICE = "grpc.testing.TestService"


def _pool():
    repository = pathlib.Path(__file__).resolve().parents[2]
    included = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "test.pb"
        code = protoc.main(
            ["protoc", f"-I{repository}/proto", f"-I{included}", "--include_imports",
             f"--descriptor_set_out={target}", "grpc/testing/test.proto", "google/rpc/error_details.proto",
             "google/rpc/status.proto"])
        if code != 0:
            raise SystemExit("the protos do not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


_messages = _pool()


def message(name):
    """The class of a message, by its full name or the name that it has in grpc.testing."""
    full = name if "." in name else f"grpc.testing.{name}"
    return message_factory.GetMessageClass(_messages.FindMessageTypeByName(full))


Any = message("google.protobuf.Any")
BadRequest = message("google.rpc.BadRequest")
Status = message("google.rpc.Status")
BoolValue = message("BoolValue")
Empty = message("Empty")
Payload = message("Payload")
EchoStatus = message("EchoStatus")
SimpleRequest = message("SimpleRequest")
SimpleResponse = message("SimpleResponse")
InputRequest = message("StreamingInputCallRequest")
InputResponse = message("StreamingInputCallResponse")
OutputRequest = message("StreamingOutputCallRequest")
OutputResponse = message("StreamingOutputCallResponse")
Parameters = message("ResponseParameters")
