"""A server that answers what a test tells it to, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from openstack_rollout.monitoring.contract import Access


class Server:
    """asked: what it was asked, as (method, path, parameters, headers, body). answers: (status, data or text)
    by method and path; drips: whether an answer never ends.
    """

    def __init__(self):
        self.asked = []
        self.answers = {}
        self.drips = False
        self.redirect = ""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                parts = urlsplit(self.path)
                server.asked.append((self.command, parts.path, parse_qs(parts.query), self.headers, body))
                status, data = server.answers.get((self.command, parts.path), (404, {}))
                text = (data if isinstance(data, str) else json.dumps(data)).encode()
                self.send_response(status)
                if server.redirect:
                    self.send_header("Location", server.redirect)
                self.send_header("Content-Length", str(10**9 if server.drips else len(text)))
                self.end_headers()
                self.wfile.write(text)
                while server.drips:
                    self.wfile.write(b" ")
                    time.sleep(0.05)

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self.access = Access("Prometheus", f"http://127.0.0.1:{self._http.server_port}", connect=2, read=2)

    def says(self, path, data, status=200, method="GET"):
        self.answers[method, path] = (status, data)

    def close(self):
        self.drips = False
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server():
    found = Server()
    yield found
    found.close()
