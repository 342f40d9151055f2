"""An endpoint for webhooks that checks what it gets as standardwebhooks.com describes it, with Python's own hmac.

usage: webhook_endpoint.py FOLDER

Prints "port N", then a line for each post that it takes: path, webhook-id, the event's type, how many of the signatures are right,
and how many there are. It answers /ok/… with 204, /fail/… with 500 until the file FOLDER/heal is there, /slow/… when FOLDER/heal is
there, and not before. Secrets stand in FOLDER/secrets, one a line.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()


def secrets():
    with open(f"{folder}/secrets") as file:
        return [base64.b64decode(line.strip().removeprefix("whsec_")) for line in file if line.strip()]


def healed():
    return os.path.exists(f"{folder}/heal")


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        while self.path.startswith("/slow") and not healed():
            time.sleep(0.02)
        if self.path.startswith("/fail") and not healed():
            self.answer(500)
            return
        identifier, moment = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = f"{identifier}.{moment}.".encode() + body
        right = ["v1," + base64.b64encode(hmac.new(s, signed, hashlib.sha256).digest()).decode() for s in secrets()]
        given = self.headers["webhook-signature"].split(" ")
        event = json.loads(body)
        holds = event["eventId"] == identifier and self.headers["content-type"] == "application/json"
        good = sum(signature in right for signature in given) if holds else -1
        with lock:
            print(self.path, identifier, event["type"], good, len(given), flush=True)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
server.daemon_threads = True
print("port", server.server_port, flush=True)
server.serve_forever()
