"""`tocsin webhook send`: the request goes out as it was signed, and its answer is bounded. O9."""

import contextlib
import http.server
import os
import pathlib
import subprocess
import threading

import pytest

PROGRAM = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")) / "tocsin"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@contextlib.contextmanager
def receiver(answer=b"taken"):
    """A server that keeps the targets it was asked for."""
    targets = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # pylint: disable=invalid-name
            targets.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(answer)

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


def test_the_path_goes_out_as_it_was_signed(send):
    with receiver() as (base, targets):
        assert send(base + "/a/./b/../c?x=%20").returncode == 0
        assert targets == ["/a/./b/../c?x=%20"]


def test_no_proxy_of_the_environment_is_asked(send):
    with receiver() as (base, targets):
        assert send(base + "/hook", http_proxy=NOBODY, all_proxy=NOBODY, no_proxy="").returncode == 0
        assert targets == ["/hook"]


def test_an_answer_without_an_end_is_cut_off(send):
    with receiver(answer=b"x" * (2 << 20)) as (base, _):
        done = send(base + "/hook")
        assert done.returncode == 1 and "1 MiB" in done.stderr
