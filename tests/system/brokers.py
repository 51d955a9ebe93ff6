"""Three brokers whose network and disk can fail: each has a network namespace, the second a disk of its own. Needs root
and the controller blkio of cgroups v1."""

import collections
import contextlib
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import stack as stacks

sys.path.append(str(stacks.ROOT / "scripts/lib"))
import kafka_ready

HOST, NUMBERS = 0, (1, 2, 3)
WITH_DISK = 2
STORE_USER = "postgres"  # scripts/lib/stores.sh
COMMAND_SECONDS = 30
DISK_BYTES = 1 << 30
SLOW_REQUESTS_PER_SECOND = 100  # of the device; a write of the broker needs about four
LED_AT_LEAST = 0.25  # of the partitions. Kafka tolerates some imbalance


def run(*command):
    subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True)


def _hardware(number):
    return f"02:00:00:00:00:{number + 1:02x}"


class Network:
    """A context manager: a bridge, and the namespaces NAME-1 to NAME-3 for TOCSIN_BROKER_NETNS."""

    def __init__(self):
        self.name = f"tb{os.getpid()}"
        self._subnet = f"198.18.{os.getpid() % 256}"  # for tests of networks (RFC 2544)
        self._cleanup = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as cleanup:
            run("ip", "link", "add", self.name, "address", _hardware(HOST), "type", "bridge")
            cleanup.callback(run, "ip", "link", "del", self.name)
            run("ip", "address", "add", f"{self._address(HOST)}/24", "dev", self.name)
            run("ip", "link", "set", self.name, "up")
            for number in NUMBERS:
                self._add(number, cleanup)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_):
        self._cleanup.close()

    def _add(self, number, cleanup):
        namespace = f"{self.name}-{number}"
        run("ip", "netns", "add", namespace)
        cleanup.callback(run, "ip", "netns", "del", namespace)  # deletes the link, too
        run("ip", "link", "add", self._link(number), "type", "veth",
            "peer", "name", "eth0", "address", _hardware(number), "netns", namespace)
        run("ip", "-n", namespace, "address", "add", f"{self._address(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", namespace, "link", "set", device, "up")
        run("ip", "link", "set", self._link(number), "master", self.name, "up")
        run("ip", "neighbor", "add", *self._neighbor(number), "dev", self.name)
        for other in {HOST, *NUMBERS} - {number}:
            run("ip", "-n", namespace, "neighbor", "add", *self._neighbor(other), "dev", "eth0")

    def _address(self, number):
        return f"{self._subnet}.{number + 1}"

    # Without ARP, which would report that a host is unreachable.
    def _neighbor(self, number):
        return self._address(number), "lladdr", _hardware(number), "nud", "permanent"

    def _link(self, number):
        return f"{self.name}-{number}"

    def cut(self, number):
        """Drops all packets from and to the broker."""
        run("ip", "link", "set", self._link(number), "nomaster")

    def join(self, number):
        run("ip", "link", "set", self._link(number), "master", self.name)


class Disk:
    """A context manager: a file system in a file, for the user of the stores."""

    def __init__(self):
        self._cleanup = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as cleanup:
            image = tempfile.NamedTemporaryFile(prefix="tocsin-disk.")
            cleanup.callback(image.close)
            image.truncate(DISK_BYTES)
            run("mkfs.ext4", "-q", "-m", "0", image.name)
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-disk.", dir="/run"))
            cleanup.callback(self.folder.rmdir)
            run("mount", "-o", "loop", image.name, self.folder)
            cleanup.callback(run, "umount", self.folder)
            (self.folder / "lost+found").rmdir()  # Kafka refuses folders that it does not know
            shutil.chown(self.folder, STORE_USER)
            self._filler = self.folder / "filler"
            device = self.folder.stat().st_dev
            self._device = f"{os.major(device)}:{os.minor(device)}"
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_):
        self._cleanup.close()

    def hold_logs_of(self, stack):
        """Of its second broker, which has not started yet."""
        data = stack.state / "kafka"
        data.mkdir(mode=0o700)
        (data / f"log-{WITH_DISK}").symlink_to(self.folder)
        shutil.chown(data, STORE_USER)

    def fill(self):
        """The filler would be larger than the disk, so it takes all that is free."""
        with self._filler.open("wb") as filler, contextlib.suppress(OSError):
            os.posix_fallocate(filler.fileno(), 0, DISK_BYTES)
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self):
        self._filler.unlink()

    def slow_down(self):
        """Every write waits for the device, which becomes slow."""
        run("mount", "-o", "remount,sync", self.folder)
        self._limit(SLOW_REQUESTS_PER_SECOND)

    def recover(self):
        self._limit(0)
        run("mount", "-o", "remount,async", self.folder)

    def _limit(self, per_second):
        group = next(line.split(":", 2)[2] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()
                     if line.split(":")[1] == "blkio")
        limits = pathlib.Path("/sys/fs/cgroup/blkio", group.strip("/"))
        (limits / "blkio.throttle.write_iops_device").write_text(f"{self._device} {per_second}")

    def write_seconds(self):
        """How long a small write takes."""
        probe = self.folder / "probe"
        with probe.open("wb", buffering=0) as file:
            begin = time.monotonic()
            file.write(b"x")
            taken = time.monotonic() - begin
        probe.unlink()
        return taken


def _addresses(stack):
    return [(host, int(port)) for host, port in
            (address.split(":") for address in stack.env["TOCSIN_KAFKA_BOOTSTRAP"].split(","))]


def _partitions(host, port):
    """(leader, replicas, in-sync replicas) of every partition, as this broker reports them."""
    response = kafka_ready.request_metadata(host, port, -1)
    kafka_ready.live_brokers(response)
    response.integer(">i")  # controller
    for _ in range(response.integer(">i")):
        response.integer(">h")  # error
        response.string()
        response.integer(">b")  # internal
        for _ in range(response.integer(">i")):
            response.integer(">h")  # error
            response.integer(">i")  # number
            leader = response.integer(">i")
            replicas, in_sync = ([response.integer(">i") for _ in range(response.integer(">i"))] for _ in range(2))
            yield leader, replicas, in_sync


def are_in_sync(stack):
    """Whether every broker reports that no partition is under-replicated."""
    return _each_reports(stack, lambda partitions: True)


def are_balanced(stack):
    """Whether they are in sync, and each leads its share of the partitions."""
    def shared(partitions):
        led = collections.Counter(leader for leader, _, _ in partitions)
        return all(led[number] >= LED_AT_LEAST * len(partitions) for number in NUMBERS)

    return _each_reports(stack, shared)


def _each_reports(stack, condition):
    try:
        for host, port in _addresses(stack):
            partitions = list(_partitions(host, port))
            if any(len(in_sync) < len(replicas) for _, replicas, in_sync in partitions) or not condition(partitions):
                return False
        return True
    except (OSError, struct.error):
        return False
