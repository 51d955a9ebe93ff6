"""A small HTTP server on a free port that keeps what is POSTed to it: where alerts and spans arrive in tests."""

import http.server
import json
import threading


class Receiver:
    """A context. `posts` holds (path, JSON body) in the order of their coming."""

    def __init__(self):
        self.posts = []
        posts = self.posts

        class Keep(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Nothing: the tests print what they saw."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keep)
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
