"""A second Redis that follows the stack's and takes its place, as a floating address does."""

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
    """A context: follows when entered, gone when left, also when it has taken over by then."""

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
        poll.until("the replica follows", self._follows)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _client(self):
        return redis.Redis(self._address[0], self._port)

    def _follows(self):
        try:
            return self._client().info("replication").get("master_link_status") == "up"
        except redis.exceptions.RedisError:  # it still starts, or loads what it was sent
            return False

    def cut_off(self):
        """It learns no more, and is on its own: what it misses is lost when it takes over."""
        self._client().replicaof("NO", "ONE")

    def take_over(self):
        """The place of a primary that is gone."""
        poll.until("the address is free", self._moved)
        self._port = self._address[1]

    def _moved(self):
        try:
            return self._client().config_set("port", self._address[1])
        except redis.exceptions.ResponseError:  # the sockets of a killed process outlive it for a moment
            return False
