"""A Redis replica of the stack's Redis that takes over its address, as after a failover."""

import socket
import subprocess
import urllib.parse

import redis

import poll


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Replica:
    """A context manager: starts to replicate when entered, stops when left, also after it has taken over."""

    def __init__(self, stack):
        primary = urllib.parse.urlsplit(stack.env["TOCSIN_REDIS_URL"])
        self._address = primary.hostname, primary.port
        self._folder = stack.state / "replica"
        self._folder.mkdir()
        self._port = _free_port()

    def __enter__(self):
        host, port = self._address
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["redis-server", "--bind", host, "--port", str(self._port), "--dir", self._folder, "--appendonly", "yes",
                 "--save", "", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
                 "--replicaof", host, str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        poll.until("the replica is in sync", self._in_sync)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _client(self):
        return redis.Redis(self._address[0], self._port)

    def _in_sync(self):
        try:
            return self._client().info("replication").get("master_link_status") == "up"
        except redis.exceptions.RedisError:  # it is still starting or loading
            return False

    def stop_replication(self):
        """Later writes to the primary are lost when the replica takes over."""
        self._client().replicaof("NO", "ONE")

    def take_over(self):
        """Moves to the address of the primary, which has ended."""
        poll.until("the address is free", self._moved)
        self._port = self._address[1]

    def _moved(self):
        try:
            return self._client().config_set("port", self._address[1])
        except redis.exceptions.ResponseError:  # the sockets of a killed process remain for a moment
            return False
