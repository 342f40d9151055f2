#!/usr/bin/env python3
"""The gateway against HAProxy and nginx: the same backend (the interop server), the same load, in turn so that a busy minute hits
all. The proxy is alone on core 0; the backend and the client share core 1.

    unary       CPU of the proxy's process per UnaryCall with a reply of 200 bytes (h2load, 16 connections x 16 streams)
    latency     p50 of one call at a time on one connection (mainstay-load), less that of the backend called directly
    download    one StreamingOutputCall with replies of 1 MiB (h2load): CPU of the proxy per MiB, and MiB per second
    upload      one StreamingInputCall with messages of 1 MiB: the same

HAProxy reuses connections always and has H2 windows of 1 MiB, on one thread; nginx has one worker and keeps connections. All
check the backend's certificate. Standard library only."""

import argparse
import pathlib
import sys
import tempfile

from mainstay_system import ROOT, free_port
from measure import BINARIES, Servers, load, load_average, spread, write_figures
from run import UNARY_CALL, UNARY_REQUEST, Subject, body_file
from run import measure as measure_unary
from wire import download_body, stream, upload_body

HAPROXY = """
global
  nbthread 1
  maxconn 9000
  tune.h2.initial-window-size 1048576
  tune.h2.max-concurrent-streams 1000
  {log_target}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
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
"""


def write(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    return str(path)


def children(pid):
    """The processes that one has started."""
    return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def start_gateway(servers, backend):
    port, folder = free_port(), servers.folder
    config = write(folder, "gateway.yaml", GATEWAY.format(port=port, folder=folder, backend=backend))
    return port, servers.start([str(BINARIES / "mainstay-gateway"), "--config", config], port)


def start_haproxy(servers, backend, log=False):
    port, folder = free_port(), servers.folder
    both = pathlib.Path(folder, "both.pem")
    both.write_text(pathlib.Path(servers.certificate).read_text() + pathlib.Path(servers.key).read_text())
    both.chmod(0o600)
    config = write(folder, f"haproxy-{port}.cfg", HAPROXY.format(
        port=port, folder=folder, backend=backend, log_target="log stdout format raw local0" if log else "",
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


def measure_round(servers, proxies, direct, bodies, options):
    """All measures of all proxies once."""
    done = {}
    for name, (port, pid) in proxies.items():
        subject = Subject(name, f"https://127.0.0.1:{port}/{UNARY_CALL}", {name: pid}, bodies["unary"])
        unary = measure_unary(subject, options.calls, 16, 16)
        done[name] = {"unary cpu_microseconds": unary["cpu_microseconds"][name], "unary calls_per_second": unary["calls_per_second"]}
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
        measure_round(servers, proxies, backend, bodies, options)  # warm up
        rounds = []
        for number in range(options.rounds):
            turned = dict(sorted(proxies.items(), reverse=number % 2))
            rounds.append(measure_round(servers, turned, backend, bodies, options))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)

    names = list(proxies)
    print(f"\n{'':<36}" + "".join(f"{name:>12}" for name in names) + f"{'/ haproxy':>12}{'min–max':>14}{'/ nginx':>10}")
    summary = {}
    for figure in rounds[0]["gateway"]:
        values = {name: spread([each[name][figure] for each in rounds]) for name in names}
        ratio = {name: spread([each["gateway"][figure] / each[name][figure] for each in rounds]) for name in names[1:]}
        summary[figure] = {"values": values, "ratios": ratio}
        print(f"{figure:<36}" + "".join(f"{values[name]['median']:>12,.1f}" for name in names)
              + f"{ratio['haproxy']['median']:>12.2f}   {ratio['haproxy']['min']:.2f}–{ratio['haproxy']['max']:<8.2f}"
              + f"{ratio['nginx']['median']:>7.2f}")
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, figures=summary, load_before=load_before)
    print(f"\nFigures: {options.json}")


if __name__ == "__main__":
    main()
