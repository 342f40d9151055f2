"""How a request gets to the gateway: by curl, by frames of PyPI h2, by a browser's fetch. Each gives what came back as it is."""

import base64
import collections
import http.server
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

import h2.config
import h2.connection
import h2.events
from protocols import Response

LIMIT_SECONDS = 240


class Curl:
    name = "curl"

    def __init__(self, port, authority):
        self.port, self.authority = port, authority

    def send(self, request):
        with tempfile.TemporaryDirectory() as folder:
            head, body, sent = (pathlib.Path(folder) / name for name in ("head", "body", "sent"))
            arguments = ["curl", "--silent", "--show-error", "--http2", "--cacert", self.authority, "--dump-header", str(head), "--output",
                         str(body), "--globoff", "--request", request.method, "--max-time", str(LIMIT_SECONDS)]
            for name, value in request.headers.items():
                arguments += ["--header", f"{name}: {value}"]
            if request.method == "POST":
                sent.write_bytes(request.body)
                arguments += ["--data-binary", f"@{sent}"]
            subprocess.run([*arguments, f"https://127.0.0.1:{self.port}{request.path}"], check=True)
            first, *lines = head.read_bytes().decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if ": " in line)
            return Response(int(first.split()[1]), headers, body.read_bytes() if body.exists() else b"")


class Frames:
    """HTTP/2 written frame by frame, one connection for all requests. `pieces` is how a body is cut."""
    name = "h2"

    def __init__(self, port, authority):
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_SECONDS)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.port = port
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.events = collections.defaultdict(list)
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def pump(self):
        """Reads once, and files what came by its stream."""
        received = self.socket.recv(65536)
        assert received, "the gateway closed the connection"
        for event in self.connection.receive_data(received):
            assert not isinstance(event, h2.events.ConnectionTerminated), event
            self.events[getattr(event, "stream_id", None) or 0].append(event)
            if isinstance(event, h2.events.DataReceived):
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()

    def ended(self, stream, kind):
        return any(isinstance(event, kind) for event in self.events[stream])

    def begin(self, request, ends=False):
        stream = self.connection.get_next_available_stream_id()
        fields = [(":method", request.method), (":scheme", "https"), (":authority", f"localhost:{self.port}"), (":path", request.path)]
        self.connection.send_headers(stream, [*fields, *request.headers.items()], end_stream=ends)
        self.flush()
        return stream

    def data(self, stream, piece, ends=False):
        """Sends a piece of the body, or as much as the gateway wants: it may answer before the end."""
        while (piece or ends) and not self.ended(stream, h2.events.StreamEnded):
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if piece and room == 0:
                self.pump()
                continue
            self.connection.send_data(stream, piece[:room], end_stream=ends and len(piece) <= room)
            self.flush()
            piece, ends = piece[room:], ends and len(piece) > room

    def send(self, request):
        stream = self.begin(request, ends=request.method == "GET")
        if request.method != "GET":
            self.data(stream, request.body, ends=True)
        return self.answer(stream)

    def answer(self, stream):
        """Waits for the end of the stream. Neither Connect nor gRPC-Web uses HTTP's trailers."""
        while not self.ended(stream, (h2.events.StreamEnded, h2.events.StreamReset)):
            self.pump()
        events = self.events.pop(stream)
        assert not any(isinstance(event, h2.events.TrailersReceived) for event in events), events
        headers = [pair for event in events if isinstance(event, h2.events.ResponseReceived) for pair in event.headers]
        body = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
        assert any(isinstance(event, h2.events.StreamEnded) for event in events), events
        return Response(int(dict(headers)[":status"]), {name: value for name, value in headers if name[0] != ":"}, body)


PAGE = b"""<!doctype html><title>calls</title><script>
const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));
async function call(job) {
  try {
    const body = job.method === "GET" ? undefined : bytes(job.body);
    const reply = await fetch(job.url, {method: job.method, headers: job.headers, body});
    const content = new Uint8Array(await reply.arrayBuffer());
    return {status: reply.status, headers: [...reply.headers], body: btoa(Array.from(content, byte => String.fromCharCode(byte)).join(""))};
  } catch (error) { return {error: String(error)}; }
}
(async () => {
  const results = [];
  for (const job of await (await fetch("/jobs")).json()) results.push(await call(job));
  await fetch("/results", {method: "POST", body: JSON.stringify(results)});
})();
</script>"""


class Browser:
    """A headless Chromium that opens a page of another origin than the gateway's; the page calls by fetch."""
    name = "Chromium"

    def __init__(self, port, page_port):
        self.port, self.page_port = port, page_port
        self.results = queue.Queue()
        self.jobs = []
        browser = self

        class Pages(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(browser.jobs).encode() if self.path == "/jobs" else PAGE
                self.send_response(200)
                self.send_header("content-type", "application/json" if self.path == "/jobs" else "text/html")
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                browser.results.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", page_port), Pages)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def program():
        return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

    def key_hash(self):
        """Of the gateway's public key, by which the browser trusts a certificate of an authority that it does not know."""
        certificate = ssl.get_server_certificate(("127.0.0.1", self.port)).encode()
        public = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=certificate, stdout=subprocess.PIPE, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public, stdout=subprocess.PIPE, check=True).stdout
        digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, stdout=subprocess.PIPE, check=True).stdout
        return base64.b64encode(digest).decode()

    def send(self, requests, host="127.0.0.1"):
        """All at one visit of the page, as the browser's results: a Response each, or the text of the error that the page saw."""
        self.jobs = [
            {"url": f"https://127.0.0.1:{self.port}{one.path}", "method": one.method, "headers": one.headers,
             "body": base64.b64encode(one.body).decode()} for one in requests]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            process = subprocess.Popen(
                [self.program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", f"--user-data-dir={profile}", f"--ignore-certificate-errors-spki-list={self.key_hash()}",
                 f"http://{host}:{self.page_port}/"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "HOME": profile})
            try:
                results = self.results.get(timeout=LIMIT_SECONDS)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return [
            one.get("error") or Response(one["status"], {name: value for name, value in one["headers"]}, base64.b64decode(one["body"]))
            for one in results]
