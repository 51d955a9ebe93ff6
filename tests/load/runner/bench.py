"""The stack that is measured, the programs beside it, and the measurement of one load."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import usage
from results import Measurement

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/system"))
import stack as stacks  # noqa: E402

LOAD = stacks.BIN / "tocsin-load"
# The setting of a worker that limits the POSTs in progress.
IN_FLIGHT_SETTING = "TOCSIN_SENDERS"
WAIT_SECONDS = 120
STOP_SECONDS = 40
RUN_SECONDS = 600
LABELS = {"kafka": "broker", "twilio-sim": "simulator"}


class LoadError(Exception):
    """A row could not be measured."""


def wait_until(what, condition, seconds=WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise LoadError(f"{what}: not within {seconds} s")
        time.sleep(0.01)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(address):
    host, port = address.rsplit(":", 1)
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def responds(url):
    with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError), \
            urllib.request.urlopen(url, timeout=2) as response:
        return response.status == 200
    return False


class Program:
    """A context manager: a process beside the stack, with the environment of the stack."""

    def __init__(self, bench, label, command, settings=None, ready=None, name=None):
        self.bench, self.label, self.command, self.ready = bench, label, command, ready
        self.name = name or label  # of its memory
        self.environment = bench.environment() | (settings or {})
        self.process = None

    def __enter__(self):
        log = (self.bench.stack.state / "log" / f"{self.name.replace(' ', '-')}-load.log").open("ab")
        with log:
            self.process = subprocess.Popen([str(part) for part in self.command], env=self.environment, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.bench.programs.append(self)
        try:
            if self.ready:
                wait_until(f"start of {self.label}", lambda: self._alive() and self.ready())
        except BaseException:
            self.__exit__()
            raise
        return self

    def _alive(self):
        if self.process.poll() is not None:
            raise LoadError(f"{self.label} ended with {self.process.returncode}; see the logs of the stack")
        return True

    @property
    def pid(self):
        return self.process.pid

    def __exit__(self, *_):
        self.bench.note_memory()
        self.bench.programs.remove(self)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Window:
    """CPU time of each process, from the construction to end()."""

    def __init__(self, bench):
        self._bench, self._before, self._start = bench, bench.cpu(), time.monotonic()
        self.seconds, self._used = 0.0, {}

    def age(self):
        return time.monotonic() - self._start

    def end(self):
        self.seconds = self.age()
        after = self._bench.cpu()
        self._used = {label: us - self._before.get(label, 0) for label, us in after.items()}

    def per_item(self, count):
        return {label: us / count for label, us in self._used.items() if us > 0} if count > 0 else {}


class Bench:
    """Runs loads on a stack and collects the measurements of the rows."""

    def __init__(self, stack, peers, rounds, scale, work, results, memory):
        self.stack, self.rounds, self.scale, self.work = stack, rounds, scale, work
        self.peers = peers  # the program, or None
        self.programs = []
        self.results = results
        self.row = ""
        self.memory = memory  # label -> largest (VmRSS, RssAnon)
        self.filled = {}  # of the worker rows: side -> records that were queued
        self.sent = {}

    def count(self, number, at_least=100):
        return max(int(number * self.scale), at_least)

    def add(self, side, measurement):
        self.results.setdefault(self.row, {}).setdefault(side, []).append(measurement)

    def environment(self):
        return self.stack.environment | self.stack.env

    # --- Processes ------------------------------------------------------------------------------------

    def services(self):
        """Label -> pids of the processes of the stack that run."""
        found = {}
        for path in (self.stack.state / "run").glob("*.pid"):
            name, pid = path.stem.rsplit("-", 1)[0], int(path.read_text())
            if not stacks.has_ended(pid):
                found.setdefault(LABELS.get(name, name), []).append(pid)
        return found

    def pids(self):
        found = self.services()
        for program in self.programs:
            found.setdefault(program.label, []).append(program.pid)
        return found

    def cpu(self):
        def total(label, pids):
            return sum(map(usage.cpu_us_with_children if label == "postgres" else usage.cpu_us, pids))
        return {label: total(label, pids) for label, pids in self.pids().items()}

    def note_memory(self):
        for label, pids in (self.services() | {program.name: [program.pid] for program in self.programs}).items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self.memory[label] = max(self.memory.get(label, (0, 0)), max(map(usage.rss_mb, pids)))

    def stop(self, *names):
        """SIGTERM to NAME-1 of the stack, and waits."""
        self.note_memory()
        pids = [pid for name in names for pid in self.services().get(name, [])]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_until("stop of " + ", ".join(names), lambda: all(map(stacks.has_ended, pids)), STOP_SECONDS)

    def start(self, *names):
        """Those of the stack that do not run."""
        for name in names:
            if name not in self.services():
                self.stack.start(name + "-1")

    def only(self, *names):
        """The services of Tocsin that run now."""
        self.stop(*(set(stacks.SERVICES) - set(names)))
        self.start(*names)

    def peer(self, command, *arguments, ready=None, settings=None):
        return Program(self, "peer", [self.peers, command, *arguments], settings, ready, f"peer {command}")

    # --- Loads ----------------------------------------------------------------------------------------

    def load(self, *arguments):
        """The report of tocsin-load."""
        result = subprocess.run([LOAD, *map(str, arguments)], env=self.environment(), capture_output=True, text=True,
                                timeout=RUN_SECONDS, check=False)
        if not result.stdout.strip():
            raise LoadError(f"tocsin-load {arguments[0]}: {result.stderr.strip()[-500:]}")
        return json.loads(result.stdout)

    def measure(self, *arguments):
        """Runs tocsin-load and measures the CPU time of all processes."""
        window = Window(self)
        report = self.load(*arguments)
        window.end()
        self.note_memory()
        cpu = window.per_item(report["done"]) | {"client": report["cpu_us"]}
        # Of an open loop, whose rate is given, the tail is the result.
        return Measurement(per_second=report["per_second"], p50_ms=report["p50_ms"], p99_ms=report["p99_ms"], cpu=cpu,
                           p999_ms=report["p999_ms"] if "--rate" in arguments else None, failed=report["failed"],
                           error=report.get("error", ""))

    def health(self):
        with urllib.request.urlopen(self.stack.env["TOCSIN_TWILIO_BASE_URL"] + "/sim/health", timeout=10) as response:
            return json.load(response)

    def control(self, path, body):
        request = urllib.request.Request(self.stack.env["TOCSIN_TWILIO_BASE_URL"] + "/sim/" + path,
                                         json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).read()

    def messages_after(self, number):
        """Pairs (text, time of creation in us) of the simulator's messages above a number; and the last number."""
        found = []
        while True:
            url = f"{self.stack.env['TOCSIN_TWILIO_BASE_URL']}/sim/messages?after={number}&limit=20000"
            with urllib.request.urlopen(url, timeout=60) as response:
                page = [json.loads(line) for line in response.read().splitlines()]
            if not page:
                return found, number
            found += [(message["body"], message["created_us"]) for message in page]
            number = page[-1]["number"]
