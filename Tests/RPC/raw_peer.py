"""A client that sends HTTP/2 frames as it is told, over TLS, with PyPI's hpack and hyperframe; for peers that do not behave."""
import socket
import ssl
import struct
import time

import hpack
import hyperframe.frame as frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GUARD_SECONDS = 40  # against hanging only


class PutUpWith(Exception):
    """The server has let the abuse pass."""


class Peer:
    """A TLS connection that sends frames as it is told, and notes what the server sends."""

    def __init__(self, port, alpn="h2", settings=None, reads=True, preface=PREFACE):
        raw = socket.create_connection(("127.0.0.1", port), timeout=GUARD_SECONDS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        self.encoder = hpack.Encoder()
        self.buffer = b""
        self.seen = []
        self.tls.sendall(preface + frames.SettingsFrame(0, settings=settings or {}).serialize())
        if reads:
            self.until(lambda frame: isinstance(frame, frames.SettingsFrame))

    def send(self, *batch):
        self.tls.sendall(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in batch))

    def request(self, stream, path="/test.Probe/Echo", end=False, more=()):
        fields = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"),
                  ("content-type", "application/grpc"), ("te", "trailers"), *more]
        flags = ["END_HEADERS"] + (["END_STREAM"] if end else [])
        return frames.HeadersFrame(stream, self.encoder.encode(fields), flags=flags)

    def message(self, stream, body, end=True):
        data = b"\0" + struct.pack(">I", len(body)) + body
        return frames.DataFrame(stream, data, flags=["END_STREAM"] if end else [])

    def poll(self, timeout):
        """The frames that come within this time; raises OSError or EOFError at the end of the connection."""
        self.tls.settimeout(timeout)
        try:
            data = self.tls.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return []
        finally:
            self.tls.settimeout(GUARD_SECONDS)
        if not data:
            raise EOFError
        self.buffer += data
        found = []
        while len(self.buffer) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(self.buffer[:9]))
            if len(self.buffer) < 9 + length:
                break
            frame.parse_body(memoryview(self.buffer[9:9 + length]))
            self.buffer = self.buffer[9 + length:]
            found.append(frame)
        self.seen += found
        return found

    def until(self, wanted):
        limit = time.monotonic() + GUARD_SECONDS
        while time.monotonic() < limit:
            for frame in self.poll(1):
                if wanted(frame):
                    return frame
        raise PutUpWith("nothing came of it")

    def end(self):
        """Waits for the end of the connection, and says how it came."""
        try:
            self.until(lambda frame: False)
        except (OSError, EOFError):
            pass  # anything else is PutUpWith
        away = [frame for frame in self.seen if isinstance(frame, frames.GoAwayFrame)]
        return f"GOAWAY {away[-1].error_code} {away[-1].additional_data.decode()}" if away else "closed"

    def flood(self, batches, count):
        """Sends batch after batch until the server ends the connection."""
        for number in range(count):
            try:
                self.send(*batches(number))
                self.poll(0.0001)
            except (OSError, EOFError):
                return self.end()
        return self.end()
