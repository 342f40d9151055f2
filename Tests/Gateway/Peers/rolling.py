"""Rolling restarts under load: all replicas one after the other, and one of two gateways. Callers know both gateways' addresses. Not one
call may fail, of any kind.

rolling.py BIN SEED ROUNDS          BIN: the programs
"""

import random
import sys
import time

from site_of_programs import Calls, Load, Site

WORKERS = 10


def main(programs, seed, rounds):
    print(f"seed {seed}", flush=True)
    site = Site(programs, gateways=2, relayed=False)
    try:
        load = Load(site, Calls(site.channel()), ["unary", "unary", "outputs", "inputs", "duplex"], seed, WORKERS, lambda rng: 60)
        rng = random.Random(seed)
        for _ in range(rounds):
            for restarted in [*rng.sample(site.replicas, len(site.replicas)), site.gateways[0]]:
                restarted.restart()
                # The next one only when some calls went by after this one was back.
                made = load.count("OK")
                while load.count("OK") < made + 100 and not load.count() > load.count("OK"):
                    time.sleep(0.01)
        load.stop()
        print(f"{load.count()} calls, {load.count('OK')} OK; {rounds} rounds", flush=True)
        assert load.count() == load.count("OK") and not load.faults, f"{load.outcomes} {load.faults}"
    except AssertionError as error:
        print(f"seed {seed}: {error}", file=sys.stderr)
        return 1
    finally:
        site.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
