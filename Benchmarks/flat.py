#!/usr/bin/env python3
"""Memory under load must be flat: mainstay-load calls the interop server for long, with connections that come and go, and the
server's resident memory after a tenth of the time is compared with the end. Standard library only."""

import argparse
import subprocess
import sys
import tempfile
import time

from measure import BINARIES, Servers, load_average, pinned, resident_bytes

# Memory may still grow this much: allocators settle slowly.
GROWTH_LIMIT = 1.10
# Bytes that are no growth worth a word in a process of a few megabytes.
SLACK_BYTES = 2 << 20
# Each run of mainstay-load lasts so long; then come new connections.
RUN_SECONDS = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    samples, runs = [], 0
    with tempfile.TemporaryDirectory(prefix="mainstay-flat-") as folder, Servers(folder) as servers:
        port, pid = servers.mainstay()
        begin = time.monotonic()
        while time.monotonic() - begin < options.seconds:
            # Small and large replies, and requests that are filled in anew.
            seconds = min(RUN_SECONDS, max(1, options.seconds // 10))
            subprocess.run(
                pinned(1, [
                    str(BINARIES / "mainstay-load"), "grpc.testing.TestService/UnaryCall", "--target", f"localhost:{port}",
                    "--ca", servers.certificate, "--data", '{"responseSize": "{{random:0:5000}}"}', "--connections", "16",
                    "--streams", "16", "--duration", f"{seconds}s"]),
                check=True, stdout=subprocess.DEVNULL)
            runs += 1
            samples.append((time.monotonic() - begin, resident_bytes(pid)))
    early = next(size for when, size in samples if when >= options.seconds / 10)
    last = samples[-1][1]
    print(f"{runs} runs in {samples[-1][0]:.0f} s, load of the machine {load_average():.1f}")
    print(f"resident: {early / 1e6:.1f} MB after a tenth of the time, {max(size for _, size in samples) / 1e6:.1f} MB at most, "
          f"{last / 1e6:.1f} MB at the end")
    if last > max(early * GROWTH_LIMIT, early + SLACK_BYTES):
        sys.exit("the server's memory grows under load")


if __name__ == "__main__":
    main()
