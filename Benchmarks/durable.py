#!/usr/bin/env python3
"""Durable writes by 64 callers on SQLite: with group commit and with one transaction each, in turns on the same disk; how many
syncs a write takes, counted by strace; what the outbox, the audit leaf and the kept answer cost. Standard library only."""

import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from measure import BINARIES, write_figures
from mainstay_system import ROOT

CALLERS = 64
KINDS = {
    "row": "one row",
    "answered": "row and kept answer",
    "told": "row, kept answer, event",
    "full": "row, kept answer, event, audit leaf",
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
    return json.loads(done.stdout)


def syncs(folder, kind, writes):
    """Syncs of a run, opening and closing the file included; None without strace."""
    if not shutil.which("strace"):
        return None
    log = pathlib.Path(folder) / "strace"
    run(folder, kind, 64, writes, ["strace", "-f", "-c", "-o", str(log), "-e", "trace=fsync,fdatasync"])
    return sum(int(count) for count in re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*f(?:data)?sync$", log.read_text(), re.M))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-durable.json", help="where the figures go")
    options = parser.parse_args()
    figures = {"callers": CALLERS, "writes": options.writes, "kinds": {}}
    missed = []
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        rates = {(kind, group): [] for kind in KINDS for group in (64, 1)}
        cpu = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind, group in rates:
                ran = run(folder, kind, group, options.writes)
                rates[kind, group].append(ran["writes"] / ran["seconds"])
                if group == 64:
                    cpu[kind].append(ran["cpu_seconds"] / ran["writes"] * 1e6)
        print(f"{'a write is':38} {'grouped/s':>10} {'alone/s':>10} {'times':>6} {'µs CPU':>7} {'of full':>8} {'writes/sync':>12}")
        whole = statistics.median(cpu["full"])
        previous = 0.0
        for kind, words in KINDS.items():
            grouped, alone = (statistics.median(rates[kind, group]) for group in (64, 1))
            cost = statistics.median(cpu[kind])
            counted = syncs(folder, kind, options.writes)
            per_sync = options.writes / counted if counted else None
            print(f"{words:38} {grouped:10,.0f} {alone:10,.0f} {grouped / alone:6.1f} {cost:7.1f} {(cost - previous) / whole:8.0%} "
                  f"{per_sync or float('nan'):12.1f}")
            figures["kinds"][kind] = {"grouped_per_second": grouped, "alone_per_second": alone, "cpu_microseconds": cost,
                                      "writes_per_sync": per_sync}
            if per_sync is not None and per_sync < LEAST_WRITES_PER_SYNC:
                missed.append(f"{words}: {per_sync:.1f} writes for each sync, at least {LEAST_WRITES_PER_SYNC} are wanted")
            if grouped / alone < LEAST_TIMES.get(kind, 0):
                missed.append(f"{words}: {grouped / alone:.1f} times one transaction each, {LEAST_TIMES[kind]} are wanted")
            previous = cost
    write_figures(options.json, **figures)
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
