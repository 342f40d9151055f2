"""What the benchmarks share: servers on core 0, load on core 1, CPU time and memory of a process, figures of many short rounds."""

import json
import os
import pathlib
import platform
import re
import resource
import shutil
import statistics
import subprocess
import time

from mainstay_system import ROOT, free_port, wait_for_port

BINARIES = pathlib.Path(os.environ.get("MAINSTAY_BIN", ROOT / ".build/release"))
PEERS = ROOT / "Benchmarks/peers/build"


def pinned(core, command):
    """The command on one core, where there are two."""
    return ["taskset", "-c", str(core), *command] if os.cpu_count() > 1 else command


def cpu_seconds(pid):
    """CPU time of a process, all threads that live, to the nanosecond."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(pid):
    """Memory that the process has in RAM."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load_average():
    """Processes that want a core, over the last minute: figures taken while others build are worth little."""
    return os.getloadavg()[0]


def allow_many_descriptors():
    """For this process and those that it starts; says how many there may be."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def spread(values):
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def self_signed_certificate(folder):
    """For the servers: ECDSA P-256, as Mainstay's own."""
    certificate, key = f"{folder}/peer.pem", f"{folder}/peer-key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return certificate, key


class Servers:
    """Servers, on core 0 unless told otherwise, ended with the block."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate, self.key = self_signed_certificate(folder)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait()

    def start(self, command, port, environment=None, core=0):
        """Starts a server, waits until it listens and gives its process id."""
        process = subprocess.Popen(
            pinned(core, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})})
        self.processes.append(process)
        wait_for_port(port, process)
        return process.pid

    def end(self, pid):
        """Ends one server in order."""
        process = next(each for each in self.processes if each.pid == pid)
        process.terminate()
        process.wait()
        self.processes.remove(process)

    def mainstay(self, environment=None, core=0):
        """Mainstay's gRPC alone: the interop server. Gives port and process id."""
        port = free_port()
        command = [str(BINARIES / "mainstay-interop"), "server", "--port", str(port), "--cert", self.certificate,
                   "--key", self.key]
        return port, self.start(command, port, environment, core)

    def grpc_cpp(self, program="test-server", environment=None):
        """A server in gRPC C++."""
        port = free_port()
        return port, self.start([str(PEERS / program), str(port), self.certificate, self.key], port, environment)

    def nghttpd(self, name, contents):
        """A static file over HTTP/2."""
        port = free_port()
        site = pathlib.Path(self.folder, f"site-{port}")
        site.mkdir()
        (site / name).write_bytes(contents)
        return port, self.start(["nghttpd", "-n1", "-d", str(site), str(port), self.key, self.certificate], port)


def load(servers, port, arguments, target_core=1):
    """Runs mainstay-load against a server and gives its result."""
    path = pathlib.Path(servers.folder, f"load-{port}.json")
    command = [str(BINARIES / "mainstay-load"), "--target", f"localhost:{port}", "--ca", servers.certificate,
               "--json", str(path), *arguments]
    subprocess.run(pinned(target_core, command), check=True, capture_output=True)
    return json.loads(path.read_text())


def counting_syncs(log):
    """The beginning of a command whose syncs strace counts; None without strace."""
    return ["strace", "-f", "-c", "-o", str(log), "-e", "trace=fsync,fdatasync"] if shutil.which("strace") else None


def counted_syncs(log):
    """What it has counted; 0 if it could not."""
    if not pathlib.Path(log).exists():
        return 0
    return sum(int(count) for count in re.findall(
        r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*f(?:data)?sync$", pathlib.Path(log).read_text(), re.M))


def write_figures(path, **figures):
    """The figures with when and where they were taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()},
        **figures,
    }, indent=2) + "\n")
    print(f"\nFigures: {path}")
