"""Exits with 0 if the broker at HOST PORT lists a live broker in its response to a metadata request.

A listening socket is not enough: the broker opens it before the controller has registered it, and creating a topic
would fail. Uses only the standard library (Kafka protocol, Metadata v1)."""

import socket
import struct
import sys

RESPONSE_TIMEOUT_SECONDS = 2.0
MAX_RESPONSE_BYTES = 1 << 20


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def live_brokers(host, port):
    # API key 3, version 1, correlation id 1, no client id, no topics
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    with socket.create_connection((host, port), RESPONSE_TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", read_exactly(connection, 4))
        if not 8 <= size <= MAX_RESPONSE_BYTES:
            raise ConnectionError("not a broker")
        _, brokers = struct.unpack(">ii", read_exactly(connection, 8))
        return brokers


if __name__ == "__main__":
    try:
        sys.exit(0 if live_brokers(sys.argv[1], int(sys.argv[2])) > 0 else 1)
    except OSError:
        sys.exit(1)
