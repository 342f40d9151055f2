#!/usr/bin/env python3
"""What gzip costs a server: CPU time per UnaryCall of the interop server, with

    plain      no word of gzip
    again      the same once more: how far two equal things lie apart here
    accepts    a client that takes gzip and gets none
    gzip       messages in gzip, where the shape has large ones: the request, the reply

for small messages, a large request (of hexadecimal digits, of which gzip leaves about half) and a large reply (of zeros, which
compress best). All subjects run in each round, in turn so that a busy minute hits them all; what counts are the ratios within a
round. Standard library only."""

import argparse
import gzip
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from mainstay_system import ROOT
from measure import Servers, cpu_seconds, load_average, pinned, spread, write_figures
from wire import field, varint

UNARY_CALL = "grpc.testing.TestService/UnaryCall"
SMALL, LARGE = 200, 100_000
# Bytes of request and reply, and calls of a round.
SHAPES = {"small": (SMALL, SMALL, 20_000), "large request": (LARGE, SMALL, 2_000), "large reply": (SMALL, LARGE, 2_000)}
ACCEPTS = ["grpc-accept-encoding: gzip"]
VARIANTS = ("plain", "again", "accepts", "gzip")


def request(request_bytes, reply_bytes, compressed):
    """A SimpleRequest with its frame: response_size (2), payload (3) with a body (2), response_compressed (6)."""
    body = "".join(random.Random(1).choices("0123456789abcdef", k=request_bytes)).encode()
    message = b"\x10" + varint(reply_bytes) + field(3, field(2, body))
    if compressed:
        message = gzip.compress(message + field(6, b"\x08\x01"), 1)
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message


def measure(port, pid, body, headers, calls):
    """CPU microseconds of the server for each call."""
    command = ["h2load", f"-n{calls}", "-c16", "-m16", "-t1", "-d", str(body), f"https://127.0.0.1:{port}/{UNARY_CALL}"]
    for header in ["content-type: application/grpc", "te: trailers", *headers]:
        command += ["-H", header]
    before = cpu_seconds(pid)
    output = subprocess.run(pinned(1, command), capture_output=True, text=True, check=True).stdout
    cpu = cpu_seconds(pid) - before
    # A gRPC error is an HTTP success without a body.
    data = int(re.search(r"\((\d+)\) data", output).group(1))
    if f"{calls} succeeded" not in output or data < calls * 20:
        sys.exit(f"the calls fail\n{output}")
    return cpu * 1e6 / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-gzip.json", help="where the figures go")
    options = parser.parse_args()

    load_before, rounds = load_average(), []
    with tempfile.TemporaryDirectory(prefix="mainstay-gzip-") as folder, Servers(folder) as servers:
        port, pid = servers.mainstay()
        subjects = {}
        for shape, (request_bytes, reply_bytes, calls) in SHAPES.items():
            for variant in VARIANTS:
                body = pathlib.Path(folder, f"{shape}-{variant}.bin")
                body.write_bytes(request(request_bytes, reply_bytes, variant == "gzip"))
                headers = {"accepts": ACCEPTS, "gzip": [*ACCEPTS, "grpc-encoding: gzip"]}.get(variant, [])
                subjects[shape, variant] = (body, headers, calls)
        for number in range(options.rounds + 1):
            order = sorted(subjects, reverse=number % 2 == 1)
            done = {key: measure(port, pid, *subjects[key]) for key in order}
            print(f"round {number} of {options.rounds} done", file=sys.stderr)
            if number > 0:  # the first one warms up
                rounds.append(done)

    summary = {}
    print(f"\n{'':<24} {'CPU µs a call':>14} {'of plain':>10} {'min–max':>14}")
    for shape, variant in subjects:
        cost = spread([each[shape, variant] for each in rounds])
        ratio = spread([each[shape, variant] / each[shape, "plain"] for each in rounds])
        summary[f"{shape}, {variant}"] = {"cpu_microseconds_per_call": cost, "of_plain": ratio}
        print(f"{shape + ', ' + variant:<24} {cost['median']:>14.2f} {ratio['median']:>10.3f} "
              f"{ratio['min']:>6.2f}–{ratio['max']:<7.2f}")
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, load_before=load_before, figures=summary)


if __name__ == "__main__":
    main()
