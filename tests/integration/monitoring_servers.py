"""A real Prometheus and a real Alertmanager, as processes, over a page of metrics that a test writes."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

USER, PASSWORD = "rollout", "rollout-test"
_HASHED = "$2b$04$XhkAcbimnOHJT1sIUltH/uywLIHi3UMlUYPqI1dzOrWKL0pIRhhji"  # of that password
WITHIN = 90  # seconds, on a busy machine
PROGRAMS = ("prometheus", "prometheus-alertmanager")


class Servers:
    """Prometheus scrapes and evaluates each second; Alertmanager asks for a login, over TLS.

    folder: where they keep everything. metrics: {name: value} or {name{label="x"}: value} of the page. rules:
    alert → expression, all of them critical.
    """

    def __init__(self, folder: Path, rules: dict[str, str]):
        assert all(map(shutil.which, PROGRAMS)), f"install {' and '.join(PROGRAMS)} (make host)"
        self.metrics: dict[str, float] = {}
        self._folder = folder
        self._processes: dict[str, subprocess.Popen] = {}
        self._ports = {name: _free_port() for name in PROGRAMS}
        self._page = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._page.serve_forever, args=(0.1,), daemon=True).start()
        self.cacert = self._certificate()
        self._configure(rules)

    @property
    def declared(self):
        """openstack:monitoring of these servers; the login is in the environment."""
        return {
            "prometheus": {"address": f"http://127.0.0.1:{self._ports['prometheus']}"},
            "alertmanager": {
                "address": f"https://localhost:{self._ports['prometheus-alertmanager']}",
                "cacert": str(self.cacert),
                "username": USER,
                "password": "sdb://osenv/ALERTMANAGER_PASSWORD",
            },
        }

    def start(self):
        """Start both, and wait until they answer."""
        for name in PROGRAMS:
            self.start_one(name)
        return self

    def start_one(self, name):
        """Start one of PROGRAMS."""
        options = {
            "prometheus": ["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"],
            "prometheus-alertmanager": [
                *("--config.file=alertmanager.yml", "--web.config.file=web.yml"),
                *("--storage.path=alerts", "--cluster.listen-address="),
            ],
        }[name]
        listen = f"--web.listen-address=127.0.0.1:{self._ports[name]}"
        with (self._folder / f"{name}.log").open("a") as log:
            self._processes[name] = subprocess.Popen(
                [name, *options, listen], cwd=self._folder, stdout=log, stderr=log
            )
        self.until(lambda: self._is_ready(name), f"{name} does not answer")

    def stop_one(self, name):
        """Kill one of PROGRAMS."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def stop(self):
        """Kill both."""
        for name in list(self._processes):
            self.stop_one(name)
        self._page.shutdown()
        self._page.server_close()

    def alerts(self):
        """What Alertmanager knows of: alert's name → active or suppressed."""
        return {one["labels"]["alertname"]: one["status"]["state"] for one in self.alertmanager("alerts")}

    def silences(self, state="active"):
        """The silences that are in a state."""
        return [one for one in self.alertmanager("silences") if one["status"]["state"] == state]

    def alertmanager(self, what):
        """What Alertmanager answers."""
        address = f"{self.declared['alertmanager']['address']}/api/v2/{what}"
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(address, headers={"Authorization": f"Basic {login}"})
        trusting = ssl.create_default_context(cafile=self.cacert)
        with urllib.request.urlopen(request, timeout=10, context=trusting) as answer:
            return json.load(answer)

    def until(self, holds, otherwise):
        """Wait until something holds."""
        end = time.monotonic() + WITHIN
        while not holds():
            assert time.monotonic() < end, otherwise
            time.sleep(0.2)

    def _is_ready(self, name):
        try:
            if name == "prometheus":
                address = f"{self.declared['prometheus']['address']}/-/ready"
                return urllib.request.urlopen(address, timeout=5).status == 200
            return bool(self.alertmanager("status"))
        except OSError:
            return False

    def _certificate(self):
        found = self._folder / "server.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-keyout", "server.key", "-out", found, "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"],
            cwd=self._folder, check=True, capture_output=True,
        )  # fmt: skip
        return found

    def _configure(self, rules):
        once = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        page = f"127.0.0.1:{self._page.server_port}"
        to = {
            "scheme": "https",
            "tls_config": {"ca_file": str(self.cacert)},
            "basic_auth": {"username": USER, "password": PASSWORD},
            "static_configs": [{"targets": [f"localhost:{self._ports['prometheus-alertmanager']}"]}],
        }
        alerts = [
            {"alert": name, "expr": expression, "labels": {"severity": "critical"}}
            for name, expression in rules.items()
        ]
        self._write("rules.yml", {"groups": [{"name": "test", "rules": alerts}]})
        scraped = {"job_name": "page", "honor_labels": True, "static_configs": [{"targets": [page]}]}
        self._write(
            "prometheus.yml",
            {"global": once, "rule_files": ["rules.yml"], "scrape_configs": [scraped],
             "alerting": {"alertmanagers": [to]}},
        )  # fmt: skip
        self._write("alertmanager.yml", {"route": {"receiver": "none"}, "receivers": [{"name": "none"}]})
        tls = {"cert_file": "server.pem", "key_file": "server.key"}
        self._write("web.yml", {"tls_server_config": tls, "basic_auth_users": {USER: _HASHED}})

    def _write(self, name, data):
        (self._folder / name).write_text(yaml.safe_dump(data))

    def _handler(self):
        servers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                text = "".join(f"{name} {value}\n" for name, value in servers.metrics.items()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        return Handler


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
