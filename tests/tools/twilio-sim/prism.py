"""Prism validates requests and responses against Twilio's OpenAPI description, as a proxy between a client and the
simulator."""

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
READY_LIMIT = 120  # seconds; Prism needs about ten


def patched(description):
    """Corrects three errors of the description that make valid traffic look invalid: repeated parameters without
    their encoding, date filters typed as date-times, relative page URIs typed as absolute ones."""
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
    """Turns every violation of severity Error, in requests and responses, into an error response. A context manager."""

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
        """The violations; an undocumented status, such as that of any error, is only a warning. The log lags, so this
        requests an unknown path and waits for its violation."""
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.base + MARK)

        def complaints():
            lines = [line for line in self.log().splitlines() if "\u2716" in line]
            return any(MARK in line for line in lines) and lines

        return [line for line in wait_until(complaints) if MARK not in line]
