"""People are told of a run of salt-run, through apprise itself."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def posted(monkeypatch):
    """What apprise sends to an address that sdb has: {"title", "message"} each."""
    found = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    monkeypatch.setenv("ROLLOUT_TOLD", f"json://127.0.0.1:{server.server_port}/")
    yield found
    server.shutdown()
    server.server_close()


def test_a_failure_a_pause_and_the_end_are_told_once(cloud, posted):
    told = {"to": ["sdb://osenv/ROLLOUT_TOLD"], "link": "https://page.example/{run}"}
    cloud.fresh(notifications=told, cmp1={"fail": {"ovn": "it is broken"}})
    assert cloud.run("rollout.run", "ovn").returncode == 1
    run = cloud.json("rollout.status")["run"]["id"]
    assert [one["title"] for one in posted] == [
        f"openstack: cmp1 failed in run {run} (ovn, apply)",
        f"openstack: run {run} pauses",
    ]
    assert "APPLY_FAILED" in posted[1]["message"] and f"https://page.example/{run}" in posted[1]["message"]
    assert cloud.run("rollout.resume").returncode == 1
    assert len(posted) == 2  # it is as it was
    cloud.node("cmp1")
    assert cloud.run("rollout.resume").returncode == 0
    assert [one["title"] for one in posted[2:]] == [f"openstack: run {run} ended: completed"]
