#!/usr/bin/env python3
"""The gateway against HAProxy and nginx: the same backend (the interop server), the same load, in turn so that a busy minute hits
all. The proxy is alone on core 0; the backend and the client share core 1.

    unary       CPU of the proxy's process per UnaryCall with a reply of 200 bytes (h2load, 16 connections x 16 streams); once more with
                HAProxy's log on, and tokens, rates, limits, deadlines and the access log of the gateway: "all on"
    latency     p50 of one call at a time on one connection (mainstay-load), less that of the backend called directly
    download    one StreamingOutputCall with replies of 1 MiB (h2load): CPU of the proxy per MiB, and MiB per second
    upload      one StreamingInputCall with messages of 1 MiB: the same
    connections 10,000 client connections held open, of which 1,000 call: KiB of the proxy for each connection before and
                under calls, and p50 and p99 of the calls; once, after the rounds

HAProxy reuses connections always and has H2 windows of 1 MiB, on one thread; nginx has one worker and keeps connections. All
check the backend's certificate. Standard library only."""

import argparse
import json
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

from mainstay_system import ROOT, free_port
from idle import await_connections, open_descriptors
from measure import (BINARIES, Servers, allow_many_descriptors, load, load_average, pinned, resident_bytes, spread,
                     write_figures)
from run import UNARY_CALL, UNARY_REQUEST, Subject, body_file
from run import measure as measure_unary
from wire import download_body, stream, upload_body

HAPROXY = """
global
  nbthread 1
  maxconn {connections}
  tune.h2.initial-window-size 1048576
  tune.h2.max-concurrent-streams 1000
  {log_target}
defaults
  mode http
  timeout connect 5s
  timeout client 20m
  timeout server 60s
  {log}
frontend door
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn h2
  default_backend service
backend service
  http-reuse always
  server one 127.0.0.1:{backend} ssl verify required ca-file {folder}/peer.pem verifyhost localhost alpn h2 proto h2
"""

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log error;
events {{ worker_connections 30000; }}
http {{
  access_log {log};
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  keepalive_requests 100000000;
  keepalive_timeout 20m;
  http2_max_concurrent_streams 1000;
  upstream service {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/peer.pem;
    ssl_certificate_key {folder}/peer-key.pem;
    ssl_protocols TLSv1.3;
    location / {{
      grpc_pass grpcs://service;
      grpc_ssl_protocols TLSv1.3;
      grpc_ssl_verify on; grpc_ssl_name localhost; grpc_ssl_trusted_certificate {folder}/peer.pem;
    }}
  }}
}}
"""

GATEWAY = """
listen: 127.0.0.1:{port}
tls:
  certificate: {folder}/peer.pem
  private_key: {folder}/peer-key.pem
  authority: {folder}/peer.pem
  client_verification: optional
upstreams: {{interop: "localhost:{backend}"}}
routes:
  grpc.testing: {{upstream: interop, access: public}}
event_loops: 1
log_level: warning
{more}
"""

# As the peers: no limits beyond those of connections and streams.
FORWARDING = """
concurrency: {most: 0}
deadline: {unary_seconds: 0}
"""

# What an installation has on besides: callers known by tokens, a rate for each (too high to be met), limits and deadlines, the log.
FULL = """
access_log: {folder}/access.jsonl
tokens: {{keys: {folder}/home/pki/token-keys.pem, issuer: mainstay-development, audience: mainstay}}
rates: {{read: 10000000, write: 10000000}}
"""

# Connections that are held, those among them that call, and what is left for other files.
HELD, CALLING, SPARE = 10_000, 1_000, 500
# Calls a second on those that call, and how long.
RATE, SECONDS = 2_000, 5


def write(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    return str(path)


def children(pid):
    """The processes that one has started."""
    return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def allow_descriptors():
    """Enough for HAProxy, which wants two for each connection that it might have; as many as there may be if that is less."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * HELD + 2 * SPARE,) * 2)
    except (OSError, ValueError):
        allow_many_descriptors()
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def haproxy_connections():
    """Most that HAProxy takes here."""
    return (allow_descriptors() - SPARE) // 2


def token(folder):
    """A fresh one, good for five minutes."""
    command = [str(BINARIES / "mainstay"), "certs", "token", "--home", f"{folder}/home", "--name", "mei.lin", "--role", "agent"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def start_gateway(servers, backend, full=False):
    port, folder = free_port(), servers.folder
    if full:
        token(folder)
    more = FULL.format(folder=folder) if full else FORWARDING
    config = write(folder, f"gateway-{port}.yaml", GATEWAY.format(port=port, folder=folder, backend=backend, more=more))
    return port, servers.start([str(BINARIES / "mainstay-gateway"), "--config", config], port)


def start_haproxy(servers, backend, log=False):
    port, folder = free_port(), servers.folder
    both = pathlib.Path(folder, "both.pem")
    both.write_text(pathlib.Path(servers.certificate).read_text() + pathlib.Path(servers.key).read_text())
    both.chmod(0o600)
    config = write(folder, f"haproxy-{port}.cfg", HAPROXY.format(
        port=port, folder=folder, backend=backend, connections=haproxy_connections(), log_target="log stdout format raw local0" if log else "",
        log="log global\n  option httplog" if log else ""))
    return port, servers.start(["haproxy", "-db", "-f", config], port)


def start_nginx(servers, backend):
    port, folder = free_port(), servers.folder
    config = write(folder, "nginx.conf", NGINX.format(port=port, folder=folder, backend=backend, log="off"))
    return port, children(servers.start(["nginx", "-p", folder, "-c", config], port))[0]


def latency(servers, port, calls):
    """Microseconds at p50, one call at a time."""
    result = load(servers, port, [f"{UNARY_CALL}", "--data", '{"responseSize": 200}', "--warm-up", "100ms",
                                  "--calls", str(calls)])
    return result["latency_microseconds"]["p50"]


def unary(name, port, pid, body, calls, headers=()):
    """CPU for each call, and calls a second."""
    subject = Subject(name, f"https://127.0.0.1:{port}/{UNARY_CALL}", {name: pid}, body, headers=headers)
    figures = measure_unary(subject, calls, 16, 16)
    return figures["cpu_microseconds"][name], figures["calls_per_second"]


def hold(servers, port, connections, rate, duration, *more):
    """A client that holds so many connections open and calls at a rate."""
    return subprocess.Popen(
        pinned(1, [str(BINARIES / "mainstay-load"), UNARY_CALL, "--data", '{"responseSize": 200}', "--target",
                   f"localhost:{port}", "--ca", servers.certificate, "--connections", str(connections), "--rate", str(rate),
                   "--duration", duration, *more]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def measure_connections(servers, port, pid, connections):
    """KiB for each of many connections, and how calls on some of them fare."""
    before, descriptors = resident_bytes(pid), open_descriptors(pid)
    result = pathlib.Path(servers.folder, f"held-{port}.json")
    holder = hold(servers, port, connections - CALLING, 1, "10m")
    try:
        await_connections(pid, descriptors + connections - CALLING, holder)
        idle = (resident_bytes(pid) - before) / (connections - CALLING) / 1024
        caller = hold(servers, port, CALLING, RATE, f"{SECONDS}s", "--json", str(result))
        most = 0
        while caller.poll() is None:
            most = max(most, resident_bytes(pid))
            time.sleep(0.1)
        if not result.exists():
            return {"failure": caller.stderr.read().strip()}
        figures = json.loads(result.read_text())
        latency = figures["latency_microseconds"]
        return {"idle_kib": idle, "calling_kib": (most - before) / connections / 1024, "p50": latency["p50"], "p99": latency["p99"],
                "failed_share": figures["failed_share"]}
    finally:
        holder.send_signal(signal.SIGINT)
        holder.wait()


def measure_round(servers, proxies, logging, direct, bodies, options):
    """All measures of all proxies once."""
    done = {}
    for name, (port, pid) in proxies.items():
        cpu, calls = unary(name, port, pid, bodies["unary"], options.calls)
        done[name] = {"unary cpu_microseconds": cpu, "unary calls_per_second": calls}
    headers = [f"authorization: Bearer {token(servers.folder)}"]
    for name, (port, pid) in logging.items():
        done[name]["unary cpu_microseconds, all on"], _ = unary(name, port, pid, bodies["unary"], options.calls, headers)
    base = latency(servers, direct, options.latency_calls)
    for name, (port, _) in proxies.items():
        done[name]["latency added_microseconds"] = latency(servers, port, options.latency_calls) - base
    for direction, method in (("download", "StreamingOutputCall"), ("upload", "StreamingInputCall")):
        for name, (port, pid) in proxies.items():
            figures = stream(port, pid, method, bodies[direction], options.messages, direction)
            for figure in ("cpu_microseconds_per_mib", "mib_per_second"):
                done[name][f"{direction} {figure}"] = figures[figure]
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=20_000, help="unary calls of each proxy and round")
    parser.add_argument("--latency-calls", type=int, default=2_000, help="calls one at a time of each proxy and round")
    parser.add_argument("--messages", type=int, default=128, help="messages of 1 MiB in each stream")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-gateway.json", help="where the figures go")
    options = parser.parse_args()

    load_before = load_average()
    with tempfile.TemporaryDirectory(prefix="mainstay-gateway-") as folder, Servers(folder) as servers:
        bodies = {"unary": body_file(folder, "unary-call", UNARY_REQUEST)}
        for direction, body in (("upload", upload_body(options.messages)), ("download", download_body(options.messages))):
            bodies[direction] = pathlib.Path(folder, f"{direction}.bin")
            bodies[direction].write_bytes(body)
        backend, _ = servers.mainstay(core=1)
        proxies = {"gateway": start_gateway(servers, backend), "haproxy": start_haproxy(servers, backend),
                   "nginx": start_nginx(servers, backend)}
        logging = {"gateway": start_gateway(servers, backend, full=True), "haproxy": start_haproxy(servers, backend, log=True)}
        measure_round(servers, proxies, logging, backend, bodies, options)  # warm up
        rounds = []
        for number in range(options.rounds):
            turned, turned_logging = (dict(sorted(each.items(), reverse=number % 2)) for each in (proxies, logging))
            rounds.append(measure_round(servers, turned, turned_logging, backend, bodies, options))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
        # HAProxy wants two descriptors for each: it holds as many as it can.
        most = {name: min(HELD, haproxy_connections() if name == "haproxy" else HELD) for name in proxies}
        held = {name: measure_connections(servers, port, pid, most[name]) for name, (port, pid) in proxies.items()}

    names = list(proxies)
    print(f"\n{'':<36}" + "".join(f"{name:>12}" for name in names) + f"{'/ haproxy':>12}{'min–max':>14}{'/ nginx':>10}")
    summary = {}
    for figure in rounds[0]["gateway"]:
        measured = [name for name in names if figure in rounds[0][name]]
        values = {name: spread([each[name][figure] for each in rounds]) for name in measured}
        ratio = {name: spread([each["gateway"][figure] / each[name][figure] for each in rounds]) for name in measured[1:]}
        summary[figure] = {"values": values, "ratios": ratio}
        print(f"{figure:<36}" + "".join(f"{values[name]['median']:>12,.1f}" if name in values else f"{'':>12}" for name in names)
              + f"{ratio['haproxy']['median']:>12.2f}   {ratio['haproxy']['min']:.2f}–{ratio['haproxy']['max']:<8.2f}"
              + (f"{ratio['nginx']['median']:>7.2f}" if "nginx" in ratio else ""))
    print(f"\n{HELD:,} client connections, calls on {CALLING:,} of them, {RATE:,} a second:")
    for name, figures in held.items():
        if "failure" in figures:
            print(f"{name:<12}{figures['failure']}")
            continue
        print(f"{name:<12}{figures['idle_kib']:>8.1f} KiB for each idle one, {figures['calling_kib']:.1f} for each under calls; "
              f"p50 {figures['p50']:,.0f} us, p99 {figures['p99']:,.0f} us, {figures['failed_share']:.1%} of the calls failed; "
              f"{most[name]:,} held")
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, figures=summary, connections=held, load_before=load_before)
    print(f"\nFigures: {options.json}")


if __name__ == "__main__":
    main()
