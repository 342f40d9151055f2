"""gRPC's own interop tests, unchanged, from the folder that scripts/fetch-interop.sh fills.

Usage: interop_suite.py SUITE client PORT CASE...   prints a line per case; exit code 1 if one failed
       interop_suite.py SUITE server                prints its port; ends by a signal
"""
import sys
import traceback
import types
from concurrent import futures

import grpc

suite, role, *arguments = sys.argv[1:]
sys.path.insert(0, suite)
# The suite also has cases that log in to a cloud, and imports what they need. They are not run here.
for name in ("google.auth", "google.auth.jwt", "google.auth.environment_vars", "google.auth.transport",
             "google.auth.transport.grpc", "google.auth.transport.requests"):
    module = sys.modules[name] = types.ModuleType(name)
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent] if parent in sys.modules else __import__(parent), child, module)

from src.proto.grpc.testing import test_pb2_grpc  # noqa: E402
from tests.interop import client, resources, service  # noqa: E402


def passes(port, case):
    sys.argv = ["client", f"--server_port={port}", "--server_host=127.0.0.1", f"--test_case={case}", "--use_tls=true",
                "--use_test_ca=true", "--server_host_override=foo.test.google.fr"]
    try:
        client.test_interoperability()
        print("passed", case)
        return True
    except Exception:  # a case that fails must not hide the others
        print("FAILED", case)
        traceback.print_exc(file=sys.stdout)
        return False


if role == "client":
    results = [passes(arguments[0], case) for case in arguments[1:]]
    sys.exit(0 if results and all(results) else 1)

server = grpc.server(futures.ThreadPoolExecutor(16))
test_pb2_grpc.add_TestServiceServicer_to_server(service.TestService(), server)
credentials = grpc.ssl_server_credentials([(resources.private_key(), resources.certificate_chain())])
print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
server.start()
server.wait_for_termination()
