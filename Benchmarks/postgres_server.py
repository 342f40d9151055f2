"""A PostgreSQL server of the system's package for a benchmark: a folder of its own, reached by a Unix socket, with data checksums,
as a service wants it and otherwise as the package sets it."""

import os
import pathlib
import shutil
import subprocess
import sys

from measure import cpu_seconds, pinned

USER = "mainstay"
PORT = 5432
# Backends of services and of pgbench's 64 clients.
MAXIMUM_CONNECTIONS = 200


def programs():
    """The folder of the newest server here."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("no PostgreSQL server and pgbench here: make bench-deps")
    return found[-1].parent


class PostgresServer:
    """A server that runs on one core, ended with the block."""

    def __init__(self, folder, core):
        self.programs, self.core = programs(), core
        self.folder = pathlib.Path(folder, "postgres")
        self.data = self.folder / "data"

    def __enter__(self):
        self.folder.mkdir()
        if os.getuid() == 0:
            # The server refuses to be run by root, so its own user must be able to reach its folder.
            self.folder.parent.chmod(0o711)
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "--pgdata", str(self.data), "--data-checksums", "--username", USER, "--auth", "trust",
                  "--encoding", "UTF8", "--locale", "C", "--no-instructions")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"unix_socket_directories = '{self.folder}'\nlisten_addresses = ''\nport = {PORT}\n"
                       f"max_connections = {MAXIMUM_CONNECTIONS}\n")
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "start")
        self.pid = int((self.data / "postmaster.pid").read_text().split()[0])
        return self

    def __exit__(self, *_):
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop")

    def uri(self, database):
        """A connection string for its socket."""
        return f"postgresql://{USER}@{str(self.folder).replace('/', '%2F')}:{PORT}/{database}"

    def psql(self, sql, database="postgres"):
        """Runs SQL; rows as lists of texts."""
        done = subprocess.run([str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql,
                               self.uri(database)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"psql: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def cpu_seconds(self):
        """CPU time of the server and its processes, those that have ended included."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        total = cpu_seconds(self.pid)
        for child in children:
            try:
                total += cpu_seconds(child)
            except OSError:
                pass  # It has ended since, and is counted below.
        # The name, in parentheses, may hold blanks; behind it CPU time of children that were waited for is in the 14th and 15th place.
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return total + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def syncs(self):
        """Syncs of its log so far, told by those of its processes that have ended."""
        version = int(self.psql("SHOW server_version_num")[0][0])
        counted = "sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'" if version >= 180_000 else "wal_sync FROM pg_stat_wal"
        return int(self.psql(f"SELECT {counted}")[0][0])

    def _run(self, program, *arguments):
        command = [str(self.programs / program), *arguments]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
        said = self.folder / f"{program}.log"
        # Into a file: whoever reads a pipe would wait for the server, which keeps it.
        with open(said, "w", encoding="utf-8") as output:
            done = subprocess.run(pinned(self.core, command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
        if done.returncode != 0:
            sys.exit(f"{program} failed with code {done.returncode}: {said.read_text()}")
