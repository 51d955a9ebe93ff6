"""Listens on PORT on loopback, prints "held", and exits when the reader of the output has closed the pipe. Exits with 1
if the port is in use. scripts/up reserves a range of ports with it until its processes listen on them; if scripts/up is
killed, the port becomes free."""

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
    reader.register(sys.stdout, 0)  # errors only: the other end of the pipe is closed
    reader.poll()
