"""An HTTP server on a free port that records POST requests: the receiver of alerts and spans in tests."""

import http.server
import json
import threading


class Receiver:
    """A context manager. `posts` contains (path, JSON body) in order of arrival."""

    def __init__(self):
        self.posts = []
        posts = self.posts

        class Recorder(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Disabled."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self._server.server_port}{path}"
