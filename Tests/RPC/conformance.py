"""What RFC 9113 and RFC 7541 demand of a server when a client breaks a rule: one connection for each case.

Usage: conformance.py PORT. Prints each case that the server got wrong; the last line is "N of N".
"""
import struct
import sys

import hyperframe.frame as frames

from raw_peer import Peer, PutUpWith

PORT = int(sys.argv[1])
PROTOCOL, FLOW_CONTROL, STREAM_CLOSED, FRAME_SIZE, COMPRESSION = 1, 3, 5, 6, 9
CHAT = "/test.Probe/Chat"


def frame(kind, flags, stream, payload=b""):
    """A frame as it is told, right or wrong."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(peer, *changes, flags=4, stream=1):
    """A request whose fields are these instead of the usual ones."""
    return frame(1, flags, stream, peer.encoder.encode(list(changes), huffman=False))


USUAL = [(":method", "POST"), (":scheme", "https"), (":path", CHAT), (":authority", "localhost"), ("te", "trailers"),
         ("content-type", "application/grpc")]


def request(peer, stream=1):
    return headers(peer, *USUAL, stream=stream)


def settings(key, value):
    return frame(4, 0, 0, struct.pack(">HI", key, value))


# What is sent, and the error codes one of which must answer it; the end of the connection will always do.
CASES = {
    "a frame longer than allowed": (lambda p: [request(p), frame(0, 0, 1, b"x" * 20_000)], {FRAME_SIZE}),
    "DATA on stream 0": (lambda p: [frame(0, 0, 0, b"x")], {PROTOCOL}),
    "DATA on an idle stream": (lambda p: [frame(0, 0, 1, b"x")], {PROTOCOL, STREAM_CLOSED}),
    "DATA after the end": (lambda p: [headers(p, *USUAL, flags=5), frame(0, 0, 1, b"x")], {STREAM_CLOSED}),
    "DATA with more padding than bytes": (lambda p: [request(p), frame(0, 8, 1, b"\x09abc")], {PROTOCOL}),
    "HEADERS on stream 0": (lambda p: [request(p, 0)], {PROTOCOL}),
    "HEADERS on an even stream": (lambda p: [request(p, 2)], {PROTOCOL}),
    "HEADERS after the end": (lambda p: [headers(p, *USUAL, flags=5), request(p)], {STREAM_CLOSED}),
    "trailers without an end": (lambda p: [request(p), headers(p, ("x", "y"))], {PROTOCOL}),
    "RST_STREAM on an idle stream": (lambda p: [frame(3, 0, 1, b"\0\0\0\x08")], {PROTOCOL}),
    "RST_STREAM of three bytes": (lambda p: [request(p), frame(3, 0, 1, b"\0\0\0")], {FRAME_SIZE}),
    "WINDOW_UPDATE of 0": (lambda p: [frame(8, 0, 0, b"\0\0\0\0")], {PROTOCOL}),
    "WINDOW_UPDATE of 0 on a stream": (lambda p: [request(p), frame(8, 0, 1, b"\0\0\0\0")], {PROTOCOL}),
    "WINDOW_UPDATE of three bytes": (lambda p: [frame(8, 0, 0, b"\0\0\1")], {FRAME_SIZE}),
    "a window beyond its limit": (lambda p: [frame(8, 0, 0, b"\x7f\xff\xff\xff")] * 2, {FLOW_CONTROL}),
    "a stream's window beyond its limit": (
        lambda p: [request(p)] + [frame(8, 0, 1, b"\x7f\xff\xff\xff")] * 2, {FLOW_CONTROL}),
    "SETTINGS of five bytes": (lambda p: [frame(4, 0, 0, b"12345")], {FRAME_SIZE}),
    "SETTINGS on a stream": (lambda p: [frame(4, 0, 1)], {PROTOCOL}),
    "an answer to SETTINGS with content": (lambda p: [frame(4, 1, 0, b"123456")], {FRAME_SIZE}),
    "ENABLE_PUSH 2": (lambda p: [settings(2, 2)], {PROTOCOL}),
    "INITIAL_WINDOW_SIZE beyond its limit": (lambda p: [settings(4, 2**31)], {FLOW_CONTROL}),
    "MAX_FRAME_SIZE below its limit": (lambda p: [settings(5, 16_383)], {PROTOCOL}),
    "MAX_FRAME_SIZE beyond its limit": (lambda p: [settings(5, 2**24)], {PROTOCOL}),
    "PING of seven bytes": (lambda p: [frame(6, 0, 0, b"1234567")], {FRAME_SIZE}),
    "PING on a stream": (lambda p: [frame(6, 0, 1, b"12345678")], {PROTOCOL}),
    "GOAWAY on a stream": (lambda p: [frame(7, 0, 1, b"\0" * 8)], {PROTOCOL}),
    "PUSH_PROMISE of a client": (lambda p: [frame(5, 4, 1, b"\0\0\0\2")], {PROTOCOL}),
    "CONTINUATION without headers": (lambda p: [frame(9, 4, 1, b"")], {PROTOCOL}),
    "PING within headers": (lambda p: [headers(p, *USUAL, flags=0), frame(6, 0, 0, b"12345678")], {PROTOCOL}),
    "CONTINUATION of another stream": (lambda p: [headers(p, *USUAL, flags=0), frame(9, 4, 3, b"")], {PROTOCOL}),
    "a stream that depends on itself": (lambda p: [frame(2, 0, 1, b"\0\0\0\1\0")], {PROTOCOL}),
    "PRIORITY of four bytes": (lambda p: [frame(2, 0, 1, b"\0\0\0\3")], {FRAME_SIZE}),
    "a header name in capitals": (lambda p: [headers(p, *USUAL, ("X-Capital", "1"))], {PROTOCOL}),
    "an unknown pseudo header": (lambda p: [headers(p, *USUAL[:4], (":unknown", "1"))], {PROTOCOL}),
    "a pseudo header of replies": (lambda p: [headers(p, *USUAL[:4], (":status", "200"))], {PROTOCOL}),
    "a pseudo header behind others": (lambda p: [headers(p, *USUAL[1:], USUAL[0])], {PROTOCOL}),
    "no :method": (lambda p: [headers(p, *USUAL[1:])], {PROTOCOL}),
    "two :path": (lambda p: [headers(p, USUAL[2], *USUAL)], {PROTOCOL}),
    "an empty :path": (lambda p: [headers(p, (":path", ""), *USUAL[:2], *USUAL[3:])], {PROTOCOL}),
    "a connection header": (lambda p: [headers(p, *USUAL, ("connection", "keep-alive"))], {PROTOCOL}),
    "te: gzip": (lambda p: [headers(p, *USUAL[:4], ("te", "gzip"))], {PROTOCOL}),
    "a wrong content-length": (
        lambda p: [headers(p, *USUAL, ("content-length", "9")), frame(0, 1, 1, b"x")], {PROTOCOL}),
    "an index beyond the header table": (lambda p: [frame(1, 5, 1, b"\xff\x80\x01")], {COMPRESSION}),
    "a header table beyond its size": (lambda p: [frame(1, 5, 1, b"\x3f\xe1\xff\x7f")], {COMPRESSION}),
    "a string that is no Huffman code": (lambda p: [frame(1, 5, 1, b"\x00\x85\xff\xff\xff\xff\xff\x01a")], {COMPRESSION}),
}


def answer(peer):
    """The error code that the server answers with; "end" if it ends the connection without one."""
    try:
        found = peer.until(
            lambda frame: isinstance(frame, frames.RstStreamFrame) or isinstance(frame, frames.GoAwayFrame))
    except (OSError, EOFError):
        return "end"
    return found.error_code


def goes_on():
    """What must not be taken for an error: unknown frames and settings, and a ping is answered with what it brought."""
    peer = Peer(PORT)
    peer.send(frame(0xF0, 0xFF, 1, b"unknown"), settings(0xF0, 1), frame(6, 0xFE, 0, b"content!"))
    pong = peer.until(lambda frame: isinstance(frame, frames.PingFrame))
    return "ACK" in pong.flags and pong.opaque_data == b"content!"


def main():
    wrong = []
    for name, (make, codes) in CASES.items():
        peer = Peer(PORT)
        try:
            peer.send(*make(peer))
            found = answer(peer)
        except PutUpWith:
            found = "nothing"
        except OSError:
            found = "end"
        if found != "end" and found not in codes:
            wrong.append(f"{name}: {found} and not {sorted(codes)}")
    if answer(Peer(PORT, preface=b"GET / HTTP/1.1\r\n\r\n" + b"x" * 20, reads=False)) not in ("end", PROTOCOL):
        wrong.append("a wrong preface")
    if not goes_on():
        wrong.append("unknown frames and settings")
    for line in wrong:
        print(line)
    count = len(CASES) + 2
    print(f"{count - len(wrong)} of {count}")
    sys.exit(1 if wrong else 0)


main()
