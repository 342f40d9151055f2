"""Starts Mainstay for a benchmark: a folder of its own, free ports, the release build. The one place that knows how."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / ".build/release/mainstay"


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process=None, seconds=30):
    """Returns once somebody listens; gives up when the process ends or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process and process.poll() is not None:
            sys.exit(f"{process.args} ended with code {process.returncode} before it listened on port {port}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on port {port} after {seconds} seconds")
class Mainstay:
    """A running system. With `core`, its processes stay on that core, with one event loop each, and let in whoever calls:
    h2load knows no client certificates."""

    def __init__(self, folder, core=None):
        self.home = pathlib.Path(folder, "home")
        self.ports = {name: free_port() for name in ("gateway", "customer", "agent", "partner", "reporting")}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSTAY_")}
        self.environment["MAINSTAY_HOME"] = str(self.home)
        prefix = []
        if core is not None:
            self.environment |= {
                "MAINSTAY_ACCESS": "public", "MAINSTAY_TLS_CLIENT_VERIFICATION": "optional", "MAINSTAY_EVENT_LOOPS": "1",
                "MAINSTAY_LOG_LEVEL": "warning"}
            prefix = ["taskset", "-c", str(core)] if os.cpu_count() > 1 else []
        ports = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        self._call(prefix + [str(BINARY), "up", *ports])

    def run(self, *arguments):
        """A command of mainstay, as the administrator; gives what it prints."""
        return self._call([str(BINARY), *arguments])

    def port(self, service):
        return self.ports[service]

    def pid(self, service):
        """Process id as the supervisor tells it: a line per process, name and id first."""
        for line in (self.home / "run/processes").read_text().splitlines():
            name, pid = line.split()[:2]
            if name == service:
                return int(pid)
        sys.exit(f"the supervisor knows no {service}")

    def create_customer(self):
        """A person of the size that the peers answer with; gives the customer's id."""
        party = {
            "source": "bench", "sourceKey": "000001", "phones": ["+86 138 0013 8000"],
            "person": {"familyName": "Li", "givenName": "Xiaoming"}}
        reply = self.run("call", "mainstay.customer.v1.CustomerService/CreateParty", json.dumps({"party": party}))
        return json.loads(reply)["customerId"]

    def mapping(self, name):
        """The mapping file of a data set, somewhere in the repository."""
        found = sorted(path for path in ROOT.glob(f"[!.]*/**/*{name}*.y*ml"))
        return found[0] if found else sys.exit(f"no mapping file for {name} in the repository")

    def stop(self):
        self._call([str(BINARY), "down"])

    def _call(self, command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command[:8])} failed with code {done.returncode}: {done.stderr.strip()}")
        return done.stdout
