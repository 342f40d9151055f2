#!/usr/bin/env python3
"""CPU time per call, with replies of the same size. All subjects run in each round, one after another, so that a busy
minute hits them all; what counts are the ratios within a round. Standard library only.

    customer    GetCustomer of the customer service, read from its database
    gateway     the same through the gateway; its own time, and the time of both
    rpc-stack   Mainstay's gRPC without a database: UnaryCall of the interop server
    grpc-c++    GetCustomer of a server in gRPC C++ with a constant reply: to be compared with rpc-stack
    nghttpd     a static file: the floor for TLS and HTTP/2

Servers run on core 0, h2load on core 1. CPU time is user + system time of the server process from /proc/PID/stat.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

from mainstay_system import ROOT, Mainstay, free_port, wait_for_port

GET_CUSTOMER = "mainstay.customer.v1.CustomerService/GetCustomer"
UNARY_CALL = "grpc.testing.TestService/UnaryCall"
# A SimpleRequest for a reply of 221 bytes in all, about what a small customer takes: field 2, response_size, 215.
UNARY_REQUEST = b"\x10\xd7\x01"
GRPC_HEADERS = ["content-type: application/grpc", "te: trailers"]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Subject:
    """What is measured: a URL, and the processes that answer it. The first process is the one the subject is named after."""

    def __init__(self, name, url, pids, body=None, reply_bytes=None):
        self.name, self.url, self.pids, self.body, self.reply_bytes = name, url, pids, body, reply_bytes


def pinned(core, command):
    """The command on one core, where there are two."""
    return ["taskset", "-c", str(core), *command] if os.cpu_count() > 1 else command


def cpu_seconds(pid):
    """User and system time of a process; the name in the second field may hold blanks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def measure(subject, calls, connections, streams):
    """One run of h2load: calls per second, and CPU microseconds per call for each process."""
    command = ["h2load", f"-n{calls}", f"-c{connections}", f"-m{streams}", "-t1"]
    if subject.body:
        command += ["-d", str(subject.body)]
        for header in GRPC_HEADERS:
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


def self_signed_certificate(folder):
    """For the peers: ECDSA P-256, as Mainstay's."""
    certificate, key = f"{folder}/peer.pem", f"{folder}/peer-key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return certificate, key


def start(processes, command, port):
    """Starts a peer on core 0 and waits until it listens."""
    process = subprocess.Popen(pinned(0, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    processes.append(process)
    wait_for_port(port, process)
    return process.pid


def start_peers(processes, folder, reply_bytes):
    """Mainstay's gRPC alone, gRPC C++, and nghttpd."""
    certificate, key = self_signed_certificate(folder)
    port = free_port()
    server = str(ROOT / ".build/release/mainstay-interop")
    pid = start(processes, [server, "server", "--port", str(port), "--cert", certificate, "--key", key], port)
    body = body_file(folder, "unary-call", UNARY_REQUEST)
    yield Subject("rpc-stack", f"https://127.0.0.1:{port}/{UNARY_CALL}", {"rpc-stack": pid}, body)

    port = free_port()
    server = str(ROOT / "Benchmarks/peers/build/customer-server")
    pid = start(processes, [server, str(port), certificate, key], port)
    body = body_file(folder, "peer-customer", get_customer("cus_01JABCDEFGHJKMNPQRSTVWXYZ0"))
    yield Subject("grpc-c++", f"https://127.0.0.1:{port}/{GET_CUSTOMER}", {"grpc-c++": pid}, body)

    port = free_port()
    site = pathlib.Path(folder, "site")
    site.mkdir()
    (site / "customer.bin").write_bytes(os.urandom(reply_bytes))
    pid = start(processes, ["nghttpd", "-n1", "-d", str(site), str(port), key, certificate], port)
    yield Subject("nghttpd", f"https://127.0.0.1:{port}/customer.bin", {"nghttpd": pid}, None, reply_bytes)


def mainstay_subjects(mainstay, folder):
    """The customer service itself, and through the gateway. The gateway's subject knows both processes."""
    body = body_file(folder, "customer", get_customer(mainstay.create_customer()))
    customer, gateway = mainstay.pid("customer"), mainstay.pid("gateway")
    yield Subject("customer", f"https://127.0.0.1:{mainstay.port('customer')}/{GET_CUSTOMER}", {"customer": customer}, body)
    yield Subject(
        "gateway", f"https://127.0.0.1:{mainstay.port('gateway')}/{GET_CUSTOMER}",
        {"gateway": gateway, "customer": customer}, body)


def spread(values):
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


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
        "grpc-c++ / customer with its database": ("grpc-c++", "customer"),
        "customer / rpc-stack": ("customer", "rpc-stack"),
        "customer / nghttpd": ("customer", "nghttpd"),
        "gateway alone / grpc-c++": ("gateway", "grpc-c++"),
        "gateway and customer / customer": ("gateway", "customer", True),
    }
    return {title: ratio(*parts) for title, parts in wanted.items() if all(name in rounds[0] for name in parts[:2])}


def show(summary, compared):
    print(f"\n{'subject':<12} {'calls/s':>10} {'CPU µs/call':>14} {'min–max':>16} {'with upstream':>15} {'reply bytes':>12}")
    for name, figure in summary.items():
        own, total = figure["cpu_microseconds_per_call"], figure["cpu_microseconds_per_call_with_upstream"]
        print(f"{name:<12} {figure['calls_per_second']['median']:>10,.0f} {own['median']:>14.1f} "
              f"{own['min']:>8.1f}–{own['max']:<7.1f} {total['median']:>15.1f} {figure['reply_bytes']:>12.0f}")
    print(f"\n{'ratio of CPU per call':<42} {'median':>8} {'min–max':>16}")
    for title, value in compared.items():
        print(f"{title:<42} {value['median']:>8.2f} {value['min']:>8.2f}–{value['max']:<7.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100_000, help="calls per subject and round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--streams", type=int, default=16, help="concurrent calls per connection")
    parser.add_argument("--peers-only", action="store_true", help="leave Mainstay out")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench.json", help="where the figures go")
    options = parser.parse_args()

    processes, mainstay = [], None
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as folder:
        try:
            subjects = []
            if not options.peers_only:
                mainstay = Mainstay(folder, core=0)
                subjects += mainstay_subjects(mainstay, folder)
                reply = measure(subjects[0], 1_000, options.connections, options.streams)["reply_bytes"]
            else:
                reply = 226
            subjects += start_peers(processes, folder, round(reply))

            for subject in subjects:
                measure(subject, max(options.calls // 10, 1_000), options.connections, options.streams)  # warm up
            rounds = []
            for number in range(options.rounds):
                turned = subjects[number % len(subjects):] + subjects[:number % len(subjects)]
                done = {each.name: measure(each, options.calls, options.connections, options.streams) for each in turned}
                rounds.append({each.name: done[each.name] for each in subjects})
                print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
            if mainstay:
                mainstay.stop()

    summary, compared = figures(rounds), ratios(rounds)
    show(summary, compared)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
        "options": {"rounds": options.rounds, "calls": options.calls, "connections": options.connections,
                    "streams": options.streams},
        "subjects": summary, "ratios": compared, "rounds": rounds,
    }, indent=2) + "\n")
    print(f"\nFigures: {options.json}")


if __name__ == "__main__":
    main()
