#!/usr/bin/env python3
"""A service that is asked for three times what it can do, through the gateway: how much of its best it goes on doing, and how long
the calls that are let in take. The service is the interop server whose calls each burn CPU (500 microseconds unless told otherwise); it is
alone on core 0. The proxy and the load share core 1. In each round, in turn:

    best        goodput of the service, closed loop, straight to it: what it can do
    adaptive    3 x best, open loop, through the gateway as it is by default
    unlimited   the same with the gateway's limit off: calls have one second, and what takes longer is no good
    haproxy     the same through HAProxy with maxconn and a queue (its limit has to be known beforehand: here the best limit is told)

then the gateway itself, before a service that costs next to nothing:

    alone       the gateway on core 0, the service and the load on core 1, closed loop: calls a second and the share of its core that they take,
                so what a core of it that is full would do
    beyond      the gateway and the service on core 0, the load on core 1: closed loop for what that core can do, then twice that in an open loop

On a machine with two cores nothing else may run: look at the load that is printed. Standard library only."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from gateway import GATEWAY, HAPROXY, write
from mainstay_system import ROOT, free_port
from measure import BINARIES, Servers, cpu_seconds, load_average, pinned, spread, write_figures
from run import UNARY_CALL

DATA = '{"responseSize": 200}'
# Calls that HAProxy passes on at once, and how long the others may wait in its queue: as many as the service answers within the gateway's 50 ms.
HAPROXY_MAXCONN = 100
HAPROXY_CONNECTIONS = 9_000
HAPROXY_QUEUE = "timeout queue 60ms"
GOOD = "OK"
WARM_UP_SECONDS = 0.5


def start_gateway(servers, backend, core, settings=""):
    port = free_port()
    config = write(servers.folder, f"gateway-{port}.yaml", GATEWAY.format(
        port=port, folder=servers.folder, backend=backend, more=settings))
    return port, servers.start([str(BINARIES / "mainstay-gateway"), "--config", config], port, core=core)


def start_haproxy(servers, backend, core):
    port, folder = free_port(), servers.folder
    both = pathlib.Path(folder, "both.pem")
    both.write_text(pathlib.Path(servers.certificate).read_text() + pathlib.Path(servers.key).read_text())
    both.chmod(0o600)
    text = HAPROXY.format(port=port, folder=folder, backend=backend, connections=HAPROXY_CONNECTIONS, log_target="", log=HAPROXY_QUEUE)
    text = text.replace("alpn h2 proto h2", f"alpn h2 proto h2 maxconn {HAPROXY_MAXCONN}")
    return port, servers.start(["haproxy", "-db", "-f", write(folder, f"haproxy-{port}.cfg", text)], port, core=core)


def start_service(servers, core, burn):
    port = free_port()
    command = [str(BINARIES / "mainstay-interop"), "server", "--port", str(port), "--cert", servers.certificate,
               "--key", servers.key, "--burn-microseconds", str(burn)]
    return port, servers.start(command, port, core=core)


def calls(servers, port, core, arguments):
    """Runs mainstay-load; whatever share of the calls fails is a figure and no error."""
    path = pathlib.Path(servers.folder, f"calls-{port}.json")
    command = [str(BINARIES / "mainstay-load"), UNARY_CALL, "--data", DATA, "--target", f"localhost:{port}",
               "--ca", servers.certificate, "--json", str(path), "--error-budget", "100%", *arguments]
    done = subprocess.run(pinned(core, command), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mainstay-load failed: {done.stderr.strip()}")
    return json.loads(path.read_text())


def closed_loop(servers, port, core, seconds, streams):
    result = calls(servers, port, core, ["--connections", "4", "--streams", str(streams), "--warm-up", f"{WARM_UP_SECONDS * 1000:.0f}ms", "--duration", f"{seconds}s"])
    return result["calls_per_second"]


def open_loop(servers, port, core, rate, options):
    """An overload: what was answered in time, and how long that took."""
    result = calls(servers, port, core, [
        "--rate", f"{rate:.0f}", "--connections", "16", "--streams", "1000", "--sleep-between-calls", "--ramp", "1s", "--warm-up", "2s",
        "--duration", f"{options.seconds}s", "--deadline", f"{options.deadline_milliseconds}ms"])
    outcomes = result["outcomes"]
    latency = result["ok_latency_microseconds"]
    return {
        "offered": result["calls"] / options.seconds,
        "goodput": outcomes.get(GOOD, 0) / options.seconds,
        "refused": sum(count for code, count in outcomes.items() if code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE")) / options.seconds,
        "other": sum(count for code, count in outcomes.items()
                     if code not in (GOOD, "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED")) / options.seconds,
        "too late": outcomes.get("DEADLINE_EXCEEDED", 0) / options.seconds,
        "p50 ms": latency["p50"] / 1e3, "p99 ms": latency["p99"] / 1e3,
    }


def overload_round(servers, ports, backend, options, turned):
    best = closed_loop(servers, backend, 1, options.seconds, 4)
    done = {"best": best}
    for name in sorted(ports, reverse=turned):
        figures = open_loop(servers, ports[name], 1, options.times * best, options)
        figures["goodput / best"] = figures["goodput"] / best
        done[name] = figures
    return done


def alone_round(servers, port, pid, options):
    """What a core of the gateway does."""
    before = cpu_seconds(pid)
    rate = closed_loop(servers, port, 1, options.seconds, 64)
    microseconds = 1e6 * (cpu_seconds(pid) - before) / (rate * (options.seconds + WARM_UP_SECONDS))
    return {"calls per second": rate, "CPU microseconds per call": microseconds, "calls per second of a full core": 1e6 / microseconds}


def beyond_round(servers, port, options):
    """A core that is full, and twice as much asked of it."""
    most = closed_loop(servers, port, 1, options.seconds, 64)
    figures = open_loop(servers, port, 1, 2 * most, options)
    return {"calls per second": most, "goodput at twice that / it": figures["goodput"] / most,
            **{f"{name} at twice that": figures[name] for name in ("refused", "too late", "p50 ms", "p99 ms")}}


def table(title, rounds):
    print(f"\n{title}")
    summary = {}
    for figure in rounds[0]:
        summary[figure] = spread([each[figure] for each in rounds])
        each = summary[figure]
        print(f"  {figure:<32}{each['median']:>12,.2f}   {each['min']:,.2f}–{each['max']:,.2f}")
    return summary


def saturation(servers, options, figures):
    backend, _ = start_service(servers, 1, 0)
    port, pid = start_gateway(servers, backend, 0)
    closed_loop(servers, port, 1, 1, 16)
    figures["alone"] = table("the gateway alone on its core", [alone_round(servers, port, pid, options) for _ in range(options.rounds)])
    servers.end(pid)
    backend, _ = start_service(servers, 0, 0)
    port, _ = start_gateway(servers, backend, 0)
    closed_loop(servers, port, 1, 1, 16)
    figures["beyond"] = table(
        "the gateway and the service on one full core", [beyond_round(servers, port, options) for _ in range(options.rounds)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--times", type=float, default=3, help="load, in what the service can do")
    parser.add_argument("--burn-microseconds", type=int, default=500, help="CPU of each call")
    parser.add_argument("--deadline-milliseconds", type=int, default=1_000, help="what the callers wait")
    parser.add_argument("--no-saturation", action="store_true", help="leave out the gateway's own saturation")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-overload.json", help="where the figures go")
    options = parser.parse_args()

    load_before = load_average()
    figures = {}
    with tempfile.TemporaryDirectory(prefix="mainstay-overload-") as folder, Servers(folder) as servers:
        backend, service = start_service(servers, 0, options.burn_microseconds)
        ports = {"adaptive": start_gateway(servers, backend, 1)[0],
                 "unlimited": start_gateway(servers, backend, 1, "concurrency: {most: 0}\n")[0]}
        try:
            ports["haproxy"] = start_haproxy(servers, backend, 1)[0]
        except FileNotFoundError:
            print("haproxy is not installed: left out", file=sys.stderr)
        for port in ports.values():  # what calls take without load
            calls(servers, port, 1, ["--rate", "200", "--sleep-between-calls", "--duration", "2s", "--streams", "16"])
        rounds = []
        for number in range(options.rounds):
            rounds.append(overload_round(servers, ports, backend, options, number % 2))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
        best = spread([each["best"] for each in rounds])
        print(f"\nbest of the service: {best['median']:,.0f} calls/s ({best['min']:,.0f}–{best['max']:,.0f})")
        figures["best"] = best
        for name in sorted(ports):
            figures[name] = table(f"{options.times:g} x its best through: {name}", [each[name] for each in rounds])
        for pid in [process.pid for process in list(servers.processes)]:
            servers.end(pid)
        if not options.no_saturation:
            saturation(servers, options, figures)
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, figures=figures, load_before=load_before, options={
        "rounds": options.rounds, "seconds": options.seconds, "times": options.times,
        "burn_microseconds": options.burn_microseconds, "deadline_milliseconds": options.deadline_milliseconds})


if __name__ == "__main__":
    main()
