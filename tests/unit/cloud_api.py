"""A server that answers as Keystone, Cinder and Octavia do, for openstacksdk itself to ask."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PATHS = {"block-storage": "/volume/v3/p", "load-balancer": "/lb"}


class Api:
    """Keystone, Cinder and Octavia. volumes, balancers: what each has. lacks: services that are not there.
    ignores: filters that are not allowed. forbids: how paths end that the user may not ask for.
    """

    def __init__(self):
        self.volumes, self.services, self.balancers = [], [], []
        self.lacks, self.ignores, self.down, self.asked, self.forbids = set(), set(), False, [], ()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self):
                self.rfile.read(int(self.headers.get("content-length") or 0))
                status, body, headers = outer.answer(self.command, self.path)
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _do

            def log_message(self, *_):
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path):
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        if url.path == "/v3/auth/tokens":
            return 201, self._token(), {"x-subject-token": "t"}
        if url.path in ("/", "/v3", "/v3/"):
            return 200, {"version": self._version("v3", "/v3")}, {}
        if self.down:
            return 503, {}, {}
        self.asked.append(path)
        if self.forbids and url.path.endswith(self.forbids):
            return 403, {"faultstring": "Policy does not allow it"}, {}
        if url.path.rstrip("/") == "/volume/v3":
            return 200, {"versions": [self._version("v3.0", "/volume/v3/", "3.71")]}, {}
        if url.path == "/volume/v3/p/os-services":
            return 200, {"services": self.services}, {}
        if url.path == "/volume/v3/p/volumes/detail":
            assert query.pop("all_tenants") == "True"
            ((key, value),) = query.items()
            dropped = key in self.ignores
            return 200, {"volumes": [one for one in self.volumes if dropped or one.get(key) == value]}, {}
        if url.path == "/lb":
            return 200, {"versions": [self._version("v2.0", "/lb/v2.0")]}, {}
        if url.path in ("/lb/v2.0/lbaas/loadbalancers", "/lb/v2/lbaas/loadbalancers"):
            state = query["provisioning_status"]
            found = [one for one in self.balancers if one["provisioning_status"] == state]
            return 200, {"loadbalancers": found}, {}
        return 404, {"path": path}, {}

    def _version(self, name, path, newest=""):
        links = [{"rel": "self", "href": f"{self.url}{path}"}]
        return {"id": name, "status": "CURRENT", "version": newest, "min_version": "3.0", "links": links}

    def _token(self):
        catalog = [
            {"type": kind, "name": kind, "id": kind,
             "endpoints": [{"interface": "public", "region": "R", "region_id": "R", "id": kind,
                            "url": f"{self.url}{path}"}]}
            for kind, path in PATHS.items()
            if kind not in self.lacks
        ]  # fmt: skip
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        user = {"id": "u", "name": "admin", "domain": {"id": "default", "name": "Default"}}
        project = {"id": "p", "name": "admin", "domain": {"id": "default", "name": "Default"}}
        token = {"methods": ["password"], "expires_at": expires, "user": user, "project": project}
        return {"token": {**token, "catalog": catalog, "roles": [{"id": "r", "name": "admin"}]}}
