"""Exits with 0 if the broker at HOST PORT lists itself as a live broker in its response to a metadata request.

A listening socket is not enough: the broker opens it before the controller has registered it, and creating a topic
would fail. Uses only the standard library (Kafka protocol, Metadata v1)."""

import socket
import struct
import sys

RESPONSE_TIMEOUT_SECONDS = 2.0
MAX_RESPONSE_BYTES = 1 << 20


class Response:
    """The fields of a response, in order."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def integer(self, form):
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def string(self):
        length = max(self.integer(">h"), 0)  # -1: null
        self._at += length
        return self._data[self._at - length:self._at].decode()


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def request_metadata(host, port, topics):
    """The response, from the brokers on. topics: how many are requested, 0 or -1 for all."""
    # API key 3, version 1, correlation id 1, no client id
    request = struct.pack(">hhihi", 3, 1, 1, -1, topics)
    with socket.create_connection((host, port), RESPONSE_TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", read_exactly(connection, 4))
        if not 8 <= size <= MAX_RESPONSE_BYTES:
            raise ConnectionError("not a broker")
        response = Response(read_exactly(connection, size))
    response.integer(">i")  # correlation id
    return response


def live_brokers(response):
    """The (host, port) of each."""
    brokers = set()
    for _ in range(response.integer(">i")):
        response.integer(">i")  # node id
        brokers.add((response.string(), response.integer(">i")))
        response.string()  # rack
    return brokers


if __name__ == "__main__":
    address = sys.argv[1], int(sys.argv[2])
    try:
        sys.exit(0 if address in live_brokers(request_metadata(*address, 0)) else 1)
    except (OSError, struct.error):
        sys.exit(1)
