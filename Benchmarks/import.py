#!/usr/bin/env python3
"""Imports a million generated rows through the gateway: rows per second, and the memory of the customer service while it
works, which must stay flat. Standard library only."""

import argparse
import csv
import datetime
import json
import pathlib
import random
import sys
import tempfile
import threading
import time

from mainstay_system import ROOT, Mainstay

# The columns of the FEBRL data sets, so that their mapping file serves here as well.
COLUMNS = ["rec_id", "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state",
           "date_of_birth", "soc_sec_id"]
SYLLABLES = "an bei chen dan fang gao hui jia kang li mei na ping qing rui shan tao wen xiu yan zhi".split()
STATES = ["nsw", "vic", "qld", "wa", "sa", "tas", "act", "nt"]
# Memory may still grow this much between the middle and the end: allocators and page caches settle slowly.
GROWTH_LIMIT = 1.10


def write_rows(path, count):
    """Invented people, the same for the same count."""
    source = random.Random(2)
    first_birth = datetime.date(1930, 1, 1)

    def name(parts):
        return "".join(source.choice(SYLLABLES) for _ in range(parts))

    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number in range(count):
            birth = first_birth + datetime.timedelta(days=source.randrange(30_000))
            writer.writerow([
                f"row-{number}", name(2), name(1), source.randrange(1, 400), f"{name(2)} street", "", name(3),
                f"{source.randrange(800, 9999):04}", source.choice(STATES), birth.strftime("%Y%m%d"),
                source.randrange(1_000_000, 9_999_999)])


class MemoryWatch(threading.Thread):
    """Resident memory of a process in KiB, once a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.samples, self.ended = pid, [], threading.Event()

    def sample(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                self.samples.append(int(line.split()[1]))

    def run(self):
        while not self.ended.wait(1):
            self.sample()

    def stop(self):
        self.ended.set()
        self.join()
        self.sample()

    def at(self, share):
        """Memory after this share of the time."""
        return self.samples[min(int(share * len(self.samples)), len(self.samples) - 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-import.json", help="where the figures go")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="mainstay-import-") as folder:
        rows = pathlib.Path(folder, "rows.csv")
        write_rows(rows, options.rows)
        mainstay = Mainstay(folder)
        try:
            watch = MemoryWatch(mainstay.pid("customer"))
            watch.sample()
            watch.start()
            begin = time.monotonic()
            imported = mainstay.run(
                "customers", "import", str(rows), "--source", "bench", "--mapping", str(mainstay.mapping("febrl")))
            seconds = time.monotonic() - begin
            watch.stop()
            print(imported.strip())
            counted = mainstay.run("customers", "clusters", "--source", "bench", "--format", "csv").count("\n") - 1
        finally:
            mainstay.stop()

    start, tenth, half, end = watch.samples[0], watch.at(0.1), watch.at(0.5), watch.samples[-1]
    flat = end <= half * GROWTH_LIMIT
    complete = counted == options.rows
    print(f"{options.rows:,} rows in {seconds:.1f} s: {options.rows / seconds:,.0f} rows/s")
    print(f"memory of the customer service: {start / 1024:.0f} MiB at the start, "
          f"{tenth / 1024:.0f} at 10 %, {half / 1024:.0f} at 50 %, {end / 1024:.0f} MiB at the end")
    print(f"memory is {'flat' if flat else 'NOT FLAT'}: the second half grew it by {100 * (end / half - 1):.0f} % "
          f"(limit {100 * (GROWTH_LIMIT - 1):.0f} %)")
    print(f"rows found again: {counted:,} of {options.rows:,}{'' if complete else ': ROWS ARE MISSING OR DOUBLE'}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({
        "rows": options.rows, "seconds": seconds, "rows_per_second": options.rows / seconds, "found_again": counted,
        "memory_kib": {"start": start, "tenth": tenth, "half": half, "end": end}, "flat": flat,
    }, indent=2) + "\n")
    sys.exit(0 if flat and complete else 1)


if __name__ == "__main__":
    main()
