"""signatures: the node's own policy made stricter, and never looser."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from openstack_rollout.node import signatures
from openstack_rollout.node.errors import NodeError

IMAGE = f"r.example:5000/ns/nova@sha256:{'a' * 64}"
KEYS = ["-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"]
ACCEPT, REJECT, GPG = ({"type": one} for one in ("insecureAcceptAnything", "reject", "signedBy"))


WANTED = {"signed_by": KEYS}


def asked(own):
    """What the stricter policy asks of the image before the signature."""
    found = signatures.stricter(own, IMAGE, WANTED)
    *before, wanted = found["transports"]["docker"][IMAGE]
    assert wanted["type"] == "sigstoreSigned" and wanted["signedIdentity"] == {"type": "matchRepository"}
    return before


@pytest.mark.parametrize(
    ("own", "before"),
    [
        ({"default": [ACCEPT]}, [ACCEPT]),
        ({"default": [REJECT]}, [REJECT]),
        ({}, [REJECT]),
        ({"default": [ACCEPT], "transports": {"docker": {"": [REJECT]}}}, [REJECT]),
        ({"default": [REJECT], "transports": {"docker": {"r.example:5000": [GPG]}}}, [GPG]),
        ({"default": [ACCEPT], "transports": {"docker": {"r.example:5000/ns": [GPG], "": [ACCEPT]}}}, [GPG]),
        ({"default": [ACCEPT], "transports": {"docker": {"r.example:5000/n": [GPG]}}}, [ACCEPT]),
        ({"default": [ACCEPT], "transports": {"docker": {"*.example:5000": [REJECT]}}}, [REJECT]),
        (
            {"default": [ACCEPT], "transports": {"docker": {IMAGE: [REJECT], "r.example:5000": [GPG]}}},
            [REJECT],
        ),
        ({"default": [ACCEPT], "transports": {"dir": {"": [REJECT]}}}, [ACCEPT]),
    ],
)
def test_what_the_node_asks_of_the_image_stays_before_the_signature(own, before):
    copy = json.dumps(own)
    assert asked(own) == before
    assert json.dumps(own) == copy
    found = signatures.stricter(own, IMAGE, WANTED)
    for transport, scopes in (own.get("transports") or {}).items():
        others = {scope: one for scope, one in scopes.items() if scope != IMAGE}
        assert others.items() <= found["transports"][transport].items()


def test_one_key_is_said_as_older_podmans_know_it():
    data = [base64.b64encode(one.encode()).decode() for one in (KEYS[0], "other")]
    for keys, expected in ((KEYS, ("keyData", data[0])), ([KEYS[0], "other"], ("keyDatas", data))):
        wanted = signatures.stricter({}, IMAGE, {"signed_by": keys})["transports"]["docker"][IMAGE][-1]
        assert wanted[expected[0]] == expected[1]


def data(text):
    return base64.b64encode(text.encode()).decode()


GPG_KEYS = {"keys": ["block 1\n", "block 2\n"], "lookaside": "https://s.example/sigs"}
IDENTITY = {"email": "me@example.org", "issuer": "https://idp.example", "fulcio": "ca\n", "rekor": "log\n"}


@pytest.mark.parametrize(
    ("wanted", "requirement"),
    [
        (
            {"signed_by_gpg": GPG_KEYS},
            {"type": "signedBy", "keyType": "GPGKeys", "keyData": data("block 1\nblock 2\n")},
        ),
        (
            {"signed_by_identity": IDENTITY},
            {
                "type": "sigstoreSigned",
                "fulcio": {
                    "caData": data("ca\n"),
                    "oidcIssuer": "https://idp.example",
                    "subjectEmail": "me@example.org",
                },
                "rekorPublicKeyData": data("log\n"),
            },
        ),
    ],
)
def test_other_ways_of_signing_are_said_as_a_policy_has_them(wanted, requirement):
    """containers-policy.json(5)."""
    policy = signatures.stricter({"default": [ACCEPT]}, IMAGE, wanted)
    identity = {"signedIdentity": {"type": "matchRepository"}}
    assert policy["transports"]["docker"][IMAGE] == [ACCEPT, requirement | identity]


def test_gpgs_signatures_are_looked_up_where_the_pillar_says(node, tmp_path):
    declared = {"r.example:5000": {"signed_by_gpg": GPG_KEYS}}
    with signatures.enforced(IMAGE, declared, str(tmp_path)) as found:
        (mine,) = Path(found.env["HOME"], ".config/containers/registries.d").iterdir()
        told = json.loads(mine.read_text())["docker"]["r.example:5000/ns/nova"]
    assert told == {"lookaside": GPG_KEYS["lookaside"], "sigstore": GPG_KEYS["lookaside"]}


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node's own configuration: of the system, and of root."""
    system, home = tmp_path / "etc", tmp_path / "root"
    (system / "registries.d").mkdir(parents=True)
    (home / ".config/containers").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(signatures, "_SYSTEM", system)
    monkeypatch.setattr(signatures, "_OTHERS", tmp_path / "share")
    return system, home / ".config/containers"


DECLARED = {"r.example:5000": {"signed_by": KEYS, "mirrors": ["m.example"]}}


def test_podman_sees_the_nodes_own_files_and_where_signatures_are(node, tmp_path):
    system, own = node
    (system / "policy.json").write_text(json.dumps({"default": [REJECT]}))
    (own / "policy.json").write_text(json.dumps({"default": [GPG]}))
    (own / "auth.json").write_text("{}")
    (system / "registries.d" / "default.yaml").write_text("docker:\n  m.example/ns/nova:\n    lookaside: x\n")
    with signatures.enforced(IMAGE, DECLARED, str(tmp_path)) as found:
        policy = json.loads(Path(found.arguments[1]).read_text())
        assert policy["transports"]["docker"][IMAGE][0] == GPG and found.arguments[0] == "--signature-policy"
        there = Path(found.env["HOME"], ".config/containers")
        assert sorted(one.name for one in there.iterdir()) == ["auth.json", "policy.json", "registries.d"]
        (mine,) = [one for one in (there / "registries.d").iterdir() if one.name != "default.yaml"]
        # What the node says of a name itself stays: podman refuses two files that do.
        assert list(json.loads(mine.read_text())["docker"]) == ["r.example:5000/ns/nova"]
    assert not there.exists()


def test_without_keys_nothing_is_asked(node):
    with signatures.enforced(
        IMAGE, {"r.example:5000": {}, "x.example": DECLARED["r.example:5000"]}, ""
    ) as found:
        assert found == ([], {})


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_a_policy_that_cannot_be_read_pulls_nothing(node, text):
    (node[0] / "policy.json").write_text(text)
    with pytest.raises(NodeError, match="SIGNATURE_WRONG"), signatures.enforced(IMAGE, DECLARED, ""):
        pass
