#!/usr/bin/env python3
"""What a durable write through RPC costs: CreateParty with a request_id (seven rows: customer, party, membership, name, kept answer,
event, audit leaf) by 64 callers, against the customer service on SQLite and on PostgreSQL, beside pgbench with the same statements
on the same server. Reads (GetCustomer) for comparison, and the bytes that a write leaves on the disk.

    CreateParty, SQLite        the service on core 0, callers on core 1
    CreateParty, PostgreSQL    the database server on core 0, the service and its callers on core 1
    pgbench, pipelined         the same lookup and the same transaction, sent as the service sends it
    pgbench, one by one        the same, each statement waiting for the answer to the one before, as most programs do
    pgbench, one row           a transaction of one INSERT

The service also numbers the events and gives the leaves their places; its figures hold that until it is quiet again, pgbench's do
not. All subjects run in each round, in turns; what counts are the ratios within a round. Standard library only."""

import argparse
import pathlib
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from mainstay_system import ROOT, free_port
from measure import BINARIES, Servers, counted_syncs, counting_syncs, cpu_seconds, load, load_average, pinned, spread, write_figures
from postgres_server import PostgresServer

CALLERS = 64
CONNECTIONS = 4
WARM_UP_CALLS = 2_000
# A server plans a statement anew the first five times on each connection.
FIRST_CALLS = 10 * CALLERS
CREATE = "mainstay.customer.v1.CustomerService/CreateParty"
GET = "mainstay.customer.v1.CustomerService/GetCustomer"
PARTY = ('{"party": {"source": "bench", "sourceKey": "{{uuid}}", "phones": ["+86 138 0013 8000"], '
         '"person": {"familyName": "Li", "givenName": "Xiaoming"}}, "requestId": "{{uuid}}"}')
# A process is quiet that takes less of a core than this; a service looks for work a few times a second.
QUIET_SHARE = 0.05
QUIET_LOOK_SECONDS = 0.3
QUIET_PATIENCE_SECONDS = 60
# Where pgbench's numbers begin: each run has its own, all have as many digits as an id of ours.
FIRST_NUMBER = 10**18
# Most calls of one run: so far apart do the numbers of runs begin.
NUMBERS_OF_A_RUN = 10**12


class CustomerService:
    """The customer service alone, on a database; callers need no certificate."""

    def __init__(self, servers, database, core):
        self.servers, self.database, self.core = servers, database, core
        self.key = pathlib.Path(servers.folder, "audit-key.pem")
        if not self.key.exists():
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(self.key)], check=True, capture_output=True)
            self.key.chmod(0o600)
        self.start()

    def start(self):
        self.port = free_port()
        self.pid = self.servers.start([
            str(BINARIES / "mainstay-customer"), "--listen", f"127.0.0.1:{self.port}", "--database", self.database, "--replica", "bench",
            "--tls-certificate", self.servers.certificate, "--tls-private-key", self.servers.key,
            "--tls-authority", self.servers.certificate, "--tls-client-verification", "none", "--access", "public",
            "--audit-key", str(self.key), "--audit-checkpoint-file", f"{self.servers.folder}/checkpoints-{self.port}",
            "--event-loops", "1", "--idle-poll-microseconds", "0", "--log-level", "error"], self.port, core=self.core)

    def stop(self):
        self.servers.end(self.pid)

    def call(self, method, data, calls):
        """So many calls by all callers."""
        result = load(self.servers, self.port, [
            method, "--data", data, "--calls", str(calls), "--connections", str(CONNECTIONS), "--streams", str(CALLERS // CONNECTIONS)])
        return {"per_second": result["calls_per_second"], "client": result["client_cpu_microseconds_per_call"]}


class Processes:
    """CPU time of the processes that answer, until they are quiet again."""

    def __init__(self, **clocks):
        self.clocks = clocks

    def read(self):
        return {name: clock() for name, clock in self.clocks.items()}

    def until_quiet(self):
        """Waits until nobody works on what came, and gives the times then."""
        end = time.monotonic() + QUIET_PATIENCE_SECONDS
        before = self.read()
        while time.monotonic() < end:
            time.sleep(QUIET_LOOK_SECONDS)
            now = self.read()
            if all(now[name] - before[name] < QUIET_SHARE * QUIET_LOOK_SECONDS for name in now):
                return now
            before = now
        sys.exit(f"still at work {QUIET_PATIENCE_SECONDS} s after the last call")

    def measure(self, run, calls):
        """What a run of so many calls gives, with CPU microseconds of each process for each call: what connections and the first calls
        on each take, as planning their statements, is left out, by the difference to a short run."""
        first, _ = self._cost(run, FIRST_CALLS)
        spent, figures = self._cost(run, calls)
        return {**figures, **{name: (spent[name] - first[name]) * 1e6 / (calls - FIRST_CALLS) for name in spent}}

    def _cost(self, run, calls):
        before = self.until_quiet()
        figures = run(calls)
        after = self.until_quiet()
        return {name: after[name] - before[name] for name in before}, figures


class Subject:
    """What is measured: a number of calls, and the processes that answer them."""

    def __init__(self, processes, run):
        self.processes, self.run = processes, run

    def measure(self, calls):
        return self.processes.measure(self.run, calls)


class Bench:
    """pgbench on a database that has the customer service's tables."""

    def __init__(self, server, database, folder):
        self.server, self.database, self.folder = server, database, folder
        self.runs = 0

    def run(self, script, calls):
        self.runs += 1
        begin = FIRST_NUMBER + self.runs * NUMBERS_OF_A_RUN
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            pinned(1, [str(self.server.programs / "pgbench"), "--no-vacuum", "--protocol", "prepared", "--client", str(CALLERS), "--jobs", "1",
                       "--transactions", str(calls // CALLERS), "--define", f"base={begin}", "--define", "n=0", "--file", str(script),
                       self.server.uri(self.database)]), capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rate = re.search(r"tps = ([\d.]+) \(without", done.stdout)
        if done.returncode != 0 or not rate or "actually processed" not in done.stdout:
            sys.exit(f"pgbench failed: {done.stderr.strip()} {done.stdout}")
        client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"per_second": float(rate[1]), "client": client * 1e6 / calls}

    def scripts(self, like):
        """The three scripts, with values as large as those that the service wrote into the database `like`."""
        number = "\\set n :n + 1\n\\set id :base + :n * 64 + :client_id\n\\set any random(1, 9000000000000000000)\n"
        lookup = ("SELECT p.party_id, m.customer_id, p.version, p.payload, p.name_row, p.create_time, p.update_time FROM customer.party p "
                  "JOIN customer.membership m ON m.party_id = p.party_id WHERE p.source = 'bench' AND p.source_key = md5(:any::text);\n")
        rows = "".join(self._insertion(like, table, own) for table, own in {
            "idempotency": {"request_id": "md5(:any::text)", "create_time": ":id"},
            "customer": {"customer_id": "'cus_0000000' || :id::text"},
            "party": {"party_id": "'par_0000000' || :id::text", "source_key": "md5(:any::text)", "name_row": ":id"},
            "membership": {"customer_id": "'cus_0000000' || :id::text", "party_id": "'par_0000000' || :id::text"},
            "party_name": {"rowid": ":id", "party_id": "'par_0000000' || :id::text"},
            "event": {"event_id": "'evt_0000000' || :id::text", "aggregate_id": "'par_0000000' || :id::text", "position": "NULL"},
            "audit_pending": {"entry_id": "'evt_0000000' || :id::text", "aggregate_id": "'par_0000000' || :id::text",
                              "aggregate_version": "1", "method": f"'/{CREATE}'", "calling_service": "''", "body": "NULL"},
        }.items())
        one = self._insertion(like, "customer", {"customer_id": "'cus_0000000' || :id::text"})
        texts = {"pgbench, pipelined": f"{number}{lookup}\\startpipeline\nBEGIN;\n{rows}END;\n\\endpipeline\n",
                 "pgbench, one by one": f"{number}{lookup}BEGIN;\n{rows}END;\n", "pgbench, one row": number + one}
        found = {}
        for title, text in texts.items():
            found[title] = pathlib.Path(self.folder, title.replace(" ", "-").replace(",", "") + ".sql")
            found[title].write_text(text)
        return found

    def _insertion(self, like, table, own):
        """An INSERT of a row as the service has written it, with values of its own in the columns that differ from row to row."""
        columns = self.server.psql(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'customer' "
            f"AND table_name = '{table}' ORDER BY ordinal_position", like)
        values = {}
        for name, kind in columns:
            if name in own:
                values[name] = own[name]
                continue
            read = f"encode({name}, 'hex')" if kind == "bytea" else f"{name}::text"
            value = self.server.psql(f"SELECT {read} FROM customer.{table} LIMIT 1", like)[0][0]
            values[name] = f"'\\x{value}'" if kind == "bytea" else value if kind == "bigint" else f"'{value}'"
        return f"INSERT INTO customer.{table} ({', '.join(values)}) VALUES ({', '.join(values.values())});\n"


def strace_syncs(folder, pid, run):
    """Syncs of a process while something runs; None without strace."""
    log = pathlib.Path(folder, "strace")
    counting = counting_syncs(log)
    if not counting:
        return None
    tracer = subprocess.Popen([*counting, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    tracer.stderr.readline()  # It says that it is attached.
    run()
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    return counted_syncs(log)


def sqlite_bytes(path):
    """Bytes by table, its indexes included; None if this Python's SQLite cannot say."""
    with sqlite3.connect(path) as database:
        try:
            return dict(database.execute(
                "SELECT CASE WHEN m.tbl_name LIKE 'party_name%' THEN 'party_name' ELSE m.tbl_name END, sum(s.pgsize) "
                "FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY 1"))
        except sqlite3.OperationalError:
            return None


def postgres_bytes(server, database):
    """Bytes by table, its indexes and what is out of line included."""
    return {name: int(size) for name, size in server.psql(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'customer'::regnamespace", database)}


def by_part(sizes, writes):
    """Bytes for each write: what is of the party, what is of the event, the leaf, and the kept answer."""
    parts = {"party": ("customer", "party", "membership", "party_name"), "event": ("event",), "leaf": ("audit_leaf", "audit_node"),
             "kept answer": ("idempotency",)}
    return {part: sum(sizes[name] for name in names) / writes for part, names in parts.items()}


def count_syncs(subjects, sqlite, postgres, server, calls):
    """Writes for each sync, in runs of their own."""
    counted = {}
    title = "CreateParty, SQLite"
    counted[title] = strace_syncs(sqlite.servers.folder, sqlite.pid, lambda: subjects[title].run(calls))
    for title in [each for each in subjects if each.startswith("pgbench")] + ["CreateParty, PostgreSQL"]:
        before = server.syncs()
        if title.startswith("pgbench"):
            subjects[title].run(calls)
        else:
            postgres.start()
            subjects[title].run(calls)
            postgres.stop()
        time.sleep(QUIET_LOOK_SECONDS)
        counted[title] = server.syncs() - before
    return {title: calls / count if count else None for title, count in counted.items()}


def show(summary, ratios, per_sync, disk):
    print(f"\n{'':26} {'calls/s':>9} {'min–max':>17} {'service µs':>11} {'database µs':>12} {'callers µs':>11} {'writes/sync':>12}")
    for title, figures in summary.items():
        rate = figures["per_second"]
        cells = [f"{figures[name]['median']:.1f}" if name in figures else "–" for name in ("service", "database", "client")]
        cells.append(f"{per_sync[title]:.1f}" if per_sync.get(title) else "–")
        print(f"{title:26} {rate['median']:9,.0f} {rate['min']:8,.0f}–{rate['max']:<8,.0f} {cells[0]:>11} {cells[1]:>12} {cells[2]:>11} "
              f"{cells[3]:>12}")
    print(f"\n{'within a round':58} {'median':>8} {'min–max':>14}")
    for title, ratio in ratios.items():
        print(f"{title:58} {ratio['median']:8.2f} {ratio['min']:6.2f}–{ratio['max']:<6.2f}")
    print(f"\n{'bytes on the disk for each write':34} " + " ".join(f"{part:>12}" for part in disk["PostgreSQL"]))
    for title, parts in disk.items():
        print(f"{title:34} " + " ".join(f"{size:12.0f}" for size in parts.values()))


def compare(rounds):
    """Ratios within a round."""
    def ratio(a, b, key):
        return spread([each[a][key] / each[b][key] for each in rounds])

    ours = "CreateParty, PostgreSQL"
    found = {f"writes/s: {ours} / {peer}": ratio(ours, peer, "per_second") for peer in rounds[0] if peer.startswith("pgbench")}
    found |= {f"database µs: {ours} / {peer}": ratio(ours, peer, "database") for peer in rounds[0] if peer.startswith("pgbench")}
    return found | {f"writes/s: CreateParty, SQLite / {ours}": ratio("CreateParty, SQLite", ours, "per_second")}


def subjects_of(sqlite, postgres, server, folder):
    """What is measured, by name."""
    customers = {postgres: server.psql("SELECT customer_id FROM customer.customer LIMIT 1", "service")[0][0]}
    with sqlite3.connect(f"file:{folder}/customer.db?mode=ro", uri=True) as reader:
        customers[sqlite] = reader.execute("SELECT customer_id FROM customer LIMIT 1").fetchone()[0]
    clocks = {sqlite: Processes(service=lambda: cpu_seconds(sqlite.pid)),
              postgres: Processes(service=lambda: cpu_seconds(postgres.pid), database=server.cpu_seconds)}
    services = {"SQLite": sqlite, "PostgreSQL": postgres}
    found = {f"CreateParty, {name}": Subject(clocks[each], lambda count, each=each: each.call(CREATE, PARTY, count))
             for name, each in services.items()}
    bench, alone = Bench(server, "peer", folder), Processes(database=server.cpu_seconds)
    for title, script in bench.scripts("service").items():
        found[title] = Subject(alone, lambda count, script=script: bench.run(script, count))
    for name, each in services.items():
        request = f'{{"customerId": "{customers[each]}"}}'
        found[f"GetCustomer, {name}"] = Subject(clocks[each], lambda count, each=each, request=request: each.call(GET, request, count))
    return found


def measure(subjects, options):
    """Rounds of all subjects, in turns."""
    rounds = []
    for number in range(options.rounds):
        titles = list(subjects)[number % len(subjects):] + list(subjects)[:number % len(subjects)]
        done = {title: subjects[title].measure(options.calls) for title in titles}
        rounds.append({title: done[title] for title in subjects})
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return rounds


def bytes_per_write(server, folder):
    """What a write has left on the disk, when both services have stopped."""
    server.psql("VACUUM", "service")
    written = int(server.psql("SELECT count(*) FROM customer.party", "service")[0][0])
    found = {"PostgreSQL": by_part(postgres_bytes(server, "service"), written)}
    with sqlite3.connect(f"{folder}/customer.db") as reader:
        written = reader.execute("SELECT count(*) FROM party").fetchone()[0]
    if sizes := sqlite_bytes(f"{folder}/customer.db"):
        found["SQLite"] = by_part(sizes, written)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=19_200, help=f"of each subject in a round, a multiple of {CALLERS}")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench-writes.json", help="where the figures go")
    options = parser.parse_args()
    options.calls -= options.calls % CALLERS

    load_before = load_average()
    with (tempfile.TemporaryDirectory(prefix="mainstay-writes-") as folder, PostgresServer(folder, core=0) as server,
          Servers(folder) as servers):
        for database in ("service", "peer"):
            server.psql(f"CREATE DATABASE {database}")
        # Tables for pgbench, made by the service itself.
        CustomerService(servers, server.uri("peer"), core=1).stop()
        sqlite = CustomerService(servers, f"sqlite:{folder}/customer.db", core=0)
        postgres = CustomerService(servers, server.uri("service"), core=1)
        for service in (sqlite, postgres):
            service.call(CREATE, PARTY, WARM_UP_CALLS)
        subjects = subjects_of(sqlite, postgres, server, folder)
        rounds = measure(subjects, options)
        postgres.stop()
        per_sync = count_syncs(subjects, sqlite, postgres, server, options.calls)
        sqlite.stop()
        disk = bytes_per_write(server, folder)
        kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()

    summary = {title: {name: spread([each[title][name] for each in rounds]) for name in rounds[0][title]} for title in rounds[0]}
    ratios = compare(rounds)
    show(summary, ratios, per_sync, disk)
    print(f"file system: {kind}; load of the machine: {load_before:.1f} before, {load_average():.1f} after")
    write_figures(options.json, load_before=load_before, file_system=kind, callers=CALLERS, calls=options.calls, figures=summary,
                  ratios=ratios, writes_per_sync=per_sync, bytes_per_write=disk, rounds=rounds)


if __name__ == "__main__":
    main()
