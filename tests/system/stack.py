"""Whole stacks, started by scripts/up in folders of their own, and the simulator's controls."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

import psycopg2
import requests

import api

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", ROOT / "build/release/bin"))
MAIN_NUMBER = "+15017122661"  # the simulator's, sender `main` of the registry
UP_SECONDS = 900
HTTP_SECONDS = 30
BOOK_LIMIT = 100_000
SERVICES = ("audit", "sms-worker", "voice-worker", "ingress")
PORTS_PER_REPLICA = 4  # scripts/lib/services.sh
LOG_LINES, LOG_CHARACTERS = 10, 400
# What a caller's own stack may have left in the environment must not lead a test to it.
KEPT_SETTINGS = {"TOCSIN_CACHE_DIR", "TOCSIN_BIN_DIR"}

running = []  # stacks that are up: their logs are shown when a test fails


class Simulator:
    """Control of tocsin-twilio-sim, docs/simulator.md."""

    def __init__(self, base_url):
        self.base_url = base_url

    def _post(self, path, body):
        answer = requests.post(self.base_url + path, json=body, timeout=HTTP_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _book(self, path):
        lines, after = [], 0
        while True:
            answer = requests.get(f"{self.base_url}{path}?after={after}&limit={BOOK_LIMIT}", timeout=HTTP_SECONDS)
            assert answer.headers["Sim-Dropped"] == "0", "the simulator has forgotten its oldest entries"
            page = [json.loads(line) for line in answer.content.splitlines()]
            lines += page
            if len(page) < BOOK_LIMIT:
                return lines
            after = page[-1]["number"]

    def health(self):
        return requests.get(self.base_url + "/sim/health", timeout=HTTP_SECONDS).json()

    def messages(self):
        return [message for message in self._book("/sim/messages") if message["direction"] != "inbound"]

    def requests(self):
        return self._book("/sim/requests")

    def faults(self, **sections):
        self._post("/sim/faults", sections)

    def reset_faults(self):
        self._post("/sim/reset", {"faults_only": True})

    def calls(self, to):
        """Those to one person, in their order."""
        return [call for call in self._book("/sim/calls") if call["to"] == to]

    def phones(self, scripts):
        """What a person does who is called: number -> script, or a list of them, one for each call."""
        self._post("/sim/phones", scripts)

    def inbound(self, sender, body, url):
        return self._post("/sim/inbound", {"from": sender, "to": MAIN_NUMBER, "body": body, "url": url})


class Stack:
    """A context: up when entered, gone with all it kept when left. `settings` reach every process of it;
    `replicas` and other `flags` as scripts/up takes them."""

    def __init__(self, settings=None, replicas=None, flags=()):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system."))
        self.state.chmod(0o755)  # the stores' user passes through it
        self.output = self.state / "scripts.log"
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("TOCSIN_") or name in KEPT_SETTINGS}
        self.environment |= {"TOCSIN_STATE_DIR": str(self.state), "TOCSIN_BIN_DIR": str(BIN)} | (settings or {})
        self.env = {}
        self._up = ["up", *(["--replicas", replicas] if replicas else []), *flags]

    def __enter__(self):
        try:
            self._script(*self._up)
        except BaseException:
            self.__exit__()
            raise
        self.env = read_env(self.state)
        running.append(self)
        return self

    def __exit__(self, *_):
        if self in running:
            running.remove(self)
        self._script("down", "--purge")
        shutil.rmtree(self.state, ignore_errors=True)

    # Into a file: what scripts/up leaves running must not hold a pipe of ours.
    def _script(self, name, *arguments, settings=None):
        with self.output.open("ab") as out:
            code = subprocess.run([ROOT / "scripts" / name, *arguments], env=self.environment | (settings or {}),
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=UP_SECONDS,
                                  check=False).returncode
        assert code == 0, f"scripts/{name} failed with {code}:\n{self.output.read_text()[-4000:]}"

    def pid(self, process):
        """Of NAME-I, as it was started last."""
        return int((self.state / "run" / f"{process}.pid").read_text())

    def kill(self, process):
        """kill -9 of NAME-I."""
        os.kill(self.pid(process), signal.SIGKILL)

    def start(self, process, settings=None):
        """Starts or restarts NAME-I; `settings` reach it alone."""
        self._script("up", "--only", process, settings=settings)

    def simulator(self):
        return Simulator(self.env["TOCSIN_TWILIO_BASE_URL"])

    def api_key(self):
        return pathlib.Path(self.env["TOCSIN_API_KEY_FILE"]).read_text()

    def client(self, key=None):
        return api.Client(self.env["TOCSIN_INGRESS_GRPC"], self.env["TOCSIN_AUDIT_GRPC"], key or self.api_key())

    def addresses(self, setting, replicas):
        """The address of each replica of the service whose first one `setting` names."""
        host, port = self.env[setting].rsplit(":", 1)
        return [f"{host}:{int(port) + number * PORTS_PER_REPLICA}" for number in range(replicas)]

    def every_address(self, setting, replicas):
        """The gRPC target of all of them."""
        return "ipv4:" + ",".join(self.addresses(setting, replicas))

    def database(self):
        connection = psycopg2.connect(self.env["TOCSIN_POSTGRES_URL"])
        connection.autocommit = True
        return connection

    def metrics(self, service):
        """The text of /metrics of the first replica of `service`, such as "sms-worker"."""
        address = self.env["TOCSIN_OPS_" + service.upper().replace("-", "_")]
        return requests.get(f"http://{address}/metrics", timeout=HTTP_SECONDS).text

    def gauge(self, service, name):
        """The sum over its labels."""
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self.metrics(service), re.MULTILINE)
        return sum(map(float, found))

    def tocsin(self, *arguments, **options):
        """Runs the command line tool in the stack's environment."""
        return subprocess.run([BIN / "tocsin", *arguments], env=self.environment | self.env, capture_output=True,
                              timeout=60, check=False, **options)

    def change_registry(self, change):
        """change: from the text of the registry file to its new text; the services follow it by themselves."""
        path = pathlib.Path(self.env["TOCSIN_REGISTRY_FILE"])
        part = path.with_suffix(".part")
        part.write_text(change(path.read_text()))
        part.replace(path)

    def complaints(self):
        """The last warnings and errors of each service's log, for people who look at a failed test."""
        told = []
        for log in sorted((self.state / "log").glob("*.log")):
            if log.name.startswith(SERVICES):
                lines = [line[:LOG_CHARACTERS] for line in log.read_text(errors="replace").splitlines()
                         if '"severity_text":"INFO"' not in line]
                told += [f"== {log.name}", *lines[-LOG_LINES:]]
        return "\n".join(told)


def gone(pid):
    """A process whose parent does not reap it stays as a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def read_env(state):
    """The names and values of STATE/env, written by scripts/up for shells."""
    pairs = {}
    for line in (pathlib.Path(state) / "env").read_text().splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        pairs[name] = "".join(shlex.split(value))
    return pairs
