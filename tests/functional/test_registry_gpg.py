"""Images signed by GPG, with real keys and a real registry: what the master says, and what nodes do.

skopeo stands for podman: both read policies by the same library.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from openstack_rollout.declared.model import Model
from openstack_rollout.node import images, signatures
from openstack_rollout.on_salt import registry, registry_logins
from tests.functional.registry_server import Registry

SIGNED, SECOND, UNSIGNED, WRONG, ELSEWHERE = (
    "ns/signed",
    "ns/second",
    "ns/unsigned",
    "ns/wrong",
    "ns/elsewhere",
)
PLAIN = "ns/plain"  # what would be signed, and no signature
NAMES = (SIGNED, SECOND, UNSIGNED, WRONG, ELSEWHERE, PLAIN)


class Gpg:
    """Keys of GPG in a home of their own."""

    def __init__(self):
        # The agent's socket has to have a short path.
        self.home = Path(tempfile.mkdtemp(prefix="gpg-"))
        self.environment = os.environ | {"GNUPGHOME": str(self.home)}

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, check=True, timeout=120)
        return done.stdout.decode()

    def key(self, who):
        """Make a key; returns its fingerprint and its public half."""
        self.run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", who, "rsa2048", "sign", "never")
        listed = self.run("gpg", "--batch", "--with-colons", "--list-keys", f"={who}").splitlines()
        fingerprint = next(one for one in listed if one.startswith("fpr:")).split(":")[9]
        return fingerprint, self.run("gpg", "--batch", "--armor", "--export", fingerprint)

    def end(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environment, check=False)
        shutil.rmtree(self.home)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Served:
    """A registry, a web server with signatures beside it, and what the pillar says of both."""

    def __init__(self, home):
        self.registry = Registry(home).start()
        self.skopeo = ["skopeo", "--registries-conf", str(self.registry.registries_conf)]
        self.signatures = home / "signatures"
        self.signatures.mkdir()
        handler = functools.partial(Quiet, directory=str(self.signatures))
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.gpg = Gpg()
        (self.mine, mine), (self.second, second), (self.other, _) = map(self.gpg.key, ("me", "she", "them"))
        self.digests = {name: self.registry.push(name, "1", name) for name in NAMES}
        lookaside = f"http://127.0.0.1:{self.web.server_port}"
        said = {"signed_by_gpg": {"keys": [mine, second], "lookaside": lookaside}}
        model = Model.model_validate({"registries": {self.registry.address: said}})
        self.declared = registry_logins.of({}, model, self.references().values())

    def references(self):
        return {name: f"{self.registry.address}/{name}@{digest}" for name, digest in self.digests.items()}

    def sign(self, name, key, of=None):
        """Sign an image as `skopeo standalone-sign` does. of: the name that is signed."""
        reference = self.references()[name]
        raw = subprocess.run(
            [*self.skopeo, "inspect", "--raw", f"docker://{reference}"],
            capture_output=True,
            check=True,
        ).stdout
        manifest = self.registry.home / "manifest"
        manifest.write_bytes(raw)
        place = self.signatures / f"{name}@{self.digests[name].replace(':', '=')}"
        place.mkdir(parents=True)
        named = f"{self.registry.address}/{of or name}:1"
        command = [
            "skopeo",
            "standalone-sign",
            "--output",
            str(place / "signature-1"),
            str(manifest),
            named,
            key,
        ]
        self.gpg.run(*command)

    def plain(self, name):
        """Put there what a signature is of, packed as a signature is, without one."""
        payload = self.registry.home / "payload"
        named = {"docker-reference": f"{self.registry.address}/{name}:1"}
        image = {"docker-manifest-digest": self.digests[name]}
        critical = {"identity": named, "image": image, "type": "atomic container signature"}
        payload.write_text(json.dumps({"critical": critical, "optional": {}}))
        place = self.signatures / f"{name}@{self.digests[name].replace(':', '=')}"
        place.mkdir(parents=True)
        self.gpg.run("gpg", "--batch", "--store", "--output", str(place / "signature-1"), str(payload))

    def stop(self):
        self.web.shutdown()
        self.web.server_close()
        self.registry.stop()
        self.gpg.end()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    there = Served(tmp_path_factory.mktemp("registry"))
    try:
        there.sign(SIGNED, there.mine)
        there.sign(SECOND, there.second)
        there.sign(WRONG, there.other)
        there.sign(ELSEWHERE, there.mine, of=SIGNED)
        there.plain(PLAIN)
        yield there
    finally:
        there.stop()


@pytest.fixture(autouse=True)
def plain_http(served, monkeypatch):
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(served.registry.registries_conf))


def test_the_master_refuses_what_no_declared_key_has_signed_for_its_own_name(served):
    found = registry.problems(served.references(), reach=lambda _: served.declared)
    assert {reason for reason, _ in found} == {"SIGNATURE_WRONG"}
    told = {line.partition(":")[0]: line for _, line in found}
    assert set(told) == {UNSIGNED, WRONG, ELSEWHERE, PLAIN}
    assert "has no signature" in told[UNSIGNED] and "by a key of openstack:registries" in told[WRONG]


def test_a_server_that_does_not_answer_is_no_lack_of_signatures(served):
    away = {
        place: {**one, "signed_by_gpg": {**one["signed_by_gpg"], "lookaside": "http://127.0.0.1:1"}}
        for place, one in served.declared.items()
    }
    found = registry.problems(served.references(), reach=lambda _: away)
    assert [reason for reason, _ in found] == ["REGISTRY_UNREACHABLE"]


def test_the_policy_of_nodes_does_the_same(served, tmp_path, monkeypatch):
    monkeypatch.setattr(signatures, "_SYSTEM", tmp_path / "etc")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "policy.json").write_text(
        json.dumps({"default": [{"type": "insecureAcceptAnything"}]})
    )
    monkeypatch.setenv("HOME", str(tmp_path / "root"))
    refused = set()
    for name, reference in served.references().items():
        with signatures.enforced(reference, served.declared, str(tmp_path)) as enforced:
            (_, policy), home = enforced.arguments, enforced.env["HOME"]
            places = ["--policy", policy, "--registries.d", f"{home}/.config/containers/registries.d"]
            copied = tmp_path / name.replace("/", "-")
            command = [*served.skopeo, *places, "copy", f"docker://{reference}", f"dir:{copied}"]
            done = subprocess.run(
                command, env=served.registry.environment(), capture_output=True, check=False
            )
        if done.returncode:
            assert images.pull_failure(done.stderr.decode()) == "SIGNATURE_WRONG", done.stderr
            refused.add(name)
    assert refused == {UNSIGNED, WRONG, ELSEWHERE, PLAIN}
