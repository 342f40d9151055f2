#!/usr/bin/env python3
"""From a write to the report: how long after a write was answered the figures contain it, at a fixed rate of single writes
through the gateway (half CreateParty, half CreatePolicy, each with a new policyholder and a request_id). Needs grpcio and
grpcio-tools.

mainstay-load makes the writes, at their times whether or not earlier ones were answered; a few of them, spread over the run, are made
here and looked at one by one. Meanwhile another process asks reporting how many events are in its figures (GetLag), every few
milliseconds. Afterwards the customer service's events tell each such write's place in their order. Its delay ends when the first
answer that counts all of its events has come in, so it is never too small, and too large by at most the time between two answers,
which is printed. The figures themselves are checked at the end: they must hold every write.
"""

import argparse
import asyncio
import bisect
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import grpc

from mainstay_system import ROOT, Mainstay
from measure import BINARIES, cpu_seconds, load_average, write_figures

sys.path.append(str(ROOT / "proto"))
# Longest wait for the last events after the last write.
CATCH_UP_SECONDS = 60
# The other writes begin before those that are looked at, and end after them.
LEAD_SECONDS = 1
# What must hold: the share of the wanted rate that was reached, and the delay at the 99th percentile.
LEAST_RATE_SHARE = 0.95
MOST_DELAY_MILLISECONDS = 1_000
SERVICES = ("gateway", "customer", "reporting", "agent", "partner")
# Both kinds of writes as mainstay-load makes them.
MIX = {"calls": [
    {"method": "mainstay.customer.v1.CustomerService/CreateParty", "data": {
        "party": {"source": "delay", "sourceKey": "{{uuid}}", "person": {"familyName": "Li", "givenName": "Ming"}},
        "requestId": "{{uuid}}"}},
    {"method": "mainstay.customer.v1.PolicyService/CreatePolicy", "data": {
        "policy": {"source": "delay", "sourceKey": "{{uuid}}", "policyholderSourceKey": "{{uuid}}", "productCode": "LIFE",
                   "channel": "CHANNEL_ONLINE", "state": "POLICY_STATE_IN_FORCE", "issueDate": {"year": 2026, "month": 6, "day": 1},
                   "annualPremium": {"currencyCode": "CNY", "minorUnits": "100000"}},
        "requestId": "{{uuid}}"}},
]}


def load(path):
    """Messages and stubs of a proto file."""
    return grpc.protos_and_services(f"mainstay/{path}.proto")


def credentials(home):
    """The administrator's."""
    ca, key, certificate = (pathlib.Path(home, "pki", name).read_bytes() for name in ("ca.pem", "admin-key.pem", "admin.pem"))
    return grpc.ssl_channel_credentials(ca, key, certificate)


def poll(home, port, interval, ended, pipe):
    """In a process of its own: (when asked, when answered, events in the figures), until `ended`."""
    messages, services = load("reporting/v1/reporting_service")
    answers = []
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials(home)) as channel:
        stub = services.ReportingServiceStub(channel)
        due = time.monotonic()
        while not ended.is_set():
            asked = time.monotonic()
            lags = stub.GetLag(messages.GetLagRequest(), timeout=10).lags
            applied = next(lag.applied_events for lag in lags if lag.service == "customer")
            answers.append((asked, time.monotonic(), applied))
            due = max(due + interval, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))
    pipe.send(answers)


async def write(home, port, rate, seconds):
    """Sends the writes at their times: a list of (when due, when answered, ids of what was written), and how many failed."""
    parties, customers = load("customer/v1/party")[0], load("customer/v1/customer_service")
    policies, policy_services = load("customer/v1/policy_service")
    day = load("customer/v1/policy_service")[0].Policy().issue_date.__class__(year=2026, month=6, day=1)
    money = policies.Policy().annual_premium.__class__(currency_code="CNY", minor_units=100_000)
    done, failures = [], []
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials(home)) as channel:
        customer_stub = customers[1].CustomerServiceStub(channel)
        policy_stub = policy_services.PolicyServiceStub(channel)

        async def one(number, due):
            try:
                if number % 2 == 0:
                    party = parties.Party(
                        source="delay", source_key=f"party-{number}",
                        person=parties.Person(family_name="Li", given_name=f"Ming{number}"))
                    reply = await customer_stub.CreateParty(
                        customers[0].CreatePartyRequest(party=party, request_id=f"delay-{number}"), timeout=10)
                    ids = [reply.party_id]
                else:
                    policy = policies.Policy(
                        source="delay", source_key=f"policy-{number}", policyholder_source_key=f"holder-{number}",
                        product_code="LIFE", channel=policies.CHANNEL_ONLINE, state=policies.POLICY_STATE_IN_FORCE,
                        issue_date=day, annual_premium=money)
                    reply = await policy_stub.CreatePolicy(
                        policies.CreatePolicyRequest(policy=policy, request_id=f"delay-{number}"), timeout=10)
                    ids = [reply.policy_id, reply.policyholder_party_id]
                done.append((due, time.monotonic(), ids))
            except grpc.RpcError as error:
                failures.append(f"{error.code().name}: {error.details()}")

        await channel.channel_ready()
        begin = time.monotonic() + 0.1
        tasks = []
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            tasks.append(asyncio.create_task(one(number, due)))
        await asyncio.gather(*tasks)
    return done, failures


def places(home, port):
    """The place of each aggregate's first event in the order of all, and how many events there are."""
    messages, services = load("platform/v1/events")
    order = {}
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials(home)) as channel:
        pages = services.EventServiceStub(channel).Subscribe(
            messages.SubscribeRequest(until_caught_up=True), metadata=[("mainstay-service", "customer")], timeout=120)
        count = 0
        for page in pages:
            for event in page.events:
                count += 1
                order.setdefault(event.aggregate_id, count)
    return order, count


def percentiles(values):
    """Median, 99th percentile and largest, in milliseconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": 1_000 * cuts[49], "p99": 1_000 * cuts[98], "max": 1_000 * max(values)}


def background(mainstay, folder, options):
    """mainstay-load with the writes that are not looked at."""
    mix, result = pathlib.Path(folder, "mix.json"), pathlib.Path(folder, "load.json")
    mix.write_text(json.dumps(MIX))
    pki = mainstay.home / "pki"
    return result, subprocess.Popen(
        [str(BINARIES / "mainstay-load"), "--mix", str(mix), "--target", f"127.0.0.1:{mainstay.port('gateway')}",
         "--ca", str(pki / "ca.pem"), "--cert", str(pki / "admin.pem"), "--key", str(pki / "admin-key.pem"),
         "--rate", str(options.rate - options.looked_at), "--duration", f"{options.seconds + 2 * LEAD_SECONDS}s",
         "--connections", "4", "--streams", "250", "--sleep-between-calls", "--json", str(result), "--error-budget", "100%"],
        stdout=subprocess.DEVNULL)


def wait_for_figures(mainstay, written):
    """Waits until the figures hold all events of so many writes; gives each aggregate's place in them, and how many they are."""
    end = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < end:
        order, count = places(str(mainstay.home), mainstay.port("gateway"))
        lag = mainstay.run("reports", "lag", "--format", "csv")
        if sum(each.startswith("par_") for each in order) == written and f"\ncustomer,true,true,0,{count}," in lag:
            return order, count
        time.sleep(0.2)
    sys.exit(f"the figures do not hold all of {written} writes after {CATCH_UP_SECONDS} s: {count} events\n{lag}")


def run(mainstay, folder, options):
    """Writes and polls; gives the writes looked at, the failures, the polls, places of events, what mainstay-load says, and CPU."""
    home, port = str(mainstay.home), mainstay.port("gateway")
    context = multiprocessing.get_context("spawn")
    ended, (ours, theirs) = context.Event(), context.Pipe()
    poller = context.Process(target=poll, args=(home, port, options.poll / 1_000, ended, theirs), daemon=True)
    poller.start()
    before = {name: cpu_seconds(mainstay.pid(name)) for name in SERVICES}
    result, loader = background(mainstay, folder, options)
    time.sleep(LEAD_SECONDS)
    done, failures = asyncio.run(write(home, port, options.looked_at, options.seconds))
    if loader.wait() != 0:
        sys.exit("mainstay-load failed")
    time.sleep(LEAD_SECONDS)
    others = json.loads(result.read_text())
    written = len(done) + others["outcomes"].get("OK", 0)
    cpu = {name: (cpu_seconds(mainstay.pid(name)) - before[name]) * 1e6 / written for name in SERVICES}
    order, count = wait_for_figures(mainstay, written)
    ended.set()
    polls = ours.recv()
    poller.join()
    check(mainstay, written, order, count)
    return done, failures, polls, order, others, cpu


def check(mainstay, written, order, count):
    """Whether the figures hold every write."""
    policies = sum(each.startswith("pol_") for each in order)
    kpi = mainstay.run("reports", "run", "kpi", "--source", "delay", "--format", "csv")
    right = all(f"\n{line}\n" in kpi for line in (
        f"customers,customers,{written}", f"customers_with_policy,customers,{policies}", f"policies,policies,{policies}"))
    if not right or count != written + policies:
        sys.exit(f"the figures do not hold what was written: {written} writes, {policies} policies, {count} events\n{kpi}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2_000, help="writes per second")
    parser.add_argument("--looked-at", type=int, default=50, help="how many of them, each second, are looked at one by one")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--poll", type=float, default=5, help="milliseconds between two looks at the figures")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-delay.json", help="where the figures go")
    options = parser.parse_args()

    load_before = load_average()
    with tempfile.TemporaryDirectory(prefix="mainstay-delay-") as folder:
        mainstay = Mainstay(folder)
        try:
            done, failures, polls, order, others, cpu = run(mainstay, folder, options)
        finally:
            mainstay.stop()

    counts = [applied for _, _, applied in polls]
    delays, answers = [], []
    for due, answered, ids in done:
        seen = bisect.bisect_left(counts, max(order[each] for each in ids))
        delays.append(max(0.0, polls[seen][1] - answered))
        answers.append(answered - due)
    failed = len(failures) + others["failed"]
    figures = {
        "writes": len(done) + others["calls"], "failed": failed, "looked_at": len(done),
        "writes_per_second": others["calls_per_second"] + len(done) / options.seconds,
        "report_delay_ms": percentiles(delays), "write_ms": percentiles(answers),
        "resolution_ms": percentiles([b[1] - a[1] for a, b in zip(polls, polls[1:])]),
        "cpu_microseconds_per_write": cpu | {"mainstay-load": others["client_cpu_microseconds_per_call"]},
        "load_before": load_before,
    }
    print(f"{figures['writes']:,} writes: {figures['writes_per_second']:,.0f} a second ({options.rate:,} wanted), {failed} failed; "
          f"{len(done):,} looked at; {os.cpu_count()} cores, load {load_before:.1f} before, {load_average():.1f} after")
    for title, key in (("from the answer to the figures", "report_delay_ms"), ("from the time due to the answer", "write_ms"),
                       ("between two looks at the figures", "resolution_ms")):
        value = figures[key]
        print(f"{title:<34} p50 {value['p50']:7.1f} ms   p99 {value['p99']:7.1f} ms   max {value['max']:7.1f} ms")
    print("µs of CPU for each write: " + ", ".join(f"{name} {each:.0f}" for name, each in figures["cpu_microseconds_per_write"].items()))
    write_figures(options.json, **figures)
    if failed:
        sys.exit(f"{failed} writes failed: {failures[:1]} {others['outcomes']}")
    if figures["writes_per_second"] < LEAST_RATE_SHARE * options.rate:
        sys.exit(f"MISSED {figures['writes_per_second']:,.0f} writes a second, {options.rate:,} are wanted")
    if figures["report_delay_ms"]["p99"] > MOST_DELAY_MILLISECONDS:
        sys.exit(f"MISSED p99 {figures['report_delay_ms']['p99']:.0f} ms, at most {MOST_DELAY_MILLISECONDS} ms are wanted")


if __name__ == "__main__":
    main()
