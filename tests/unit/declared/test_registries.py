"""Registries as operators write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from openstack_rollout.declared import needed_images, translation
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.problems import path
from tests.unit.cloud_pillar import NEW, model, valid

SECRET = "s3cret"
ADDRESS = "sdb://vault/registries/pull"


def test_a_registry_with_a_login_and_mirrors():
    declared = {
        "r.example:5000": {"username": "me", "password": ADDRESS, "mirrors": ["m.example/there"]},
        "[::1]:5000/a/b": None,
        "localhost/x": {},
    }
    found = Model.model_validate({"registries": declared}).registries
    assert list(found) == ["r.example:5000", "localhost/x"]
    assert found["r.example:5000"].mirrors == ["m.example/there"]


def test_a_public_key_is_taken_as_cosign_writes_it():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    text = key.public_bytes(serialization.Encoding.PEM, form).decode()
    found = Model.model_validate({"registries": {"r.example": {"signed_by": [text, f"\n {text.strip()}"]}}})
    assert found.registries["r.example"].signed_by == [text, text]


def pem(form):
    key = ec.generate_private_key(ec.SECP256R1())
    if form == "public":
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1)).sign(
        key, SHA256()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


#: The first packet of a key, without the rest of it: all that is looked at.
BLOCK = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF==\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----"
GPG = {"keys": [BLOCK], "lookaside": "https://s.example/sigs/"}
WHO = {
    **{"email": "me@example.org", "issuer": "https://idp.example"},
    **{"fulcio": pem("certificate"), "rekor": pem("public")},
}


def test_other_ways_of_signing():
    declared = {"a.example": {"signed_by_gpg": GPG}, "b.example": {"signed_by_identity": WHO}}
    found = Model.model_validate({"registries": declared}).registries
    assert found["a.example"].signed_by_gpg.model_dump() == {
        "keys": [f"{BLOCK}\n"],
        "lookaside": "https://s.example/sigs",
    }
    assert found["b.example"].signed_by_identity.model_dump() == WHO


@pytest.mark.parametrize(
    ("registries", "where"),
    [
        ({"r.example": {"signed_by_gpg": GPG | {"keys": []}}}, "registries:r.example:signed_by_gpg:keys"),
        (
            {"r.example": {"signed_by_gpg": GPG | {"keys": [BLOCK.replace("PUBLIC", "PRIVATE") + SECRET]}}},
            "registries:r.example:signed_by_gpg:keys:0",
        ),
        (
            {"r.example": {"signed_by_gpg": GPG | {"keys": [BLOCK.replace("mQEN", "lQEN")]}}},  # a secret key
            "registries:r.example:signed_by_gpg:keys:0",
        ),
        (
            {"r.example": {"signed_by_gpg": GPG | {"lookaside": "/srv/sigs"}}},
            "registries:r.example:signed_by_gpg:lookaside",
        ),
        (
            {"r.example": {"signed_by_identity": {**WHO, "fulcio": WHO["rekor"]}}},
            "registries:r.example:signed_by_identity:fulcio",
        ),
        (
            {"r.example": {"signed_by_identity": {key: WHO[key] for key in ("email", "issuer", "rekor")}}},
            "registries:r.example:signed_by_identity:fulcio",
        ),
        (
            {"r.example": {"signed_by_gpg": GPG, "signed_by_identity": WHO}},
            "registries:r.example:signed_by_identity",
        ),
        ({"r.example": {"username": "me", "password": SECRET}}, "registries:r.example:password"),
        ({"r.example": {"username": "me"}}, "registries:r.example"),
        ({"r.example": {"password": ADDRESS}}, "registries:r.example"),
        ({"r.example": {"username": "a:b", "password": ADDRESS}}, "registries:r.example:username"),
        ({"r.example": {"pasword": ADDRESS}}, "registries:r.example:pasword"),
        ({"r.example": {"mirrors": ["m"]}}, "registries:r.example:mirrors:0"),
        ({"r.example": {"mirrors": ["m.example", "m.example"]}}, "registries:r.example:mirrors"),
        ({"https://r.example": {}}, "registries:'https://r.example'"),
        ({"registry": {}}, "registries:registry"),
        ({"r.example/": {}}, "registries:r.example/"),
        ({"r.example/a:1": {}}, "registries:'r.example/a:1'"),
        ({"r.example:99999": {}}, "registries:'r.example:99999'"),
        (["r.example"], "registries"),
        (
            {"r.example": {"signed_by": [f"-----BEGIN PRIVATE KEY-----\n{SECRET}"]}},
            "registries:r.example:signed_by:0",
        ),
        (
            {"r.example": {"signed_by": ["-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----"]}},
            "registries:r.example:signed_by:0",
        ),
    ],
)
def test_what_is_wrong_is_one_line_by_its_key_without_the_secret(registries, where):
    with pytest.raises(ValidationError) as error:
        Model.model_validate({"registries": registries})
    ((place, line),) = translation.problems(error.value, Model)
    assert path(place) == where and SECRET not in line, line


def test_images_that_no_enabled_service_of_a_role_runs_are_not_needed():
    pillar = valid() | {"custom_images": {"nova_compute_image": "fix.example/nova:1"}}
    whole = needed_images.of(model(pillar), NEW)
    assert whole["openstack:custom_images:nova_compute_image"] == "fix.example/nova:1"
    assert f"openstack:releases:{NEW}:images:nova_compute_image" not in whole
    keys = {key.rpartition("images:")[2] for key in whole}
    assert not keys.intersection(pillar["auxiliary_images"]) and "ovn_controller_image" in keys
    off = pillar | {"services": {**pillar["services"], "ovn": {"enabled": False}}}
    without = {key.rpartition("images:")[2] for key in needed_images.of(model(off), NEW)}
    assert "ovn_controller_image" not in without
    computes = needed_images.of(model(pillar | {"roles": {"compute": "cmp*"}}), NEW)
    assert len(computes) < len(whole)
