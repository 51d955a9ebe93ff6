"""`tocsin webhook send`: sends the request as it was signed, and limits the response. O9."""

import contextlib
import http.server
import os
import pathlib
import subprocess
import threading

import pytest

PROGRAM = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")) / "tocsin"
UNUSED = "http://127.0.0.1:9"  # the discard port: nothing listens there


@contextlib.contextmanager
def receiver(body=b"accepted"):
    """A server that keeps the requested targets."""
    targets = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # pylint: disable=invalid-name
            targets.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", targets
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def send(tmp_path):
    (tmp_path / "token").write_text("a-token")
    (tmp_path / "form").write_text("MessageSid=SM1")

    def run(url, **environment):
        return subprocess.run([PROGRAM, "webhook", "send", "--token-file", tmp_path / "token", "--form",
                               tmp_path / "form", "--url", url], capture_output=True, text=True, timeout=60,
                              check=False, env={**os.environ, **environment})

    return run


def test_the_path_is_sent_as_it_was_signed(send):
    with receiver() as (base, targets):
        assert send(base + "/a/./b/../c?x=%20").returncode == 0
        assert targets == ["/a/./b/../c?x=%20"]


def test_the_proxies_of_the_environment_are_not_used(send):
    with receiver() as (base, targets):
        assert send(base + "/hook", http_proxy=UNUSED, all_proxy=UNUSED, no_proxy="").returncode == 0
        assert targets == ["/hook"]


def test_a_response_without_an_end_is_refused(send):
    with receiver(body=b"x" * (2 << 20)) as (base, _):
        done = send(base + "/hook")
        assert done.returncode == 1 and "1 MiB" in done.stderr


def test_an_unreachable_url_is_reported(send):
    failed = send(UNUSED)
    assert failed.returncode == 3 and failed.stderr.startswith("tocsin: --url: unreachable: ")
    assert failed.stderr.endswith("(UNREACHABLE)\n")
