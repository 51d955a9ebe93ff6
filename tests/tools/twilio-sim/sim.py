"""The simulator as a process, and a receiver of its webhooks, for the tests in this folder."""

import http.server
import json
import os
import pathlib
import queue
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import twilio.rest as twilio_rest
from twilio.http.http_client import TwilioHttpClient

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
SERVICE = "MG0123456789abcdef0123456789abcdef"
TOKEN = "fedcba9876543210fedcba9876543210"
FROM = "+15017122661"
TO = "+15145550123"
TIMEOUT = 30  # seconds


def program():
    folder = os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")
    return str(pathlib.Path(folder) / "tocsin-twilio-sim")


class Simulator:
    def __init__(self, folder, *extra):
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.process = subprocess.Popen(
            [program(), "--listen", "127.0.0.1:0", "--account", ACCOUNT, "--auth-token-file",
             str(self.token_file), "--number", "+15145550111", "--messaging-service",
             f"{SERVICE}=+15145550111", "--seed", "7", *extra],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split("port ")[1].split(",")[0])
        self.base = f"http://127.0.0.1:{self.port}"

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.base + path, data=data)) as response:
            return response.read().decode()

    def lines(self, path):
        return [json.loads(line) for line in self.control(path).splitlines()]

    def client(self, token=TOKEN, account=ACCOUNT, base=None):
        http_client = TwilioHttpClient(timeout=10)
        http_client.session.trust_env = False
        client = twilio_rest.Client(account, token, http_client=http_client,
                                    environment={"unused": "1"})
        client.api.base_url = base or self.base
        return client

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=10) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Receiver(http.server.ThreadingHTTPServer):
    """Stores every webhook: path, headers, parameters (of a GET: those of its query)."""

    daemon_threads = True

    def __init__(self):
        self.statuses = queue.Queue()  # of the next responses; 204 if empty
        self.documents = {}            # path without query -> TwiML of the response
        self.content_type = "text/xml; charset=utf-8"  # of documents
        self.seen = queue.Queue()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def next(self):
        return self.seen.get(timeout=TIMEOUT)

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.take(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def do_GET(self):
        self.take(urllib.parse.urlsplit(self.path).query)

    def take(self, form):
        pairs = urllib.parse.parse_qsl(form, keep_blank_values=True, strict_parsing=True)
        document = self.server.documents.get(urllib.parse.urlsplit(self.path).path)
        self.server.seen.put((self.path, self.headers, dict(pairs)))
        status = 204 if self.server.statuses.empty() else self.server.statuses.get()
        body = b"" if document is None else document.encode()
        self.send_response(status if document is None else 200)
        if document is not None:
            self.send_header("Content-Type", self.server.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def wait_until(check):
    """Repeats until the result is true. Returns it."""
    deadline = time.monotonic() + TIMEOUT
    while not (result := check()):
        assert time.monotonic() < deadline, f"timeout; last result: {result!r}"
    return result


def wait_for_status(resource, status):
    """Fetches a message or call until it has the status."""

    def fetch():
        fetched = resource.fetch()
        return fetched.status == status and fetched

    return wait_until(fetch)
