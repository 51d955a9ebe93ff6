"""Rows of the workers: how fast they send what is queued."""

import contextlib
import shutil
import subprocess
import time

import usage
from bench import IN_FLIGHT_SETTING, LoadError, Program, Window, free_port, listens, responds, stacks, wait_until
from results import Measurement, number

FASTEST = 6000  # alerts per second: what is queued lasts for a window of a worker as fast as this
LONGEST_WINDOW = 6.0
SHORTEST_WINDOW = 2.0
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class Queue:
    """The alerts of one side that are queued and not sent."""

    def __init__(self, bench, name, fill, sent):
        self.bench, self.name, self._fill, self._sent = bench, name, fill, sent

    def sent(self):
        """Total of the simulator, which counts the POSTs of both sides."""
        return self._sent(self.bench.health())

    def top_up(self, target):
        missing = target - self.bench.filled.get(self.name, 0) + self.bench.sent.get(self.name, 0)
        if missing > 0:
            self._fill(missing)
            self.bench.filled[self.name] = self.bench.filled.get(self.name, 0) + missing

    def remaining(self, sent_now):
        return self.bench.filled[self.name] - self.bench.sent.get(self.name, 0) - sent_now

    @contextlib.contextmanager
    def counted(self):
        before = self.sent()
        try:
            yield before
        finally:
            self.bench.sent[self.name] = self.bench.sent.get(self.name, 0) + self.sent() - before


def tocsin_queue(bench, channel="sms"):
    """Bulk alerts: of the lowest priority a worker has at most TOCSIN_SENDERS POSTs in progress, of others more."""
    def fill(count):
        bench.load("enqueue-stream", "--alerts-per-request", 64, "--channel", channel, "--priority", "bulk", "--count",
                   count)
    counter = "calls" if channel == "voice" else "messages"
    return Queue(bench, channel, fill, lambda health: health[counter])


def peer_queue(bench):
    def fill(count):
        subprocess.run([bench.peers, "fill", "--count", str(count)], env=bench.environment(), check=True,
                       timeout=600)
    return Queue(bench, "peer", fill, lambda health: health["messages"])


def tocsin_worker(bench, in_flight, channel="sms", settings=None, wrapper=(), replica=1):
    service = f"{channel}-worker"
    instance = f"{service}-{replica}"
    ops = bench.stack.addresses("TOCSIN_OPS_" + service.upper().replace("-", "_"), replica)[-1]
    own = {"TOCSIN_INSTANCE": instance, "TOCSIN_SPOOL_DIR": str(bench.stack.state / "spool" / instance),
           f"TOCSIN_OPS_{channel.upper()}_WORKER_ADDRESS": ops, IN_FLIGHT_SETTING: str(in_flight)}
    return Program(bench, service, [*wrapper, stacks.BIN / f"tocsin-{service}"], own | (settings or {}),
                   lambda: responds(f"http://{ops}/readyz"))


class Replicas:
    """A context manager: several workers that share the queue."""

    def __init__(self, workers):
        self._workers, self._running, self.label = workers, contextlib.ExitStack(), workers[0].label

    def __enter__(self):
        with contextlib.ExitStack() as started:
            for worker in self._workers:
                started.enter_context(worker)
            self._running = started.pop_all()
        return self

    def __exit__(self, *_):
        self._running.close()


def peer_worker(bench, in_flight, *flags, settings=None):
    return bench.peer("worker", "--in-flight", in_flight, *flags, settings=settings)


def window_seconds(bench):
    return min(max(LONGEST_WINDOW * bench.scale, SHORTEST_WINDOW), LONGEST_WINDOW)


@contextlib.contextmanager
def in_full_flow(queue, worker, in_flight, target):
    """The worker, after it has sent twice what it can have in flight."""
    queue.top_up(target)
    with queue.counted() as before, worker:
        wait_until(f"POSTs of {worker.label}", lambda: queue.sent() - before >= min(2 * in_flight, target // 4))
        yield before


def measure_worker(bench, queue, worker, in_flight):
    """A window in which the queue does not become empty."""
    seconds = window_seconds(bench)
    target = int(FASTEST * (seconds + 1))
    with in_full_flow(queue, worker, in_flight, target) as before:
        window, first = Window(bench), queue.sent()
        deadline, last = time.monotonic() + seconds, first
        while time.monotonic() < deadline and queue.remaining(last - before) > in_flight + target // 20:
            time.sleep(0.02)  # the rate of sampling
            last = queue.sent()
        window.end()
        last = queue.sent()
    return Measurement(per_second=(last - first) / window.seconds, cpu=window.per_item(last - first))


def simulate(bench, latency_ms):
    """Twilio's latency; without callbacks, which only the ingress would receive."""
    bench.control("faults", {"create": {"latency_ms": latency_ms}, "callback": {"rate_missing": 1}})


def sms(latency_ms, in_flight):
    def row(bench):
        bench.only("ingress")
        simulate(bench, latency_ms)
        for _ in range(bench.rounds):
            bench.add("tocsin", measure_worker(bench, tocsin_queue(bench), tocsin_worker(bench, in_flight), in_flight))
            if bench.peers:
                bench.add("peer", measure_worker(bench, peer_queue(bench), peer_worker(bench, in_flight), in_flight))
                claiming = peer_worker(bench, in_flight, "--claims")
                bench.add("limit", measure_worker(bench, peer_queue(bench), claiming, in_flight))
    return row


def sms_by_replicas(replicas):
    """The alerts that one worker can have in delivery are divided among the replicas."""
    in_flight = 256

    def row(bench):
        bench.only("ingress")
        simulate(bench, 0)
        for _ in range(bench.rounds):
            workers = [tocsin_worker(bench, in_flight // replicas, replica=number)
                       for number in range(1, replicas + 1)]
            bench.add("tocsin", measure_worker(bench, tocsin_queue(bench), Replicas(workers), in_flight))
    return row


def claiming_peer_limit(row):
    """The rate of the peer that claims each alert and awaits its first event, and Tocsin's ratio to it."""
    def limit(medians):
        found, own = medians.get(row, {}).get("limit"), medians.get(row, {}).get("tocsin")
        if not found or not own:
            return "-"
        cpu = ", ".join(f"{name} {us:.0f}" for name, us in found.cpu.items() if us >= 1)
        return (f"peer with claims: {number(found.per_second)}/s, {cpu} us; ratio "
                f"{own.per_second / found.per_second:.2f}")
    return limit


def voice(bench):
    in_flight = 256
    bench.only("ingress")
    simulate(bench, 0)
    # The phones ring for minutes, so that only the creation of calls is measured.
    bench.control("phones", {"*": {"answer": "by-hand"}})
    bench.control("timing", {"call_second_ms": 10_000})
    for _ in range(bench.rounds):
        queue = tocsin_queue(bench, "voice")
        bench.add("tocsin", measure_worker(bench, queue, tocsin_worker(bench, in_flight, "voice"), in_flight))
    bench.control("timing", {"call_second_ms": 20})


# --- TLS ----------------------------------------------------------------------------------------------

HAPROXY = """global
  nbthread 1
  maxconn 8192
defaults
  mode tcp
  timeout connect 5s
  timeout client 120s
  timeout server 120s
listen twilio
  bind {address} ssl crt {pem}
  server simulator {simulator}
"""


@contextlib.contextmanager
def tls_terminator(bench):
    """haproxy with a certificate of its own in front of the simulator; yields its URL and the certificate."""
    work, address = bench.work, f"127.0.0.1:{free_port()}"
    key, certificate, pem = work / "tls.key", work / "tls.crt", work / "tls.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    pem.write_text(certificate.read_text() + key.read_text())
    config = work / "haproxy.cfg"
    simulator = bench.stack.env["TOCSIN_TWILIO_BASE_URL"].removeprefix("http://")
    config.write_text(HAPROXY.format(address=address, pem=pem, simulator=simulator))
    with Program(bench, "TLS terminator", ["haproxy", "-db", "-f", config], ready=lambda: listens(address)):
        yield f"https://{address}", certificate


def sms_over_tls(bench):
    """The worker trusts the authorities of the system. In a mount namespace of its own they are the certificate."""
    in_flight = 256
    if not shutil.which("haproxy"):
        raise LoadError("haproxy is not installed")
    bench.only("ingress")
    simulate(bench, 0)
    with tls_terminator(bench) as (url, certificate):
        base = {"TOCSIN_TWILIO_BASE_URL": url}
        wrapper = ["unshare", "--mount", "--map-root-user", "sh", "-c",
                   f'mount --bind "$1" {SYSTEM_AUTHORITIES} && exec "$2"', "sh", certificate]
        for _ in range(bench.rounds):
            worker = tocsin_worker(bench, in_flight, settings=base, wrapper=wrapper)
            bench.add("tocsin", measure_worker(bench, tocsin_queue(bench), worker, in_flight))
            if bench.peers:
                peer = peer_worker(bench, in_flight, settings=base | {"SSL_CERT_FILE": str(certificate)})
                bench.add("peer", measure_worker(bench, peer_queue(bench), peer, in_flight))


# --- Context switches and futex calls -----------------------------------------------------------------


def switches_of(bench, queue, worker, in_flight):
    seconds = 2
    target = FASTEST * (2 * seconds + 1)
    with in_full_flow(queue, worker, in_flight, target):
        first, before = queue.sent(), usage.voluntary_switches(worker.pid)
        time.sleep(seconds)  # the length of the window
        count, switched = queue.sent() - first, usage.voluntary_switches(worker.pid) - before
        first = queue.sent()
        calls = usage.futex_calls(worker.pid, seconds)
        counted = queue.sent() - first
    notes = {"{} voluntary switches": switched / max(count, 1)}
    if calls is not None:
        notes["{} futex calls"] = calls / max(counted, 1)
    return Measurement(notes=notes)


def switches(bench):
    in_flight = 256
    bench.only("ingress")
    simulate(bench, 0)
    bench.add("tocsin", switches_of(bench, tocsin_queue(bench), tocsin_worker(bench, in_flight), in_flight))
    if bench.peers:
        bench.add("peer", switches_of(bench, peer_queue(bench), peer_worker(bench, in_flight), in_flight))
