"""Who has to have signed release files, of a pillar without any; and what a file of them is told."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from openstack_rollout.declared import trust
from openstack_rollout.errors import RolloutError

KEY = ec.generate_private_key(ec.SECP256R1())
CONTENT = b"openstack: {}\n"


def public(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def test_nobody_has_to_sign_where_the_page_does_not_say_so():
    for openstack in (None, [], {}, {"release_keys": [public(KEY)]}, {"require_signed": False}, {"other": 1}):
        assert not trust.keys(openstack), openstack


def test_the_keys_of_the_page_are_those_that_count():
    page = {"require_signed": True, "release_keys": [public(KEY)], "releases": {"no": "release"}}
    assert trust.keys(page) == [public(KEY)]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"require_signed": True}, "openstack:release_keys"),
        ({"require_signed": True, "release_keys": None}, "openstack:release_keys"),
        ({"require_signed": True, "release_keys": public(KEY)}, "openstack:release_keys"),
        ({"require_signed": 1, "release_keys": [public(KEY)]}, "openstack:require_signed"),
        (
            {"require_signed": True, "release_keys": ["-----BEGIN PRIVATE KEY-----"]},
            "openstack:release_keys:0",
        ),
    ],
)
def test_who_is_not_clear_is_asked_for(said, key):
    with pytest.raises(RolloutError, match=f"^INVALID_PILLAR: {key}: "):
        trust.keys(said)


def test_a_release_elsewhere_has_no_signature():
    assert dict(trust.in_no_file({"releases": {"1.0": {}}})).keys() == {"openstack:releases:1.0"}
    for openstack in (None, {}, {"releases": None}, {"releases": {}}):
        assert list(trust.in_no_file(openstack)) == []


@pytest.mark.parametrize(
    ("content", "nothing"),
    [
        (b"# a word\nopenstack:\n  releases: {}\n", True),
        (b"", False),
        (b"openstack: {releases: {'1': {}}}", False),
        (b"openstack: {releases: {}, hooks: {}}", False),
        (b"openstack: {releases: {}}\nother: 1", False),
        (b"openstack: [", False),
        (b"\xff\xfe\x00", False),
        (b"#" * 2000 + b"\nopenstack: {releases: {}}", False),
    ],
)
def test_what_says_nothing_needs_no_signature(content, nothing):
    assert trust.says_nothing(content) is nothing


KINDS = {
    "P-256": (KEY, lambda key: key.sign(CONTENT, ec.ECDSA(hashes.SHA256()))),
    "RSA": (
        rsa.generate_private_key(65537, 2048),
        lambda key: key.sign(CONTENT, padding.PKCS1v15(), hashes.SHA256()),
    ),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate(), lambda key: key.sign(CONTENT)),
}


@pytest.mark.parametrize(("key", "sign"), KINDS.values(), ids=KINDS)
def test_a_signature_is_of_these_bytes_by_one_of_these_keys(key, sign):
    signature = base64.encodebytes(sign(key))  # in lines, as openssl and base64 break them
    assert (
        trust.wrong(CONTENT, signature, [public(ec.generate_private_key(ec.SECP256R1())), public(key)]) == ""
    )
    others = [public(one) for one, _ in KINDS.values() if one is not key]
    assert trust.wrong(CONTENT, signature, others)
    assert trust.wrong(CONTENT + b"\n", signature, [public(key)])
    for broken in (b"", b"%", signature[:-6], base64.b64encode(b"x" * 64)):
        assert trust.wrong(CONTENT, broken, [public(key)]), broken
