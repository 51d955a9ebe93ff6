"""Exits 0 when the broker at HOST PORT answers a metadata request with itself as a live member.

A listening socket is not enough: the broker opens it before the controller has let it in, and a topic
made in between would be refused. Only Python's own library is used (Kafka protocol, Metadata v1)."""

import socket
import struct
import sys

ANSWER_LIMIT_SECONDS = 2.0
ANSWER_LIMIT_BYTES = 1 << 20


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def live_brokers(host, port):
    # api key 3, version 1, correlation id 1, no client id, no topics asked for
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    with socket.create_connection((host, port), ANSWER_LIMIT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", read_exactly(connection, 4))
        if not 8 <= size <= ANSWER_LIMIT_BYTES:
            raise ConnectionError("not a broker")
        _, brokers = struct.unpack(">ii", read_exactly(connection, 8))
        return brokers


if __name__ == "__main__":
    try:
        sys.exit(0 if live_brokers(sys.argv[1], int(sys.argv[2])) > 0 else 1)
    except OSError:
        sys.exit(1)
