"""docker-compose.yml, the Dockerfiles and the systemd units, as far as they can be tried without Docker and without systemd at work.

deployment.py BIN HOME

BIN: the programs. HOME: what scripts/containers.sh made. Prints what was wrong, and what could not be looked at; exit code 1 if
anything was wrong.
"""

import functools
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ["agent", "customer", "partner", "reporting"]
STATE = "./.mainstay/compose"
# Of 10. What remains is the network and the host's root, which they need.
MOST_EXPOSURE = 1.3
# Part of debian:*-slim, for apt and bash need them.
IN_BASE_IMAGE = {"libc6", "libgcc-s1", "libstdc++6", "zlib1g"}
wrong = []


def check(holds, what):
    if not holds:
        wrong.append(what)


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)


class Compose:
    def __init__(self, programs, home):
        self.programs, self.home = programs, home
        self.file = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
        self.containers = self.file["services"]

    def run(self):
        names = {f"{name}-{number}" for name in SERVICES for number in (1, 2)} | {"db", "gateway"}
        check(set(self.containers) == names, f"containers are {sorted(self.containers)}")
        for name, container in self.containers.items():
            self.look_at(name, container)
        for name in sorted(names - {"db"}):
            self.configuration(name, self.containers[name])
        replicas = [self.containers[name]["environment"].get("MAINSTAY_REPLICA") for name in sorted(names - {"db", "gateway"})]
        check(len(set(replicas)) == 8, f"replicas need names of their own: {replicas}")
        connections = 8 * int(self.containers["customer-1"]["environment"]["MAINSTAY_DATABASE_CONNECTIONS"])
        allowed = next(int(word.split("=")[1]) for word in self.containers["db"]["command"] if "max_connections" in word)
        check(allowed > connections, f"{connections} connections of replicas, {allowed} at the server")
        for command in (["docker-compose"], ["docker", "compose"]):
            if shutil.which(command[0]) and run(*command, "version").returncode == 0:
                seen = run(*command, "--project-directory", REPOSITORY, "--file", REPOSITORY / "docker-compose.yml", "config", "--quiet")
                check(seen.returncode == 0, f"{' '.join(command)} config: {seen.stderr}")
                break
        else:
            print("there is no docker compose here: its `config` was left out")

    def look_at(self, name, container):
        for key in ("mem_limit", "cpus", "pids_limit", "healthcheck", "user", "restart", "stop_grace_period"):
            check(key in container, f"{name} has no {key}")
        check(container.get("read_only") is True, f"{name} may write to its root")
        check(container.get("cap_drop") == ["ALL"] and container.get("security_opt") == ["no-new-privileges:true"], f"{name} has rights")
        check(container["user"].startswith("${MAINSTAY_USER"), f"{name} runs as {container['user']}")
        check("build" in container or name == "db", f"{name} is not built")
        if "build" in container:
            check((REPOSITORY / container["build"]["dockerfile"]).exists(), f"{name}: {container['build']}")
        for volume in container["volumes"]:
            source = volume.split(":")[0]
            check(self.real(source).exists(), f"{name} mounts {source}, which does not exist")
            check(":ro" in volume or source.startswith(STATE), f"{name} may write to {source}")
        for other in container.get("depends_on", {}):
            check(other in self.containers, f"{name} depends on {other}")
        for secret in container.get("secrets", []):
            check(self.real(self.file["secrets"][secret]["file"]).stat().st_mode & 0o77 == 0, f"{secret} may be read by others")

    def real(self, path):
        return self.home / path.removeprefix(STATE + "/") if path.startswith(STATE) else REPOSITORY / path

    def configuration(self, name, container):
        """The program takes the container's settings, and whom it calls is there, at that port, with a certificate for that name."""
        program, environment = name.rsplit("-", 1)[0], container.get("environment", {})
        places = {"/pki/": f"{self.home}/pki/", "/run/secrets/": f"{self.home}/secrets/", "/data/": f"{self.home}/data/",
                  "/audit/": f"{self.home}/audit/"}

        def placed(text):
            for inside, outside in places.items():
                text = re.sub(rf"(?<![\w.]){inside}", outside, text)
            return text

        example = (REPOSITORY / f"services/{program}/config.example.yaml").read_text()
        variables = {key: placed(str(value)) for key, value in environment.items()}
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "config.yaml"
            file.write_text(placed(example))
            os.chmod(file, 0o600)
            seen = run(self.programs / f"mainstay-{program}", "--config", file, "--check-config", env={**os.environ, **variables})
        check(seen.returncode == 0, f"{name}: {seen.stdout}{seen.stderr}")
        # No program minds a variable that it does not know.
        known = {"MAINSTAY_" + key[2:].replace("-", "_").upper() for key in re.findall(r"^  (--\S+)", seen_help(self.programs, program), re.M)}
        strange = {key for key in variables if key not in known}
        check(not strange, f"{name}: there is no setting {strange}")
        settings = yaml.safe_load(example)
        called = [*settings.get("upstreams", {}).values(), settings.get("audit", {}).get("witness", "")]
        for address in filter(None, ",".join(called).split(",")):
            host, port = address.split(":")
            check(host in self.containers, f"{name} calls {host}, which is no container")
            other = host.rsplit("-", 1)[0]
            listen = yaml.safe_load((REPOSITORY / f"services/{other}/config.example.yaml").read_text())["listen"]
            check(listen.endswith(f":{port}"), f"{name} calls {address}, which listens on {listen}")
            self.certificate(other, host)
        self.certificate("gateway", "localhost")
        self.certificate("db", "db")
        operators = environment.get("MAINSTAY_OPERATORS_LISTEN", settings.get("operators", {}).get("listen", ""))
        self.health(name, container["healthcheck"]["test"], operators.split(":")[-1])

    @functools.cache
    def certificate(self, name, host):
        seen = run("openssl", "x509", "-noout", "-checkhost", host, "-in", self.home / f"pki/{name}.pem")
        check("does match" in seen.stdout, f"{name}.pem is not for {host}")

    @staticmethod
    def health(name, test, port):
        """The container's own question tells a process that takes calls from one that does not, and from none."""
        statuses = [200, 503]

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(statuses.pop(0) if self.path == "/readyz" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        check(test[0] == "CMD" and f"/{port} " in test[-1], f"{name} asks another port than {port}")
        asking = [word.replace("$$", "$").replace(f"/{port} ", f"/{server.server_port} ") for word in test[1:]]
        answers = [run(*asking).returncode == 0 for _ in range(2)]
        server.shutdown()
        server.server_close()
        check([*answers, run(*asking).returncode == 0] == [True, False, False], f"{name}'s health: {answers}")


def dockerfile(name, programs):
    text = (REPOSITORY / f"services/{name}/Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for source in line.split():
            check(list(REPOSITORY.glob(source)), f"{name}: COPY {source}")
    check(f"/mainstay-{name}" in text and re.search(r"^USER (?!root)", text, re.MULTILINE), f"{name}: program or user")
    listen = yaml.safe_load((REPOSITORY / f"services/{name}/config.example.yaml").read_text())["listen"]
    check(f"EXPOSE {listen.split(':')[-1]}" in text, f"{name}: EXPOSE")
    release = re.search(r"^FROM debian:(\w+)-slim", text, re.MULTILINE)[1]
    here = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    if here.get("VERSION_CODENAME") != release:
        return print(f"this is not Debian {release}: packages of {name}'s image were left out")
    build, final = (line.split("recommends ")[1].split() for line in text.splitlines() if "--no-install-recommends" in line)
    for package in [word for word in build + final if word.startswith(("lib", "zlib", "pkg"))]:
        check(is_known(package), f"{name}: Debian {release} has no package {package}")
    needed = {package for library in libraries(programs / f"mainstay-{name}") for package in [owner(library)] if package}
    installed = {word for word in final if word != "\\"}
    check(needed - IN_BASE_IMAGE <= installed, f"{name}'s image lacks {needed - IN_BASE_IMAGE - installed}")
    check(installed <= needed | {"zlib1g"}, f"{name}'s image has {installed - needed} for nothing")


def libraries(program):
    """What the program itself asks for, but for Swift's own libraries, which are part of it in the image."""
    asked = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "--dynamic", program).stdout))
    found = dict(re.findall(r"(\S+) => (\S+)", run("ldd", program).stdout))
    return [found[name] for name in asked if name in found and "/swift" not in found[name]]


@functools.cache
def seen_help(programs, name):
    return run(programs / f"mainstay-{name}", "--help").stdout


@functools.cache
def is_known(package):
    return run("apt-cache", "show", package).returncode == 0


@functools.cache
def owner(library):
    for path in (library, os.path.realpath(library), "/usr" + library):
        seen = run("dpkg", "--search", path)
        if seen.returncode == 0:
            return seen.stdout.split(":")[0]
    check(False, f"{library} is of no package")
    return None


def units(programs):
    if not shutil.which("systemd-analyze"):
        return print("there is no systemd-analyze here: units were left out")
    with tempfile.TemporaryDirectory() as folder:
        for name in [*SERVICES, "gateway"]:
            unit = pathlib.Path(folder) / f"mainstay-{name}.service"
            text = (REPOSITORY / f"services/{name}/mainstay-{name}.service").read_text()
            check(text.count(f"/usr/local/bin/mainstay-{name} --config /etc/mainstay/{name}.yaml") == 2, f"{name}: its program")
            unit.write_text(text.replace("/usr/local/bin/", f"{programs}/"))
            seen = run("systemd-analyze", "verify", unit)
            check(seen.returncode == 0 and not seen.stderr, f"{name}: {seen.stderr}")
            exposure = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit).stdout
            level = re.search(r"exposure level for \S+: ([0-9.]+)", exposure)
            check(level and float(level[1]) <= MOST_EXPOSURE, f"{name}: {exposure[-2000:]}")
    return None


def main(programs, home):
    Compose(programs, home).run()
    for name in [*SERVICES, "gateway"]:
        dockerfile(name, programs)
    units(programs)
    print("\n".join(wrong), file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())
