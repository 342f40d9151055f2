#!/usr/bin/env python3
"""Whether an idle connection that resumed a TLS session holds more of the server's memory than one with a full handshake, with a
client certificate and without: resident memory for each of 4,000 idle connections of Python's ssl. Standard library only."""

import argparse
import socket
import ssl
import sys
import tempfile

from mainstay_system import free_port
from measure import BINARIES, Servers, allow_many_descriptors, load_average, resident_bytes

# Descriptors of this process beside its connections.
SPARE_DESCRIPTORS = 200
# HTTP/2's client preface and empty SETTINGS.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


def client(servers, shows_certificate):
    """TLS as a gRPC client has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(servers.certificate)
    context.set_alpn_protocols(["h2"])
    if shows_certificate:
        context.load_cert_chain(servers.certificate, servers.key)
    return context


def connect(context, port, session=None):
    """A connection whose HTTP/2 stands."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection = context.wrap_socket(raw, server_hostname="localhost", session=session)
    connection.sendall(PREFACE)
    if not connection.recv(64) or connection.session_reused != (session is not None):
        sys.exit("the server has not resumed as it should")
    return connection


def measure(servers, verifies, is_resumed, count):
    """KiB for each connection to a fresh server."""
    port = free_port()
    command = [str(BINARIES / "mainstay-interop"), "server", "--port", str(port), "--cert", servers.certificate, "--key", servers.key]
    pid = servers.start(command + (["--ca", servers.certificate] if verifies else []), port)
    context, held = client(servers, verifies), []

    def add(count):
        # A ticket is used once; each connection brings the next one.
        for _ in range(count):
            held.append(connect(context, port, held[-1].session if is_resumed and held else None))

    # What the first ones leave is not each one's.
    add(100)
    before = resident_bytes(pid)
    add(count)
    figure = (resident_bytes(pid) - before) / count / 1024
    for connection in held:
        connection.close()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=4_000)
    options = parser.parse_args()
    if options.connections + SPARE_DESCRIPTORS > allow_many_descriptors():
        sys.exit("too few descriptors for so many connections; raise the limit with ulimit -n, or give --connections")
    with tempfile.TemporaryDirectory(prefix="mainstay-resumed-") as folder, Servers(folder) as servers:
        print(f"{'client certificate':<20} {'full handshake':>16} {'resumed':>10}   KiB for each connection")
        for verifies in (False, True):
            full, resumed = (measure(servers, verifies, is_resumed, options.connections) for is_resumed in (False, True))
            print(f"{'required' if verifies else 'none':<20} {full:>16.1f} {resumed:>10.1f}")
    print(f"load of the machine: {load_average():.1f}")


if __name__ == "__main__":
    main()
