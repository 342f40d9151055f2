"""Gateways and replicas of gRPC's test service as programs, each replica behind a relay that can be made slow, silent or cut, and load
by PyPI grpcio. For tests that let harm come to them."""

import asyncio
import collections
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

# Only against hanging.
LIMIT_SECONDS = 120


def eventually(condition, what):
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {LIMIT_SECONDS} seconds: {what() if callable(what) else what}")
        time.sleep(0.05)


def free_port():
    """Below those that the system hands out to clients."""
    while True:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", random.randrange(12_000, 32_000)))
                return one.getsockname()[1]
            except OSError:
                continue


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program that can be killed and started again on its port."""

    def __init__(self, words, port, log):
        self.words, self.port, self.log = words, port, log
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        eventually(lambda: listens(self.port), f"{self.words[0]} listens")

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def restart(self):
        """As an operator does it: what runs may end."""
        self.signal(signal.SIGTERM)
        code = self.child.wait(LIMIT_SECONDS)
        assert code == 0, f"{self.words[0]} ended with {code}: {pathlib.Path(self.log).read_text()[-2000:]}"
        self.start()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def resident_kibibytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.child.pid}/status").read_text())[1])


class Relay:
    """Passes bytes between the gateway and a replica, late, not at all, or only until it is cut."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.delay = 0.0
        self.writers = set()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.call(self.open())

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(LIMIT_SECONDS)

    async def open(self):
        self.speaks = asyncio.Event()
        self.speaks.set()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return writer.transport.abort()
        self.writers |= {writer, far_writer}
        await asyncio.gather(self.pass_on(reader, far_writer), self.pass_on(far_reader, writer))
        self.writers -= {writer, far_writer}

    async def pass_on(self, reader, writer):
        try:
            while piece := await reader.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self.speaks.wait()
                writer.write(piece)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()

    async def _cut(self):
        for writer in self.writers:
            writer.transport.abort()

    async def _silence(self, is_silent):
        (self.speaks.clear if is_silent else self.speaks.set)()

    def cut(self):
        self.call(self._cut())

    def silence(self, is_silent):
        self.call(self._silence(is_silent))


class Site:
    def __init__(self, programs, gateways=1, replicas=3, relayed=True):
        self.folder = tempfile.TemporaryDirectory(prefix="mainstay-site-")
        self.programs = pathlib.Path(programs)
        place = pathlib.Path(self.folder.name)
        pki = place / "pki"
        made = subprocess.run([self.programs / "mainstay", "certs", "init", "--home", place], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        self.authority = (pki / "ca.pem").read_bytes()
        self.replicas = []
        for number in range(replicas):
            port = free_port()
            words = [self.programs / "mainstay-interop", "server", "--port", str(port), "--cert", pki / "gateway.pem", "--key",
                     pki / "gateway-key.pem"]
            self.replicas.append(Process(words, port, place / f"interop-{number}.log"))
        self.relays = [Relay(replica.port) for replica in self.replicas] if relayed else []
        addresses = ",".join(f"127.0.0.1:{one.port}" for one in self.relays or self.replicas)
        self.gateways, self.operators = [], []
        for number in range(gateways):
            port, operators = free_port(), free_port()
            settings = place / f"gateway-{number}.yaml"
            settings.write_text(f"""
listen: 127.0.0.1:{port}
operators: {{listen: "127.0.0.1:{operators}"}}
tls: {{certificate: {pki}/gateway.pem, private_key: {pki}/gateway-key.pem, authority: {pki}/ca.pem, client_verification: optional}}
upstreams: {{interop: "{addresses}"}}
routes: {{grpc.testing: {{upstream: interop, access: public}}}}
log_level: error
""")
            settings.chmod(0o600)
            words = [self.programs / "mainstay-gateway", "--config", settings]
            self.gateways.append(Process(words, port, place / f"gateway-{number}.log"))
            self.operators.append(operators)

    def channel(self, name="x"):
        """To all gateways, in turn. `name` keeps grpcio from sharing connections between channels."""
        addresses = ",".join(f"127.0.0.1:{gateway.port}" for gateway in self.gateways)
        options = [("grpc.lb_policy_name", "round_robin"), ("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 500),
                   ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.default_authority", "localhost"), ("grpc.primary_user_agent", name)]
        return grpc.secure_channel(f"ipv4:{addresses}", grpc.ssl_channel_credentials(self.authority), options=options)

    def figures(self, number=0):
        """A gateway's metrics: the sum of each name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operators[number]}/metrics", timeout=LIMIT_SECONDS) as answer:
            text = answer.read().decode()
        sums = collections.Counter()
        for line in text.splitlines():
            if line and line[0] != "#":
                sums[re.split(r"[{ ]", line)[0]] += float(line.rsplit(" ", 1)[1])
        return sums

    def stop(self):
        for one in [*self.gateways, *self.replicas]:
            one.kill()
        self.folder.cleanup()


class Calls:
    """The four kinds of calls of the test service, each checked for what it answers."""

    def __init__(self, channel):
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

        def message(name):
            return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"grpc.testing.{name}"))

        self.Simple, self.Output, self.Input = (message(name) for name in (
            "SimpleRequest", "StreamingOutputCallRequest", "StreamingInputCallRequest"))
        self.replies = {name: message(reply) for name, reply in {
            "UnaryCall": "SimpleResponse", "StreamingOutputCall": "StreamingOutputCallResponse",
            "StreamingInputCall": "StreamingInputCallResponse", "FullDuplexCall": "StreamingOutputCallResponse"}.items()}

    def method(self, channel, kind, name):
        return getattr(channel, kind)(
            f"/grpc.testing.TestService/{name}", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=self.replies[name].FromString)

    def unary(self, channel, rng, timeout):
        size = rng.choice([0, 1, 200, 20_000])
        reply = self.method(channel, "unary_unary", "UnaryCall")(self.Simple(response_size=size), timeout=timeout)
        assert len(reply.payload.body) == size

    def outputs(self, channel, rng, timeout):
        sizes = [rng.choice([0, 10, 5_000]) for _ in range(rng.randint(1, 20))]
        request = self.Output(response_parameters=[{"size": size, "interval_us": rng.choice([0, 5_000])} for size in sizes])
        seen = [len(reply.payload.body) for reply in self.method(channel, "unary_stream", "StreamingOutputCall")(request, timeout=timeout)]
        assert seen == sizes, f"{seen} instead of {sizes}"

    def inputs(self, channel, rng, timeout):
        sizes = [rng.choice([0, 10, 5_000]) for _ in range(rng.randint(0, 20))]
        requests = (self.Input(payload={"body": bytes(size)}) for size in sizes)
        reply = self.method(channel, "stream_unary", "StreamingInputCall")(requests, timeout=timeout)
        assert reply.aggregated_payload_size == sum(sizes)

    def duplex(self, channel, rng, timeout):
        sizes = [rng.choice([0, 10, 5_000]) for _ in range(rng.randint(1, 10))]
        requests = (self.Output(response_parameters=[{"size": size, "interval_us": rng.choice([0, 5_000])}]) for size in sizes)
        seen = [len(reply.payload.body) for reply in self.method(channel, "stream_stream", "FullDuplexCall")(requests, timeout=timeout)]
        assert seen == sizes, f"{seen} instead of {sizes}"

    def cancelled(self, channel, rng, timeout):
        """A stream that its caller leaves after some replies."""
        request = self.Output(response_parameters=[{"size": 1_000, "interval_us": 1_000}] * 1_000)
        replies = self.method(channel, "unary_stream", "StreamingOutputCall")(request, timeout=timeout)
        for _ in range(rng.randint(0, 5)):
            next(replies)
        replies.cancel()


class Load:
    """Workers that make one call after another until `stop`; what became of each is counted."""

    def __init__(self, site, calls, kinds, seed, workers, deadline):
        self.outcomes = collections.Counter()
        self.faults = []
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self.work, args=(site, calls, kinds, random.Random(f"{seed} {number}"), deadline), daemon=True)
            for number in range(workers)]
        for thread in self.threads:
            thread.start()

    def work(self, site, calls, kinds, rng, deadline):
        # Some connections are many calls', some a few calls'.
        channel, left = site.channel(), 0
        while not self.is_over.is_set():
            if left == 0:
                channel.close()
                channel, left = site.channel(), rng.choice([20, 200, 2_000])
            left -= 1
            kind, timeout = rng.choice(kinds), deadline(rng)
            begin = time.monotonic()
            try:
                getattr(calls, kind)(channel, rng, timeout)
                outcome = "OK"
            except grpc.RpcError as error:
                outcome = error.code().name
                if len(self.faults) < 5:
                    with self.lock:
                        self.outcomes[f"{outcome}: {error.details()}"] += 1
            except Exception as error:
                outcome = "WRONG"
                self.faults.append(f"{kind}: {error!r}")
            if time.monotonic() - begin > timeout + LIMIT_SECONDS:
                self.faults.append(f"{kind} took {time.monotonic() - begin:.1f} s with a deadline of {timeout} s")
            with self.lock:
                self.outcomes[kind, outcome] += 1
        channel.close()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(2 * LIMIT_SECONDS)
            assert not thread.is_alive(), "a call did not end"

    def count(self, outcome=None):
        return sum(number for key, number in self.outcomes.items() if isinstance(key, tuple) and outcome in (None, key[1]))

    def codes(self):
        return {key[1] for key in self.outcomes if isinstance(key, tuple)}
