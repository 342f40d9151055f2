"""Figures of uslapseagent.csv, computed from the file alone; the tests compare mainstay's reports with what this prints.

    persistency.py persistency FILE [--by premium-frequency] [--months 13,25,37] [--basis count|premium]
    persistency.py survival FILE [--by premium-frequency] [--months 12,24,60] [--event surrender|any]
    persistency.py facts FILE

Standard library only, exact numbers throughout: nothing here is taken from Mainstay.
"""
import argparse
import csv
import sys
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

FREQUENCIES = {"InfraAnnual": "infra-annual", "Annual": "annual", "Other": "other"}


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            minor_units = round(100 * (Decimal("526.58") * Decimal(row["annual_premium"]) + Decimal("560.88")))
            yield {
                "group": FREQUENCIES[row["premium_frequency"]],
                "quarters": Fraction(row["duration"]),
                "ended": row["termination_cause"] != "in-force",
                "surrendered": row["termination_cause"] == "surrender",
                "premium": minor_units if minor_units > 0 else None,
            }


def decimals(value, places):
    """A fraction with so many decimals, rounded half to even without floating point."""
    scaled = value * 10**places
    whole = scaled.numerator // scaled.denominator
    rest = scaled - whole
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2):
        whole += 1
    return str(Decimal(whole).scaleb(-places).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN))


def grouped(policies, by):
    groups = defaultdict(list)
    for policy in policies:
        groups[policy["group"] if by else ""].append(policy)
    return sorted(groups.items())


def persistency(options, out):
    premium = options.basis == "premium"
    head = ["premium_frequency"] if options.by else []
    out.writerow(head + (["currency", "month", "premium", "kept", "persistency"] if premium else
                         ["month", "policies", "kept", "persistency"]))
    for group, policies in grouped(rows(options.file), options.by):
        for month in options.months:
            whole = kept = 0
            for policy in policies:
                weight = policy["premium"] if premium else 1
                if weight is None:
                    continue
                stood = policy["quarters"] >= Fraction(month, 3)
                if stood or policy["ended"]:
                    whole += weight
                    kept += weight if stood else 0
            share = decimals(Fraction(kept, whole), 6) if whole else ""
            out.writerow(([group] if options.by else []) + (["USD"] if premium else []) + [month, whole, kept, share])


def survival(options, out):
    out.writerow((["premium_frequency"] if options.by else []) + ["month", "survival"])
    for group, policies in grouped(rows(options.file), options.by):
        events, leaving = defaultdict(int), defaultdict(int)
        for policy in policies:
            leaving[policy["quarters"]] += 1
            events[policy["quarters"]] += policy["ended"] if options.event == "any" else policy["surrendered"]
        steps, at_risk, share = [], len(policies), 1.0
        for time in sorted(leaving):
            if events[time]:
                share *= 1 - events[time] / at_risk
                steps.append((time, share))
            at_risk -= leaving[time]
        for month in options.months:
            before = [share for time, share in steps if time <= Fraction(month, 3)]
            out.writerow(([group] if options.by else []) + [month, f"{before[-1] if before else 1:.9f}"])


def facts(options, out):
    policies = list(rows(options.file))
    known = [policy["premium"] for policy in policies if policy["premium"] is not None]
    out.writerow(["policies", "missing_premiums", "premium"])
    out.writerow([len(policies), len(policies) - len(known), sum(known)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["persistency", "survival", "facts"])
    parser.add_argument("file")
    parser.add_argument("--by", choices=["premium-frequency"])
    parser.add_argument("--months", type=lambda text: [int(month) for month in text.split(",")], default=[13, 25, 37])
    parser.add_argument("--basis", choices=["count", "premium"], default="count")
    parser.add_argument("--event", choices=["surrender", "any"], default="surrender")
    options = parser.parse_args()
    out = csv.writer(sys.stdout, lineterminator="\n")
    {"persistency": persistency, "survival": survival, "facts": facts}[options.what](options, out)


main()
