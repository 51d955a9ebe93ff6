"""A headless Chromium, driven over the W3C's WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import json
import os
import re
import subprocess
import urllib.request

FIND_LIMIT_MS = 30_000  # an element is waited for
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name of a reference
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]


class Browser:
    """A context: one window, empty when entered."""

    def __enter__(self):
        self.driver = subprocess.Popen([os.environ["TOCSIN_BROWSER_DRIVER"], "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        ports = (re.search(r"successfully on port (\d+)", line) for line in self.driver.stdout)
        self.base = f"http://127.0.0.1:{next(filter(None, ports))[1]}/session"
        wanted = {"goog:chromeOptions": {"args": FLAGS}, "timeouts": {"implicit": FIND_LIMIT_MS}}
        self.base += "/" + self._ask("", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return self

    def __exit__(self, *_):
        self._ask("", method="DELETE")
        self.driver.terminate()
        self.driver.communicate(timeout=30)

    def _ask(self, path, body=None, method="POST"):
        data = None if method == "DELETE" else json.dumps(body or {}).encode()
        asked = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self._ask("/url", {"url": url})

    def find(self, xpath):
        """The first element of the path; fails when there is none in time."""
        return self._ask("/element", {"using": "xpath", "value": xpath})[ELEMENT]

    def click(self, xpath):
        self._ask(f"/element/{self.find(xpath)}/click")

    def type(self, xpath, text):
        self._ask(f"/element/{self.find(xpath)}/value", {"text": text})
