"""Peers that do harm to `mainstay-interop server`, written with PyPI's hpack and hyperframe. Each must be cut or refused.

Usage: abuse.py NAME PORT SCALE. Prints what the server did; exit code 1 if it put up with it. SCALE is how often each does its harm, or
from how many connections at once if what it does is to hold them.
"""
import os
import resource
import socket
import ssl
import struct
import sys
import time

import hyperframe.frame as frames

from raw_peer import GUARD_SECONDS, Peer, PutUpWith

name, port, scale = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

# grpc.testing.TestService. A StreamingOutputCallRequest that asks for one reply of 50,000 bytes; repeated, for as many.
CHAT, FILL, SUM = ("/grpc.testing.TestService/" + method for method in ("FullDuplexCall", "StreamingOutputCall", "StreamingInputCall"))
LARGE_REPLY = b"\x12\x04\x08\xd0\x86\x03"
IP_BIND_ADDRESS_NO_PORT = 24  # Linux; socket knows it from Python 3.12 on
MOST_AT_ONCE = 15_000  # sockets: this process and the server may have 20,000 files each

def rapid_reset():
    peer = Peer(port)
    return peer.flood(lambda n: (peer.request(2 * n + 1, CHAT), frames.RstStreamFrame(2 * n + 1, 8)), 20_000)


def malformed_resets():
    """Makes the server reset the streams instead (CVE-2025-8671)."""
    peer = Peer(port)
    bad = lambda n: struct.pack(">I", 4)[1:] + b"\x08\0" + struct.pack(">II", 2 * n + 1, 0)
    return peer.flood(lambda n: (peer.request(2 * n + 1, CHAT), bad(n)), 20_000)


def continuation_flood():
    peer = Peer(port)
    head = frames.HeadersFrame(1, peer.encoder.encode([(":method", "POST")]), flags=[])
    more = frames.ContinuationFrame(1, peer.encoder.encode([("x-a", "b" * 1000)]), flags=[])
    peer.send(head)
    return peer.flood(lambda n: (more,) * 8, 5_000)


def settings_flood():
    peer = Peer(port)
    batch = (frames.SettingsFrame(0, settings={4: 65_535}),) * 50
    return peer.flood(lambda n: batch, 1_000)


def ping_flood():
    peer = Peer(port)
    return peer.flood(lambda n: (frames.PingFrame(0, b"12345678"),) * 50, 1_000)


def priority_flood():
    peer = Peer(port)
    return peer.flood(lambda n: (frames.PriorityFrame(2 * n + 1, depends_on=0, stream_weight=1),) * 50, 1_000)


def empty_data():
    peer = Peer(port)
    peer.send(peer.request(1, CHAT))
    return peer.flood(lambda n: (frames.DataFrame(1, b""),) * 50, 1_000)


def zero_window():
    """Asks for replies and never lets them come."""
    peers = [Peer(port, settings={4: 0}) for _ in range(scale)]
    for peer in peers:
        for n in range(50):
            peer.send(peer.request(2 * n + 1, FILL), peer.message(2 * n + 1, LARGE_REPLY * 100))
    return cut_or_reset(peers)


def unread_socket():
    """Opens all windows and does not read."""
    peers = [Peer(port, settings={4: 2**31 - 1}, reads=False) for _ in range(scale)]
    for peer in peers:
        peer.send(frames.WindowUpdateFrame(0, 2**30))
        for n in range(20):
            peer.send(peer.request(2 * n + 1, FILL), peer.message(2 * n + 1, LARGE_REPLY * 1_000))
    limit = time.monotonic() + GUARD_SECONDS
    while peers and time.monotonic() < limit:
        for peer in list(peers):
            try:
                peer.send(frames.WindowUpdateFrame(0, 1))
            except OSError:
                peers.remove(peer)
        time.sleep(0.2)
    if peers:
        raise PutUpWith(f"{len(peers)} are still open")
    return "closed"


def half_message():
    peers = [Peer(port) for _ in range(scale)]
    for peer in peers:
        peer.send(peer.request(1, SUM), frames.DataFrame(1, b"\0\0\0\0\x09ab"))
    return cut_or_reset(peers)


def cut_or_reset(peers):
    for peer in peers:
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
    block = peer.encoder.encode([(":method", "POST"), ("x-large", "x" * 100_000)], huffman=False)  # else it takes seconds
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
    for n in range(10):
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
    """Handshakes that begin and do not go on, in waves; each wave is left to the server until there is no room beside the next."""
    begun, waves, wave = 0, [], min(500 * scale, MOST_AT_ONCE)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    while begun < min(2_000 * scale, 100_000):
        while len(waves) > 1 or waves and (len(waves) + 1) * wave > MOST_AT_ONCE:
            for raw in waves.pop(0):
                raw.close()
        # From an address of its own, so that no wave lacks ports while those of the one before wait for their end.
        waves.append([half_opened(f"127.0.1.{1 + begun // wave}", hello if n % 2 else b"") for n in range(wave)])
        begun += wave
    for raw in waves[-1]:
        try:
            while raw.recv(4_096):
                pass
        except TimeoutError:
            raise PutUpWith("a half-open handshake was kept")
        except OSError:
            pass
        raw.close()
    return f"closed {begun}, {wave} at once"


def half_opened(address, first):
    raw = socket.socket()
    raw.settimeout(GUARD_SECONDS)
    raw.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)  # connecting finds a port much faster than binding
    raw.bind((address, 0))
    raw.connect(("127.0.0.1", port))
    try:
        raw.sendall(first)
    except OSError:
        pass  # dropped already
    return raw


# These do more at once instead of doing it more often.
AT_ONCE = (zero_window, unread_socket, half_message, half_open)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    abuse = globals()[name]
    try:
        for _ in range(1 if abuse in AT_ONCE else scale):
            outcome = abuse()
        print(f"{name}: {outcome}")
    except PutUpWith as error:
        print(f"{name}: {error}")
        sys.exit(1)


main()
