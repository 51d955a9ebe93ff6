"""Prism, which holds requests and answers against Twilio's OpenAPI description, as a process between a client
and the simulator."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

from sim import free_port, wait_until

MARK = "/is-all-written"
READY_LIMIT = 120  # seconds; Prism alone takes ten of them


def patched(description):
    """Mends three faults of the description that make correct traffic look wrong: repeated parameters without
    their encoding, filters by date typed as date-times, relative page addresses typed as absolute ones."""
    def walk(node):
        if isinstance(node, dict):
            if node.get("format") in ("uri", "date-time") and node.get("type") == "string":
                del node["format"]
            for kind, content in list(node.items()):
                if kind == "application/x-www-form-urlencoded" and "schema" in content:
                    for name, schema in content["schema"].get("properties", {}).items():
                        if schema.get("type") == "array":
                            content.setdefault("encoding", {})[name] = {"style": "form", "explode": True}
                walk(content)
        elif isinstance(node, list):
            for item in node:
                walk(item)
    walk(description)
    return description


class Prism:
    """Turns every violation of severity Error, of either side, into an answer of its own. A context."""

    def __init__(self, upstream, folder):
        self.upstream, self.folder = upstream, folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        description = patched(json.loads(pathlib.Path(os.environ["TOCSIN_TWILIO_OPENAPI"]).read_text()))
        (self.folder / "twilio.json").write_text(json.dumps(description))
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [os.environ["TOCSIN_NODE_MODULES"] + "/.bin/prism", "proxy", "-h", "127.0.0.1", "-p", str(self.port),
                 "--errors", str(self.folder / "twilio.json"), self.upstream], stdout=log, stderr=log)
        until = time.monotonic() + READY_LIMIT
        while True:
            assert self.process.poll() is None and time.monotonic() < until, self.log()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)

    def log(self):
        return (self.folder / "log").read_text()

    def exchanges(self):
        return self.log().count("Forwarding ")

    def errors(self):
        """What it had against requests and answers; an undocumented status, such as any refusal, is a warning only.
        The log lags: all of it is there when it complains of a path that nobody else asks for."""
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.base + MARK)

        def complaints():
            lines = [line for line in self.log().splitlines() if "\u2716" in line]
            return any(MARK in line for line in lines) and lines

        return [line for line in wait_until(complaints) if MARK not in line]
