#!/usr/bin/env python3
"""Durable writes by 64 callers on SQLite: with group commit and with one transaction each, in turns on the same disk; how many
syncs a write takes, counted by strace; what the outbox and the audit log cost in percent, with and without the sequencers that
give events their numbers and leaves their places. Standard library only."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from measure import BINARIES, counted_syncs, counting_syncs, load_average, spread, write_figures
from mainstay_system import ROOT

CALLERS = 64
KINDS = {
    "row": "one row",
    "answered": "row, kept answer",
    "told": "row, kept answer, event",
    "full": "row, kept answer, event, audit leaf",
    "numbered": "row, answer, event that is numbered",
    "placed": "all, event numbered and leaf placed",
}
# Compared with one transaction each; the others run beside sequencers, whose batches would be counted too.
ALONE = ("row", "answered", "told", "full")
# What is added, and to what.
COSTS = {
    "the outbox's row": ("told", "answered"),
    "the outbox, numbering included": ("numbered", "answered"),
    "the audit log's row": ("full", "told"),
    "the audit log, placing included": ("placed", "numbered"),
}
# What must hold: writes for each sync, and how much faster than one transaction each.
LEAST_WRITES_PER_SYNC = 16
LEAST_TIMES = {"row": 3.0, "full": 1.8}


def run(folder, kind, group, writes, prefix=()):
    """One run on a fresh file."""
    file = pathlib.Path(folder) / "durable.db"
    for old in file.parent.glob("durable.db*"):
        old.unlink()
    done = subprocess.run([*prefix, str(BINARIES / "durable"), str(file), kind, str(group), str(CALLERS), str(writes)],
                          capture_output=True, text=True, check=True)
    ran = json.loads(done.stdout)
    return {"per_second": ran["writes"] / ran["seconds"], "cpu_microseconds": ran["cpu_seconds"] / ran["writes"] * 1e6,
            "per_transaction": ran["writes"] / ran["transactions"]}


def syncs(folder, kind, writes):
    """Syncs of a run, opening and closing the file included; None without strace."""
    log = pathlib.Path(folder) / "strace"
    counting = counting_syncs(log)
    if not counting:
        return None
    run(folder, kind, 64, writes, counting)
    return counted_syncs(log)


def measure(folder, options):
    """All kinds once: what a run has given, by kind and size of the group."""
    subjects = [(kind, group) for kind in KINDS for group in (64, 1) if group == 64 or kind in ALONE]
    return {subject: run(folder, *subject, options.writes) for subject in subjects}


def costs(rounds):
    """How much more CPU and how much less throughput each addition means, in percent, within a round."""
    found = {}
    for title, (whole, part) in COSTS.items():
        pairs = [(each[whole, 64], each[part, 64]) for each in rounds]
        found[title] = {
            "cpu_microseconds": spread([a["cpu_microseconds"] - b["cpu_microseconds"] for a, b in pairs]),
            "cpu_percent": spread([100 * (a["cpu_microseconds"] / b["cpu_microseconds"] - 1) for a, b in pairs]),
            "throughput_percent": spread([100 * (a["per_second"] / b["per_second"] - 1) for a, b in pairs]),
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-durable.json", help="where the figures go")
    options = parser.parse_args()
    kinds, missed, load_before = {}, [], load_average()
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        rounds = [measure(folder, options) for _ in range(options.rounds)]
        print(f"{'a write is':38} {'grouped/s':>10} {'alone/s':>10} {'times':>6} {'µs CPU':>7} {'in a group':>11} {'writes/sync':>12}")
        for kind, words in KINDS.items():
            middle = {key: statistics.median(each[kind, 64][key] for each in rounds) for key in rounds[0][kind, 64]}
            alone = statistics.median(each[kind, 1]["per_second"] for each in rounds) if kind in ALONE else None
            times = statistics.median(each[kind, 64]["per_second"] / each[kind, 1]["per_second"] for each in rounds) if alone else None
            counted = syncs(folder, kind, options.writes)
            per_sync = options.writes / counted if counted else None
            cells = [f"{value:,.{digits}f}" if value else "–" for value, digits in ((alone, 0), (times, 1), (per_sync, 1))]
            print(f"{words:38} {middle['per_second']:10,.0f} {cells[0]:>10} {cells[1]:>6} "
                  f"{middle['cpu_microseconds']:7.1f} {middle['per_transaction']:11.1f} {cells[2]:>12}")
            kinds[kind] = {**middle, "alone_per_second": alone, "times": times, "writes_per_sync": per_sync}
            if per_sync is not None and per_sync < LEAST_WRITES_PER_SYNC:
                missed.append(f"{words}: {per_sync:.1f} writes for each sync, at least {LEAST_WRITES_PER_SYNC} are wanted")
            if times is not None and times < LEAST_TIMES.get(kind, 0):
                missed.append(f"{words}: {times:.1f} times one transaction each, {LEAST_TIMES[kind]} are wanted")
    added = costs(rounds)
    print(f"\n{'what it adds to a write':38} {'µs CPU':>8} {'CPU %':>7} {'min–max':>13} {'writes/s %':>11} {'min–max':>13}")
    for title, cost in added.items():
        cpu, rate = cost["cpu_percent"], cost["throughput_percent"]
        print(f"{title:38} {cost['cpu_microseconds']['median']:8.1f} {cpu['median']:+7.0f} {cpu['min']:+6.0f}–{cpu['max']:<+6.0f} "
              f"{rate['median']:+11.0f} {rate['min']:+6.0f}–{rate['max']:<+6.0f}")
    print(f"load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, load_before=load_before, callers=CALLERS, writes=options.writes, kinds=kinds, costs=added)
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
