"""Asks an operators' listener as a probe and as Prometheus do, and as nobody should.

usage: operators.py PORT starting|serving

Prints a line for each thing that is not as it should be, and exits with 1 when there is one.
"""
import http.client
import socket
import sys

from prometheus_client.parser import text_string_to_metric_families

port, state = int(sys.argv[1]), sys.argv[2]
wrong = []


def check(holds, what):
    if not holds:
        wrong.append(what)


def ask(path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    reply = connection.getresponse()
    return reply.status, reply.read().decode(), reply.headers


def raw(data):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while part := connection.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
        return answer


check(ask("/healthz")[:2] == (200, "ok\n"), "healthz")
check(ask("/readyz")[0] == (200 if state == "serving" else 503), f"readyz {ask('/readyz')}")
check(ask("/readyz?verbose")[0] == (200 if state == "serving" else 503), "readyz with a query")
check(ask("/no")[0] == 404, "unknown path")
check(ask("/healthz", "POST")[0] == 405, "POST")
check(raw(b"\x16\x03\x01garbage\r\n\r\n").startswith(b"HTTP/1.1 400 "), "garbage")
check(raw(b"GET /healthz HTTP/1.1\r\n" + b"x: " + b"y" * 9_000).startswith(b"HTTP/1.1 400 "), "too long")
halves = socket.create_connection(("127.0.0.1", port), timeout=60)
halves.sendall(b"GET /healthz HT")
check(ask("/healthz")[0] == 200, "while another request is unfinished")
halves.sendall(b"TP/1.1\r\nhost: x\r\n\r\n")
check(b"\r\n\r\nok\n" in halves.recv(4096), "a request in two pieces")

status, text, headers = ask("/metrics")
check(status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4"), f"metrics {status} {headers}")
families = {family.name: family for family in text_string_to_metric_families(text)}
for side in ["server_call", "client_attempt"]:
    for name in ["started", "duration_seconds", "sent_total_compressed_message_size_bytes",
                 "rcvd_total_compressed_message_size_bytes"]:
        check(f"grpc_{side}_{name}" in families, f"no grpc_{side}_{name} in {sorted(families)}")
reasons = {sample.labels["reason"]: sample.value for sample in families["mainstay_connections_refused"].samples}
check(reasons == {"maximum": 0, "address_connections": 0, "address_rate": 0, "handshakes": 0}, f"refused {reasons}")
check("mainstay_connections_open" in families, "no mainstay_connections_open")
if state == "serving" and not wrong:
    check_method = "grpc.health.v1.Health/Check"
    started = [sample.value for sample in families["grpc_server_call_started"].samples
               if sample.labels == {"grpc_method": check_method}]
    check(started == [3], f"started {started}")
    for code, calls in [("OK", 2), ("NOT_FOUND", 1)]:
        labels = {"grpc_method": check_method, "grpc_status": code}
        samples = [sample for sample in families["grpc_server_call_duration_seconds"].samples
                   if labels.items() <= sample.labels.items()]
        buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
        counts = [sample.value for sample in samples if sample.name.endswith("_count")]
        check(len(buckets) == 42 and buckets == sorted(buckets) and buckets[-1] == calls, f"{code}: {buckets}")
        check(counts == [calls], f"{code}: {counts}")
    targets = {sample.labels["grpc_target"] for sample in families["grpc_client_attempt_started"].samples}
    check(len(targets) == 1, f"targets {targets}")

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
