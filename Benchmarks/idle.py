#!/usr/bin/env python3
"""What an idle TLS connection costs: resident memory of each server before and with 10,000 connections that mainstay-load
holds open, divided by their number. Standard library only."""

import argparse
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from mainstay_system import ROOT
from measure import BINARIES, Servers, allow_many_descriptors, load_average, pinned, resident_bytes, write_figures

# Descriptors that a server needs beside its connections.
SPARE_DESCRIPTORS = 200
# Longest time until all connections stand.
CONNECT_SECONDS = 600
# A server may close descriptors of its start meanwhile.
TOLERANCE = 0.001
# The RPC stack may take this much for each connection.
LIMIT_KIB = 60


def open_descriptors(pid):
    """How many files and sockets a process has."""
    return sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())


def await_connections(pid, descriptors, holder):
    """Returns when a server has so many descriptors that a client opens; ends the program if it does not come to that."""
    end = time.monotonic() + CONNECT_SECONDS
    while open_descriptors(pid) < descriptors * (1 - TOLERANCE):
        if holder.poll() is not None:
            sys.exit(f"mainstay-load ended: {holder.stderr.read()}")
        if time.monotonic() > end:
            sys.exit(f"only {open_descriptors(pid)} of {descriptors} descriptors after {CONNECT_SECONDS} s")
        time.sleep(0.1)
    # The last handshakes end.
    time.sleep(1)


def measure(servers, port, pid, connections):
    """KiB for each connection."""
    before, descriptors = resident_bytes(pid), open_descriptors(pid)
    holder = subprocess.Popen(
        pinned(1, [str(BINARIES / "mainstay-load"), "grpc.testing.TestService/EmptyCall", "--target", f"localhost:{port}",
                   "--ca", servers.certificate, "--connections", str(connections), "--rate", "1", "--duration", "10m"]),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        await_connections(pid, descriptors + connections, holder)
        return (resident_bytes(pid) - before) / connections / 1024
    finally:
        holder.send_signal(signal.SIGINT)
        holder.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-idle.json", help="where the figures go")
    options = parser.parse_args()
    if options.connections + SPARE_DESCRIPTORS > allow_many_descriptors():
        sys.exit("too few descriptors for so many connections; raise the limit with ulimit -n, or give --connections")

    figures = {}
    with tempfile.TemporaryDirectory(prefix="mainstay-idle-") as folder, Servers(folder) as servers:
        starts = {"rpc-stack": servers.mainstay, "grpc-c++": servers.grpc_cpp,
                  "nghttpd": lambda: servers.nghttpd("empty", b"")}
        for name, start in starts.items():
            port, pid = start()
            figures[name] = measure(servers, port, pid, options.connections)
            print(f"{name:<12} {figures[name]:>8.1f} KiB for each of {options.connections:,} idle TLS connections")
    print(f"load of the machine: {load_average():.1f}")
    write_figures(options.json, kib_per_connection=figures, connections=options.connections)
    if figures["rpc-stack"] > LIMIT_KIB:
        sys.exit(f"more than {LIMIT_KIB} KiB for each connection")


if __name__ == "__main__":
    main()
