#!/usr/bin/env python3
"""CPU time and allocations per call, with replies of the same size. All subjects run in each round, one after another, so
that a busy minute hits them all; what counts are the ratios within a round. Standard library only.

    rpc-stack            Mainstay's gRPC without a database: grpc.testing UnaryCall, a body of 200 bytes
    grpc-c++             the same call answered by gRPC C++
    nghttpd              a static file of the same size: the floor for TLS and HTTP/2
    customer             GetCustomer of the customer service, read from its database
    gateway              the same through the gateway; its own time, and the time of both
    grpc-c++ customer    GetCustomer of a server in gRPC C++ with a constant reply

Servers run on core 0, h2load on core 1. Allocations are counted in a run of their own, which is not timed.
"""

import argparse
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

from mainstay_system import ROOT, Mainstay
from measure import PEERS, Servers, cpu_seconds, load_average, pinned, spread, write_figures

GET_CUSTOMER = "mainstay.customer.v1.CustomerService/GetCustomer"
UNARY_CALL = "grpc.testing.TestService/UnaryCall"
# A SimpleRequest for a body of 200 bytes: field 2, response_size.
UNARY_REQUEST = b"\x10\xc8\x01"
# What that call's reply has on the wire: two fields around the body, and gRPC's five bytes.
UNARY_REPLY_BYTES = 211
GRPC_HEADERS = ["content-type: application/grpc", "te: trailers"]


class Subject:
    """What is measured: a URL, and the processes that answer it. The first process is the one the subject is named after."""

    def __init__(self, name, url, pids, body=None, reply_bytes=None, headers=()):
        self.name, self.url, self.pids, self.body, self.reply_bytes = name, url, pids, body, reply_bytes
        self.headers = headers


def measure(subject, calls, connections, streams):
    """One run of h2load: calls per second, and CPU microseconds per call for each process."""
    command = ["h2load", f"-n{calls}", f"-c{connections}", f"-m{streams}", "-t1"]
    if subject.body:
        command += ["-d", str(subject.body)]
        for header in [*GRPC_HEADERS, *subject.headers]:
            command += ["-H", header]
    before = {name: cpu_seconds(pid) for name, pid in subject.pids.items()}
    output = subprocess.run(pinned(1, command + [subject.url]), capture_output=True, text=True, check=True).stdout
    after = {name: cpu_seconds(pid) for name, pid in subject.pids.items()}

    succeeded = int(re.search(r"(\d+) succeeded", output).group(1))
    data = int(re.search(r"\((\d+)\) data", output).group(1))
    if succeeded != calls:
        sys.exit(f"{subject.name}: only {succeeded} of {calls} calls succeeded\n{output}")
    # A gRPC error is an HTTP success without a body.
    if data < calls * (subject.reply_bytes or 100):
        sys.exit(f"{subject.name}: replies are too short ({data / calls:.0f} bytes each): the calls fail")
    return {
        "calls_per_second": float(re.search(r"([\d.]+) req/s", output).group(1)),
        "reply_bytes": data / calls,
        "cpu_microseconds": {name: (after[name] - before[name]) * 1e6 / calls for name in subject.pids},
    }


def grpc_frame(message):
    """A message with gRPC's five bytes before it: not compressed, length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def body_file(folder, name, message):
    """A file with a request as it stands on the wire."""
    path = pathlib.Path(folder, f"{name}.bin")
    path.write_bytes(grpc_frame(message))
    return path


def get_customer(customer_id):
    """GetCustomerRequest: field 1, a string."""
    text = customer_id.encode()
    return b"\x0a" + bytes([len(text)]) + text


def peer_subjects(servers):
    """Mainstay's gRPC alone, gRPC C++, and nghttpd."""
    body = body_file(servers.folder, "unary-call", UNARY_REQUEST)
    port, pid = servers.mainstay()
    yield Subject("rpc-stack", f"https://127.0.0.1:{port}/{UNARY_CALL}", {"rpc-stack": pid}, body)
    port, pid = servers.grpc_cpp()
    yield Subject("grpc-c++", f"https://127.0.0.1:{port}/{UNARY_CALL}", {"grpc-c++": pid}, body)
    port, pid = servers.nghttpd("reply.bin", os.urandom(UNARY_REPLY_BYTES))
    yield Subject("nghttpd", f"https://127.0.0.1:{port}/reply.bin", {"nghttpd": pid}, None, UNARY_REPLY_BYTES)


def allocations(servers, options):
    """Allocations per call of the two gRPC servers, by a library that counts them."""
    body = body_file(servers.folder, "unary-call", UNARY_REQUEST)
    counted = {}
    for name, start in (("rpc-stack", servers.mainstay), ("grpc-c++", servers.grpc_cpp)):
        path = pathlib.Path(servers.folder, f"{name}.allocations")
        port, pid = start(environment={"LD_PRELOAD": str(PEERS / "allocations.so"), "ALLOCATIONS_FILE": str(path)})
        subject = Subject(name, f"https://127.0.0.1:{port}/{UNARY_CALL}", {name: pid}, body)
        totals = []
        # The difference of two runs is free of what connections take.
        for calls in (10_000, 30_000):
            before = struct.unpack("Q", path.read_bytes())[0]
            measure(subject, calls, options.connections, options.streams)
            totals.append(struct.unpack("Q", path.read_bytes())[0] - before)
        counted[name] = (totals[1] - totals[0]) / 20_000
    return counted


def mainstay_subjects(mainstay, folder):
    """The customer service itself, and through the gateway. The gateway's subject knows both processes."""
    body = body_file(folder, "customer", get_customer(mainstay.create_customer()))
    customer, gateway = mainstay.pid("customer"), mainstay.pid("gateway")
    yield Subject("customer", f"https://127.0.0.1:{mainstay.port('customer')}/{GET_CUSTOMER}", {"customer": customer}, body)
    yield Subject(
        "gateway", f"https://127.0.0.1:{mainstay.port('gateway')}/{GET_CUSTOMER}",
        {"gateway": gateway, "customer": customer}, body)


def figures(rounds):
    """Per subject: calls per second, own CPU per call, and the CPU of all its processes together."""
    summary = {}
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        own = [run["cpu_microseconds"][name] for run in runs]
        total = [sum(run["cpu_microseconds"].values()) for run in runs]
        summary[name] = {
            "calls_per_second": spread([run["calls_per_second"] for run in runs]),
            "cpu_microseconds_per_call": spread(own),
            "cpu_microseconds_per_call_with_upstream": spread(total),
            "reply_bytes": runs[0]["reply_bytes"],
        }
    return summary


def ratios(rounds):
    """CPU per call against each other, taken within each round."""
    def ratio(a, b, all_of_a=False):
        def cpu(run, name):
            values = run[name]["cpu_microseconds"]
            return sum(values.values()) if all_of_a and name == a else values[name]
        return spread([cpu(run, a) / cpu(run, b) for run in rounds])

    wanted = {
        "grpc-c++ / rpc-stack": ("grpc-c++", "rpc-stack"),
        "rpc-stack / nghttpd": ("rpc-stack", "nghttpd"),
        "grpc-c++ customer / customer with its database": ("grpc-c++ customer", "customer"),
        "customer / rpc-stack": ("customer", "rpc-stack"),
        "customer / nghttpd": ("customer", "nghttpd"),
        "gateway alone / grpc-c++ customer": ("gateway", "grpc-c++ customer"),
        "gateway and customer / customer": ("gateway", "customer", True),
    }
    return {title: ratio(*parts) for title, parts in wanted.items() if all(name in rounds[0] for name in parts[:2])}


def show(summary, compared):
    print(f"\n{'subject':<18} {'calls/s':>10} {'CPU µs/call':>14} {'min–max':>16} {'with upstream':>15} {'reply bytes':>12}")
    for name, figure in summary.items():
        own, total = figure["cpu_microseconds_per_call"], figure["cpu_microseconds_per_call_with_upstream"]
        print(f"{name:<18} {figure['calls_per_second']['median']:>10,.0f} {own['median']:>14.1f} "
              f"{own['min']:>8.1f}–{own['max']:<7.1f} {total['median']:>15.1f} {figure['reply_bytes']:>12.0f}")
    print(f"\n{'ratio of CPU per call':<46} {'median':>8} {'min–max':>16}")
    for title, value in compared.items():
        print(f"{title:<46} {value['median']:>8.2f} {value['min']:>8.2f}–{value['max']:<7.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=30_000, help="calls per subject and round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--streams", type=int, default=16, help="concurrent calls per connection")
    parser.add_argument("--peers-only", action="store_true", help="leave the services out")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench.json", help="where the figures go")
    options = parser.parse_args()

    mainstay, load_before = None, load_average()
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as folder, Servers(folder) as servers:
        try:
            subjects = list(peer_subjects(servers))
            if not options.peers_only:
                mainstay = Mainstay(folder, core=0)
                subjects += mainstay_subjects(mainstay, folder)
                port, pid = servers.grpc_cpp("customer-server")
                body = body_file(folder, "peer-customer", get_customer("cus_01JABCDEFGHJKMNPQRSTVWXYZ0"))
                name = "grpc-c++ customer"
                subjects.append(Subject(name, f"https://127.0.0.1:{port}/{GET_CUSTOMER}", {name: pid}, body))

            for subject in subjects:
                measure(subject, 10_000, options.connections, options.streams)  # warm up
            rounds = []
            for number in range(options.rounds):
                turned = subjects[number % len(subjects):] + subjects[:number % len(subjects)]
                done = {each.name: measure(each, options.calls, options.connections, options.streams) for each in turned}
                rounds.append({each.name: done[each.name] for each in subjects})
                print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
            counted = allocations(servers, options)
        finally:
            if mainstay:
                mainstay.stop()

    summary, compared = figures(rounds), ratios(rounds)
    show(summary, compared)
    print("\nallocations per call: " + ", ".join(f"{name} {count:.1f}" for name, count in counted.items()))
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(
        options.json, load_before=load_before,
        options={"rounds": options.rounds, "calls": options.calls, "connections": options.connections,
                 "streams": options.streams},
        subjects=summary, ratios=compared, allocations=counted, rounds=rounds)


if __name__ == "__main__":
    main()
