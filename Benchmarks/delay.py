#!/usr/bin/env python3
"""From a write to the report: how long after a write was answered the figures contain it, at a fixed rate of single writes
through the gateway (half CreateParty, half CreatePolicy, each with a new policyholder). Needs grpcio and grpcio-tools.

The writes are sent at their times whether or not earlier ones were answered. Meanwhile another process asks reporting how many
events are in its figures (GetLag), every few milliseconds. Afterwards the customer service's events tell each write's place in
their order. A write's delay ends when the first answer that counts all of its events has come in, so it is never too small, and
too large by at most the time between two answers, which is printed. The figures themselves are checked at the end.
"""

import argparse
import asyncio
import bisect
import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time

import grpc

from mainstay_system import ROOT, Mainstay

sys.path.append(str(ROOT / "proto"))
# Longest wait for the last events after the last write.
CATCH_UP_SECONDS = 60


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
                    reply = await customer_stub.CreateParty(customers[0].CreatePartyRequest(party=party), timeout=10)
                    ids = [reply.party_id]
                else:
                    policy = policies.Policy(
                        source="delay", source_key=f"policy-{number}", policyholder_source_key=f"holder-{number}",
                        product_code="LIFE", channel=policies.CHANNEL_ONLINE, state=policies.POLICY_STATE_IN_FORCE,
                        issue_date=day, annual_premium=money)
                    reply = await policy_stub.CreatePolicy(policies.CreatePolicyRequest(policy=policy), timeout=10)
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
    """The place of each aggregate's first event in the order of all."""
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


def run(mainstay, options):
    """Writes and polls; gives the writes, the failures and the polls."""
    home, port = str(mainstay.home), mainstay.port("gateway")
    context = multiprocessing.get_context("spawn")
    ended, (ours, theirs) = context.Event(), context.Pipe()
    poller = context.Process(target=poll, args=(home, port, options.poll / 1_000, ended, theirs), daemon=True)
    poller.start()
    done, failures = asyncio.run(write(home, port, options.rate, options.seconds))
    lag = []
    end = time.monotonic() + CATCH_UP_SECONDS
    expected = sum(len(ids) for _, _, ids in done)
    while time.monotonic() < end and not any(f"customer,true,true,0,{expected}," in line for line in lag):
        lag = mainstay.run("reports", "lag", "--format", "csv").splitlines()
    ended.set()
    polls = ours.recv()
    poller.join()
    return done, failures, polls


def check(mainstay, done, count):
    """Whether the figures hold every write."""
    policies = sum(1 for _, _, ids in done if len(ids) == 2)
    kpi = mainstay.run("reports", "run", "kpi", "--source", "delay", "--format", "csv")
    right = all(f"\n{line}\n" in kpi for line in (
        f"customers,customers,{len(done)}", f"customers_with_policy,customers,{policies}", f"policies,policies,{policies}"))
    if not right or count != sum(len(ids) for _, _, ids in done):
        sys.exit(f"the figures do not hold what was written: {policies} policies, {count} events\n{kpi}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500, help="writes per second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--poll", type=float, default=5, help="milliseconds between two looks at the figures")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-delay.json", help="where the figures go")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="mainstay-delay-") as folder:
        mainstay = Mainstay(folder)
        try:
            load_before = os.getloadavg()[0]
            done, failures, polls = run(mainstay, options)
            order, count = places(str(mainstay.home), mainstay.port("gateway"))
            check(mainstay, done, count)
        finally:
            mainstay.stop()

    counts = [applied for _, _, applied in polls]
    delays, answers = [], []
    for due, answered, ids in done:
        seen = bisect.bisect_left(counts, max(order[each] for each in ids))
        delays.append(max(0.0, polls[seen][1] - answered))
        answers.append(answered - due)
    first, last = min(due for due, _, _ in done), max(answered for _, answered, _ in done)
    figures = {
        "writes": len(done), "failed": len(failures), "writes_per_second": len(done) / (last - first),
        "report_delay_ms": percentiles(delays), "write_ms": percentiles(answers),
        "resolution_ms": percentiles([b[1] - a[1] for a, b in zip(polls, polls[1:])]),
        "load_before": load_before, "cores": os.cpu_count(),
    }
    print(f"{figures['writes']:,} writes in {last - first:.1f} s: {figures['writes_per_second']:.0f} a second "
          f"({options.rate} wanted), {len(failures)} failed; {os.cpu_count()} cores, load {load_before:.1f} before")
    for title, key in (("from the answer to the figures", "report_delay_ms"), ("from the time due to the answer", "write_ms"),
                       ("between two looks at the figures", "resolution_ms")):
        value = figures[key]
        print(f"{title:<34} p50 {value['p50']:7.1f} ms   p99 {value['p99']:7.1f} ms   max {value['max']:7.1f} ms")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if failures:
        sys.exit(f"{len(failures)} writes failed, the first with {failures[0]}")


if __name__ == "__main__":
    main()
