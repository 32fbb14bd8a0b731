"""A registry that has enough of questions for a while, asked by skopeo itself over HTTP."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry

TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = {"mediaType": TYPE.replace("manifest", "config"), "size": 2, "digest": f"sha256:{'0' * 64}"}
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "layers": [], "config": CONFIG}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")


class Registry(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers = []  # of the next questions: a status, and headers
        self.asked = 0

    @property
    def name(self):
        return f"127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        found = "/manifests/" not in self.path or self.path.endswith((DIGEST, "/1"))
        status, headers = 200 if found else 404, {}
        if "/manifests/" in self.path:
            self.server.asked += 1
            if self.server.answers:
                status, headers = self.server.answers.pop(0)
        content = MANIFEST if status == 200 else b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
        if status not in (200, 404):
            content = b"{}"
        self.send_response(status)
        for name, value in {"Content-Type": TYPE, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    found = Registry()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{found.name}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(conf))
    monkeypatch.setattr(registry, "AGAIN_AFTER", (0.1, 0.2, 0.3))
    yield found
    found.shutdown(), found.server_close()


@pytest.mark.parametrize(
    "answers",
    [
        [(429, {"Retry-After": "1"})] * 2,
        [(503, {})] * 2,
        [(502, {}), (429, {"Retry-After": "0"})],
        [(500, {})] * 3,
    ],
)
def test_a_registry_that_refuses_twice_and_then_works_is_no_failure(served, answers):
    served.answers = list(answers)
    assert registry.problems({"ovn_image": f"{served.name}/ovn@{DIGEST}"}) == []
    assert served.answers == [] and served.asked == len(answers) + 1


def test_a_digest_that_is_missing_is_asked_for_once(served):
    missing = f"{served.name}/ovn@sha256:{'a' * 64}"
    ((reason, line),) = registry.problems({"ovn_image": missing})
    assert reason == "IMAGE_MISSING" and missing in line and served.asked == 1


def test_a_registry_that_stays_down_is_asked_a_few_times(served):
    served.answers = [(503, {})] * 100
    with pytest.raises(RolloutError) as refused:
        registry.digest(f"{served.name}/ovn:1")
    assert refused.value.reason == "REGISTRY_UNREACHABLE" and "asked 4 times" in refused.value.message
    assert served.asked == 4


def test_a_registry_that_never_answers_is_waited_for_once(monkeypatch):
    run, calls = registry.subprocess.run, []
    monkeypatch.setattr(
        registry.subprocess, "run", lambda *words, **more: calls.append(words) or run(*words, **more)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"127.0.0.1:{server.getsockname()[1]}"
        ((reason, line),) = registry.problems({"ovn_image": f"{name}/ovn@{DIGEST}"}, timeout=1.0)
    assert reason == "REGISTRY_UNREACHABLE" and "no answer within 1 s" in line and len(calls) == 1
