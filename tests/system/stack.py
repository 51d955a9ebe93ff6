"""Whole stacks, started by scripts/up in temporary folders, and the control API of the simulator."""

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
MAIN_NUMBER = "+15017122661"  # of sender `main` in the registry
UP_SECONDS = 900
HTTP_SECONDS = 30
PAGE_LIMIT = 100_000
SERVICES = ("audit", "sms-worker", "voice-worker", "ingress")
PORTS_PER_REPLICA = 4  # scripts/lib/services.sh
LOG_LINES, LOG_CHARACTERS = 10, 400
# Other TOCSIN_ variables of the environment are removed: they may belong to the user's own stack.
KEPT_SETTINGS = {"TOCSIN_CACHE_DIR", "TOCSIN_BIN_DIR"}

running = []  # stacks that are up; their logs are shown when a test fails


class Simulator:
    """The control API of tocsin-twilio-sim (docs/simulator.md)."""

    def __init__(self, base_url):
        self.base_url = base_url

    def _post(self, path, body):
        response = requests.post(self.base_url + path, json=body, timeout=HTTP_SECONDS)
        assert response.status_code == 200, response.text
        return response.json()

    def _journal(self, path, after=0):
        entries = []
        while True:
            response = requests.get(f"{self.base_url}{path}?after={after}&limit={PAGE_LIMIT}", timeout=HTTP_SECONDS)
            assert response.headers["Sim-Dropped"] == "0", "the simulator has dropped its oldest entries"
            page = [json.loads(line) for line in response.content.splitlines()]
            entries += page
            if len(page) < PAGE_LIMIT:
                return entries
            after = page[-1]["number"]

    def health(self):
        return requests.get(self.base_url + "/sim/health", timeout=HTTP_SECONDS).json()

    def messages(self, after=0):
        """Those with a number above `after`."""
        return [message for message in self._journal("/sim/messages", after) if message["direction"] != "inbound"]

    def requests(self):
        return self._journal("/sim/requests")

    def faults(self, **sections):
        self._post("/sim/faults", sections)

    def reset_faults(self):
        self._post("/sim/reset", {"faults_only": True})

    def call_requests(self):
        return self._journal("/sim/call-requests")

    def every_call(self):
        return self._journal("/sim/calls")

    def calls(self, to):
        """The calls to one number, in order."""
        return [call for call in self.every_call() if call["to"] == to]

    def phones(self, scripts):
        """How phones respond: number -> script, or a list with one script for each call."""
        self._post("/sim/phones", scripts)

    def timing(self, call_second_ms):
        self._post("/sim/timing", {"call_second_ms": call_second_ms})

    def inbound(self, sender, body, url):
        return self._post("/sim/inbound", {"from": sender, "to": MAIN_NUMBER, "body": body, "url": url})


class Stack:
    """A context manager: starts a stack, and purges it at the end. `settings` are environment variables of every
    process; `replicas` and `flags` are arguments of scripts/up."""

    def __init__(self, settings=None, replicas=None, flags=()):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system."))
        self.state.chmod(0o755)  # the user that runs the stores needs access
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

    # Output goes to a file: the background processes would keep a pipe open.
    def _script(self, name, *arguments, settings=None):
        with self.output.open("ab") as out:
            code = subprocess.run([ROOT / "scripts" / name, *arguments], env=self.environment | (settings or {}),
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=UP_SECONDS,
                                  check=False).returncode
        assert code == 0, f"scripts/{name} failed with {code}:\n{self.output.read_text()[-4000:]}"

    def pid(self, process):
        """Of NAME-I, from its last start."""
        return int((self.state / "run" / f"{process}.pid").read_text())

    def kill(self, process):
        """kill -9 of NAME-I."""
        os.kill(self.pid(process), signal.SIGKILL)

    def start(self, process, settings=None):
        """Starts or restarts NAME-I; `settings` apply to it only."""
        self._script("up", "--only", process, settings=settings)

    def simulator(self):
        return Simulator(self.env["TOCSIN_TWILIO_BASE_URL"])

    def api_key(self):
        return pathlib.Path(self.env["TOCSIN_API_KEY_FILE"]).read_text()

    def client(self, key=None):
        return api.Client(self.env["TOCSIN_INGRESS_GRPC"], self.env["TOCSIN_AUDIT_GRPC"], key or self.api_key())

    def client_of_replicas(self, replicas):
        """A client of all replicas of the ingress and of audit."""
        return api.Client(self.every_address("TOCSIN_INGRESS_GRPC", replicas),
                          self.every_address("TOCSIN_AUDIT_GRPC", replicas), self.api_key())

    def addresses(self, setting, replicas):
        """The address of each replica; `setting` contains the address of the first."""
        host, port = self.env[setting].rsplit(":", 1)
        return [f"{host}:{int(port) + number * PORTS_PER_REPLICA}" for number in range(replicas)]

    def every_address(self, setting, replicas):
        """One gRPC target with the addresses of all replicas."""
        return "ipv4:" + ",".join(self.addresses(setting, replicas))

    def database(self):
        connection = psycopg2.connect(self.env["TOCSIN_POSTGRES_URL"])
        connection.autocommit = True
        return connection

    def metrics(self, service):
        """The text of /metrics from the first replica of `service`, such as "sms-worker"."""
        address = self.env["TOCSIN_OPS_" + service.upper().replace("-", "_")]
        return requests.get(f"http://{address}/metrics", timeout=HTTP_SECONDS).text

    def gauge(self, service, name):
        """The sum over all label values."""
        return sum_of(name, self.metrics(service))

    def tocsin(self, *arguments, **options):
        """Runs `tocsin` in the environment of the stack."""
        return subprocess.run([BIN / "tocsin", *arguments], env=self.environment | self.env, capture_output=True,
                              timeout=60, check=False, **options)

    def change_registry(self, change):
        """change: a function from the text of the registry file to its new text. The services reload it."""
        path = pathlib.Path(self.env["TOCSIN_REGISTRY_FILE"])
        part = path.with_suffix(".part")
        part.write_text(change(path.read_text()))
        part.replace(path)

    def log_excerpt(self):
        """The last warnings and errors in the log of each service."""
        shown = []
        for log in sorted((self.state / "log").glob("*.log")):
            if log.name.startswith(SERVICES):
                lines = [line[:LOG_CHARACTERS] for line in log.read_text(errors="replace").splitlines()
                         if '"severity_text":"INFO"' not in line]
                shown += [f"== {log.name}", *lines[-LOG_LINES:]]
        return "\n".join(shown)


def sum_of(name, metrics, label=""):
    """The sum of a metric over all label values, or over those with a label such as `channel="sms"`."""
    found = re.findall(rf"^{name}(?:{{[^}}]*{label}[^}}]*}})? (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, found))


def has_ended(pid):
    """Whether the process has ended. It remains as a zombie if its parent does not reap it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def read_env(state):
    """The names and values of STATE/env, which scripts/up writes for shells."""
    pairs = {}
    for line in (pathlib.Path(state) / "env").read_text().splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        pairs[name] = "".join(shlex.split(value))
    return pairs
