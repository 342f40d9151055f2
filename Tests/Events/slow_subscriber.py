"""Subscribes to a service's events with PyPI grpcio, reads a little and then nothing until it is told to go on; then reads on, is
cut off, resumes with the token of the last answer that it has read, and reads to the end.

usage: slow_subscriber.py PROTO_FOLDER AUTHORITY CERTIFICATE KEY PORT FILE

Prints "waiting" when it stops reading, reads on as soon as the file is there, and prints the ids of all events and the
status that cut it off.
"""
import os
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

protos = os.path.abspath(sys.argv[1])
authority, certificate, key, port, signal = sys.argv[2:]
generated = tempfile.TemporaryDirectory()
names = ["mainstay/platform/v1/events.proto", "mainstay/platform/v1/options.proto"]
options = ["protoc", f"-I{protos}", f"-I{os.path.dirname(protoc.__file__)}/_proto"]
if protoc.main(options + [f"--python_out={generated.name}", f"--grpc_python_out={generated.name}"] + names):
    sys.exit("protoc fails")
sys.path.insert(0, generated.name)
from mainstay.platform.v1 import events_pb2, events_pb2_grpc  # noqa: E402


def read(path):
    with open(path, "rb") as file:
        return file.read()


credentials = grpc.ssl_channel_credentials(read(authority), read(key), read(certificate))
# gRPC would otherwise let the window grow to what this machine's loopback takes, which is more than the test sends.
channel = grpc.secure_channel(f"localhost:{port}", credentials, options=[("grpc.http2.bdp_probe", 0)])
stub = events_pb2_grpc.EventServiceStub(channel)

stream = stub.Subscribe(events_pb2.SubscribeRequest(), timeout=300)
first = next(stream)
seen = [event.event_id for event in first.events]
token = first.resume_token
print("waiting", flush=True)
while not os.path.exists(signal):
    time.sleep(0.02)
try:
    for page in stream:
        seen += [event.event_id for event in page.events]
        token = page.resume_token
except grpc.RpcError as error:
    print("cut", error.code().name, error.details())
for page in stub.Subscribe(events_pb2.SubscribeRequest(resume_token=token, until_caught_up=True), timeout=300):
    seen += [event.event_id for event in page.events]
for event in seen:
    print(event)
