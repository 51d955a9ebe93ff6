"""A headless Chromium, driven over the W3C's WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import json
import os
import re
import subprocess
import urllib.request

FIND_TIMEOUT_MS = 30_000
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element reference in the protocol
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]


class Browser:
    """A context manager with one empty window."""

    def __enter__(self):
        self.driver = subprocess.Popen([os.environ["TOCSIN_BROWSER_DRIVER"], "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        ports = (re.search(r"successfully on port (\d+)", line) for line in self.driver.stdout)
        self.base = f"http://127.0.0.1:{next(filter(None, ports))[1]}/session"
        wanted = {"goog:chromeOptions": {"args": FLAGS}, "timeouts": {"implicit": FIND_TIMEOUT_MS}}
        self.base += "/" + self._request("", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return self

    def __exit__(self, *_):
        self._request("", method="DELETE")
        self.driver.terminate()
        self.driver.communicate(timeout=30)

    def _request(self, path, body=None, method="POST"):
        data = None if method == "DELETE" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)["value"]

    def open(self, url):
        self._request("/url", {"url": url})

    def find(self, xpath):
        """The first element of the path. Fails after FIND_TIMEOUT_MS."""
        return self._request("/element", {"using": "xpath", "value": xpath})[ELEMENT]

    def click(self, xpath):
        self._request(f"/element/{self.find(xpath)}/click")

    def type(self, xpath, text):
        self._request(f"/element/{self.find(xpath)}/value", {"text": text})
