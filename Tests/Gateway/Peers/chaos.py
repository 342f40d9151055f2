"""Chaos behind a gateway: replicas are killed, stopped, slowed down, cut off and restarted under load, as a seed says. Each call must
end with OK and the whole answer, or with an honest code; afterwards the gateway holds no stream, no descriptor and no memory more.

chaos.py BIN SEED SECONDS          BIN: the programs
"""

import random
import signal
import sys
import time

from site_of_programs import Calls, Load, Site, eventually

# What a caller may be told of a service that is away, late or overloaded. Anything else would be a wrong answer.
HONEST = {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED"}
ROUNDS = 3
# Per round, once all is quiet: allocators keep some of what they had.
MOST_GROWTH_KIBIBYTES = 8_192
WORKERS = 12


def harm(site, rng, counts):
    """One thing after another to a replica drawn for it."""
    number = rng.randrange(len(site.replicas))
    replica, relay = site.replicas[number], site.relays[number]
    kind = rng.choice(["kill", "stop", "slow", "cut", "silent", "restart"])
    counts[kind] = counts.get(kind, 0) + 1
    pause = rng.uniform(0.05, 1.5)
    if kind == "kill":
        replica.kill()
        time.sleep(pause)
        replica.start()
    elif kind == "stop":
        replica.signal(signal.SIGSTOP)
        time.sleep(2 * pause)
        replica.signal(signal.SIGCONT)
    elif kind == "slow":
        relay.delay = rng.uniform(0.01, 0.3)
        time.sleep(2 * pause)
        relay.delay = 0
    elif kind == "cut":
        relay.cut()
        time.sleep(pause / 5)
    elif kind == "silent":
        relay.silence(True)
        time.sleep(2 * pause)
        if rng.random() < 0.5:
            relay.cut()
        relay.silence(False)
    else:
        replica.restart()


def unfinished(site):
    figures = site.figures()
    started = figures["grpc_server_call_started_total"] - figures["grpc_server_call_duration_seconds_count"]
    attempts = figures["grpc_client_attempt_started_total"] - figures["grpc_client_attempt_duration_seconds_count"]
    return started, attempts


def chaos(site, calls, seed, seconds):
    kinds = ["unary", "unary", "unary", "outputs", "inputs", "duplex", "cancelled"]
    load = Load(site, calls, kinds, seed, WORKERS, lambda rng: rng.choice([0.05, 0.5, 2.0, 5.0]))
    rng, counts, end = random.Random(seed), {}, time.monotonic() + seconds
    while time.monotonic() < end:
        harm(site, rng, counts)
        time.sleep(rng.uniform(0, 0.4))
    load.stop()
    return load, counts


def main(programs, seed, seconds):
    print(f"MAINSTAY_CHAOS_SEED={seed}", flush=True)
    site = Site(programs)
    try:
        calls = Calls(site.channel())
        gateway = site.gateways[0]
        # What connections and buffers a gateway at work has; those of our own first channel end before they are counted.
        quiet = []
        for round_number in range(ROUNDS):
            load, counts = chaos(site, calls, f"{seed} {round_number}", seconds / ROUNDS)
            assert not load.faults, load.faults
            assert load.codes() <= HONEST, load.outcomes
            assert load.count("OK") > load.count() / 10, load.outcomes
            eventually(lambda: unfinished(site) == (0, 0), lambda: f"the gateway still has {unfinished(site)} calls and attempts")
            eventually(lambda: not quiet or gateway.descriptors() <= quiet[0][0] + len(site.replicas),
                       lambda: f"{gateway.descriptors()} descriptors, {quiet[0][0]} after the first round")
            # A call to each replica, so that what is connected anew is connected before it is counted.
            with site.channel() as channel:
                for _ in range(50):
                    calls.unary(channel, random.Random(seed), 30)
            quiet.append((gateway.descriptors(), gateway.resident_kibibytes()))
            print(f"round {round_number}: {dict(sorted(counts.items()))}; {load.count()} calls, {load.count('OK')} OK; "
                  f"{ {code: load.count(code) for code in sorted(load.codes())} }; descriptors and KiB {quiet[-1]}", flush=True)
        growth = quiet[-1][1] - quiet[0][1]
        assert growth <= MOST_GROWTH_KIBIBYTES * (ROUNDS - 1), f"memory grew by {growth} KiB"
        assert gateway.child.poll() is None
    except AssertionError as error:
        print(f"MAINSTAY_CHAOS_SEED={seed}: {error}", file=sys.stderr)
        print(open(site.gateways[0].log).read()[-3000:], file=sys.stderr)
        return 1
    finally:
        site.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
