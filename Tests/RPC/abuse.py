"""Peers that do harm, written with PyPI's hpack and hyperframe. Each must be cut or refused.

Usage: abuse.py NAME PORT SCALE. Prints what the server did; exit code 1 if it put up with it.
"""
import os
import socket
import ssl
import struct
import sys
import time

import hyperframe.frame as frames

from raw_peer import GUARD_SECONDS, Peer, PutUpWith

name, port, scale = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def rapid_reset():
    peer = Peer(port)
    return peer.flood(lambda n: (peer.request(2 * n + 1, "/test.Probe/Chat"), frames.RstStreamFrame(2 * n + 1, 8)), 20_000)


def malformed_resets():
    """Makes the server reset the streams instead (CVE-2025-8671)."""
    peer = Peer(port)
    bad = lambda n: struct.pack(">I", 4)[1:] + b"\x08\0" + struct.pack(">II", 2 * n + 1, 0)
    return peer.flood(lambda n: (peer.request(2 * n + 1, "/test.Probe/Chat"), bad(n)), 20_000)


def continuation_flood():
    peer = Peer(port)
    head = frames.HeadersFrame(1, peer.encoder.encode([(":method", "POST")]), flags=[])
    more = frames.ContinuationFrame(1, peer.encoder.encode([("x-a", "b" * 1000)]), flags=[])
    peer.send(head)
    return peer.flood(lambda n: (more,) * 8, 5_000 * scale)


def settings_flood():
    peer = Peer(port)
    batch = (frames.SettingsFrame(0, settings={4: 65_535}),) * 50
    return peer.flood(lambda n: batch, 1_000 * scale)


def ping_flood():
    peer = Peer(port)
    return peer.flood(lambda n: (frames.PingFrame(0, b"12345678"),) * 50, 1_000 * scale)


def priority_flood():
    peer = Peer(port)
    return peer.flood(lambda n: (frames.PriorityFrame(2 * n + 1, depends_on=0, stream_weight=1),) * 50, 1_000 * scale)


def empty_data():
    peer = Peer(port)
    peer.send(peer.request(1, "/test.Probe/Chat"))
    return peer.flood(lambda n: (frames.DataFrame(1, b""),) * 50, 1_000 * scale)


def zero_window():
    """Asks for replies and never lets them come."""
    peer = Peer(port, settings={4: 0})
    for n in range(50 * scale):
        peer.send(peer.request(2 * n + 1, "/test.Probe/Fill"), peer.message(2 * n + 1, b"100 50000"))
    peer.until(lambda frame: isinstance(frame, (frames.RstStreamFrame, frames.GoAwayFrame)))
    return "reset"


def unread_socket():
    """Opens all windows and does not read."""
    peer = Peer(port, settings={4: 2**31 - 1}, reads=False)
    peer.send(frames.WindowUpdateFrame(0, 2**30))
    for n in range(20):
        peer.send(peer.request(2 * n + 1, "/test.Probe/Fill"), peer.message(2 * n + 1, b"1000 50000"))
    limit = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < limit:
        try:
            peer.send(frames.WindowUpdateFrame(0, 1))
        except OSError:
            return "closed"
        time.sleep(0.2)
    raise PutUpWith("still open")


def half_message():
    peer = Peer(port)
    peer.send(peer.request(1, "/test.Probe/Sum"), frames.DataFrame(1, b"\0\0\0\0\x09ab"))
    peer.until(lambda frame: isinstance(frame, (frames.RstStreamFrame, frames.GoAwayFrame)))
    return "reset"


def slow_header():
    peer = Peer(port)
    data = peer.request(1).serialize()
    try:
        for byte in data:
            peer.tls.sendall(bytes([byte]))
            peer.poll(0.2)
    except (OSError, EOFError):
        return peer.end()
    raise PutUpWith("the headers were taken")


def huge_header():
    peer = Peer(port)
    block = peer.encoder.encode([(":method", "POST"), ("x-large", "x" * 100_000)])
    parts = [block[i:i + 16_000] for i in range(0, len(block), 16_000)]
    try:
        peer.send(frames.HeadersFrame(1, parts[0], flags=[]))
        for part in parts[1:-1]:
            peer.send(frames.ContinuationFrame(1, part, flags=[]))
        peer.send(frames.ContinuationFrame(1, parts[-1], flags=["END_HEADERS"]))
        peer.until(lambda frame: isinstance(frame, (frames.RstStreamFrame, frames.GoAwayFrame)))
    except (OSError, EOFError):
        return peer.end()
    return "reset"


def header_bomb():
    """One large field in the table, then thousands of references to it of one byte each."""
    peer = Peer(port)
    peer.send(peer.request(1, end=True, more=[("x-bomb", "x" * 3_900)]))
    bomb = bytes([0x80 | 62]) * 12_000
    return peer.flood(lambda n: (frames.HeadersFrame(2 * n + 3, bomb, flags=["END_HEADERS", "END_STREAM"]),), 200)


def garbage():
    for n in range(10 * scale):
        raw = socket.create_connection(("127.0.0.1", port), timeout=GUARD_SECONDS)
        try:
            raw.sendall(os.urandom(2_000))
            while raw.recv(4_096):
                pass
        except OSError:
            pass
        raw.close()
    return "closed"


def wrong_alpn():
    try:
        Peer(port, alpn="http/1.1")
    except (ssl.SSLError, OSError):
        return "refused"
    raise PutUpWith("http/1.1 was taken")


def half_open():
    """Handshakes that begin and do not go on, in waves; each wave is left to the server."""
    begun = 0
    wave = min(500 * scale, 15_000)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    waves = []
    while begun < min(2_000 * scale, 100_000):
        while len(waves) > 1 or waves and (len(waves) + 1) * wave > 15_000:
            for raw in waves.pop(0):
                raw.close()
        opened = []
        for n in range(wave):
            raw = socket.socket()
            raw.settimeout(GUARD_SECONDS)
            raw.connect(("127.0.0.1", port))
            if n % 2:
                raw.sendall(hello)
            opened.append(raw)
        begun += wave
        waves.append(opened)
    for raw in waves[-1]:
        try:
            while raw.recv(4_096):
                pass
        except TimeoutError:
            raise PutUpWith("a half-open handshake was kept")
        except OSError:
            pass
        raw.close()
    return f"closed {begun}"


def main():
    if scale > 1:
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        print(f"{name}: {globals()[name]()}")
    except PutUpWith as error:
        print(f"{name}: {error}")
        sys.exit(1)


main()
