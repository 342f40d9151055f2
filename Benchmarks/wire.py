#!/usr/bin/env python3
"""The RPC stack alone against gRPC C++, on core 0 with the client on core 1, in turn so that a busy minute hits both:

    latency     one UnaryCall at a time on one connection (mainstay-load): p50 of each round
    upload      one StreamingInputCall with messages of 1 MiB (h2load): server CPU per MiB, and MiB per second
    download    one StreamingOutputCall with replies of 1 MiB (h2load): the same

A stream is no faster than its slower end, so the client's own CPU per MiB is given too: it is the most that any server could
reach. Standard library only."""

import argparse
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

from mainstay_system import ROOT
from measure import Servers, cpu_seconds, load, load_average, pinned, spread, write_figures

SERVICE = "grpc.testing.TestService"
MEBIBYTE = 1 << 20
# h2load opens windows of 2^24 bytes, so that the server and not the window is measured.
WINDOW_BITS = "24"


def varint(number):
    """A number as protobuf writes it."""
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number, contents):
    """A field of bytes or of a message."""
    return varint(number << 3 | 2) + varint(len(contents)) + contents


def framed(message):
    """With gRPC's five bytes before it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def upload_body(messages):
    """StreamingInputCallRequests: payload (1) with a body (2) of 1 MiB."""
    return framed(field(1, field(2, bytes(MEBIBYTE)))) * messages


def download_body(messages):
    """One StreamingOutputCallRequest: response_parameters (2) with a size (1) of 1 MiB, many times."""
    return framed(field(2, b"\x08" + varint(MEBIBYTE)) * messages)


def latency(servers, port, options):
    """Microseconds at p50, one call at a time."""
    result = load(servers, port, [f"{SERVICE}/UnaryCall", "--data", '{"responseSize": 200}', "--warm-up", "100ms",
                                  "--calls", str(options.calls)])
    return result["latency_microseconds"]["p50"]


def children_seconds():
    """CPU time of all programs that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def stream(port, pid, method, body, messages, direction):
    """CPU microseconds of the server and of the client for each MiB, and MiB per second."""
    command = ["h2load", "-n1", "-c1", "-m1", "-t1", f"-w{WINDOW_BITS}", f"-W{WINDOW_BITS}", "-d", str(body),
               "-H", "content-type: application/grpc", "-H", "te: trailers", f"https://127.0.0.1:{port}/{SERVICE}/{method}"]
    before, client_before = cpu_seconds(pid), children_seconds()
    output = subprocess.run(pinned(1, command), capture_output=True, text=True, check=True).stdout
    cpu, client_cpu = cpu_seconds(pid) - before, children_seconds() - client_before
    data = int(re.search(r"\((\d+)\) data", output).group(1))
    if "1 succeeded" not in output or data < (messages * MEBIBYTE if direction == "download" else 5):
        sys.exit(f"{method} failed\n{output}")
    # "finished in 123.45ms" counts the handshake too, which is small beside the stream.
    amount, unit = re.search(r"finished in ([\d.]+)(us|ms|s)", output).groups()
    seconds = float(amount) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]
    return {"cpu_microseconds_per_mib": cpu * 1e6 / messages, "mib_per_second": messages / seconds,
            "client_cpu_microseconds_per_mib": client_cpu * 1e6 / messages}


def measure_round(servers, subjects, bodies, options):
    """All measures of all subjects once."""
    done = {}
    for name, (port, pid) in subjects.items():
        done[name] = {"latency": {"p50_microseconds": latency(servers, port, options)}}
    for direction, method in (("upload", "StreamingInputCall"), ("download", "StreamingOutputCall")):
        for name, (port, pid) in subjects.items():
            done[name][direction] = stream(port, pid, method, bodies[direction], options.messages, direction)
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=3_000, help="calls of each latency round")
    parser.add_argument("--messages", type=int, default=256, help="messages of 1 MiB in each stream")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-wire.json", help="where the figures go")
    options = parser.parse_args()

    load_before = load_average()
    with tempfile.TemporaryDirectory(prefix="mainstay-wire-") as folder, Servers(folder) as servers:
        bodies = {}
        for direction, body in (("upload", upload_body(options.messages)), ("download", download_body(options.messages))):
            bodies[direction] = pathlib.Path(folder, f"{direction}.bin")
            bodies[direction].write_bytes(body)
        subjects = {"rpc-stack": servers.mainstay(), "grpc-c++": servers.grpc_cpp()}
        measure_round(servers, subjects, bodies, options)  # warm up
        rounds = []
        for number in range(options.rounds):
            rounds.append(measure_round(servers, dict(sorted(subjects.items(), reverse=number % 2)), bodies, options))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)

    summary, ratios = {}, {}
    print(f"\n{'':<44} {'rpc-stack':>12} {'grpc-c++':>12} {'ratio':>8} {'min–max':>14}")
    for measure, figure in (("latency", "p50_microseconds"), ("upload", "cpu_microseconds_per_mib"),
                            ("upload", "mib_per_second"), ("upload", "client_cpu_microseconds_per_mib"),
                            ("download", "cpu_microseconds_per_mib"), ("download", "mib_per_second"),
                            ("download", "client_cpu_microseconds_per_mib")):
        title = f"{measure} {figure}"
        values = {name: spread([each[name][measure][figure] for each in rounds]) for name in subjects}
        ratio = spread([each["rpc-stack"][measure][figure] / each["grpc-c++"][measure][figure] for each in rounds])
        summary[title], ratios[title] = values, ratio
        print(f"{title:<44} {values['rpc-stack']['median']:>12,.1f} {values['grpc-c++']['median']:>12,.1f} "
              f"{ratio['median']:>8.2f} {ratio['min']:>6.2f}–{ratio['max']:<7.2f}")
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, load_before=load_before, figures=summary, ratios=ratios, rounds=rounds)


if __name__ == "__main__":
    main()
