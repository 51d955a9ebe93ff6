"""Holds PORT on loopback, says "held", and stays until the reader of that word has gone. Exits 1 when
somebody else holds it. scripts/up claims a range of ports with it until its own processes listen there:
the kernel lets one win, and whoever is killed gives it back."""

import select
import socket
import sys

if __name__ == "__main__":
    claim = socket.socket()
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        claim.bind(("127.0.0.1", int(sys.argv[1])))
        claim.listen()
    except OSError:
        sys.exit(1)
    print("held", flush=True)
    reader = select.poll()
    reader.register(sys.stdout, 0)  # errors only: the other end of the pipe was closed
    reader.poll()
