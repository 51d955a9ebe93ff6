"""Running commands against services in this process."""

from concurrent import futures

import grpc
import pytest

from program import tocsin


@pytest.fixture(name="run")
def run_fixture(tmp_path):
    """run(service, argument...) runs a command against the service; "VERB" or "VERB VERB" comes first."""
    key = tmp_path / "key"
    key.write_text("tk_0123456789abcdef\n")
    servers = []

    def run(service, *arguments, output="table", stdin="", timeout=2, **environment):
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=(service,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return tocsin("--output", output, *arguments, "--address", f"127.0.0.1:{port}", "--api-key-file", str(key),
                      "--timeout", str(timeout), stdin=stdin, **environment)

    yield run
    for server in servers:
        server.stop(None)
