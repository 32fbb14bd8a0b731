"""Signatures without a key, by an authority and a log of our own: whatever has to hold is broken once."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openstack_rollout.on_salt import keyless

EMAIL, ISSUER = "me@example.org", "https://idp.example"
PAYLOAD = b'{"critical": {}}'
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNING, SERVING = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH


def key():
    return ec.generate_private_key(ec.SECP256R1())


ROOT, BETWEEN, LOG, OTHER = (key() for _ in range(4))


def pem(one):
    if isinstance(one, x509.Certificate):
        return one.public_bytes(serialization.Encoding.PEM).decode()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return one.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def signed(one, content):
    return one.sign(content, ec.ECDSA(hashes.SHA256()))


def called(name):
    """A name; the certificate of a signer has none."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])


def certificate(
    name, own, by, issuer, ca=True, since=AT - timedelta(days=900), lasts=timedelta(3000), more=()
):
    subject, above = called(name), called(by)
    builder = x509.CertificateBuilder(above, subject, own.public_key(), 1, since, since + lasts)
    for extension in (x509.BasicConstraints(ca, None), *more):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer, hashes.SHA256())


AUTHORITY = certificate("root", ROOT, "root", ROOT)
MIDDLE = certificate("between", BETWEEN, "root", ROOT)


class Signature:
    """A good signature, whose parts a test may make otherwise before it is made."""

    def __init__(self):
        self.key, self.log, self.payload = key(), LOG, PAYLOAD
        self.email, self.issuer, self.use = EMAIL, ISSUER, SIGNING
        self.since, self.logged, self.newer = AT, AT + timedelta(minutes=1), True
        self.by, self.signer, self.chain = "between", BETWEEN, [MIDDLE, AUTHORITY]
        self.entry = {}
        self.spec_of = None
        self.notes = {}

    def checked(self, **who):
        more = [x509.SubjectAlternativeName([x509.RFC822Name(self.email)]), x509.ExtendedKeyUsage([self.use])]
        text = self.issuer.encode()
        oid = "1.3.6.1.4.1.57264.1.8" if self.newer else "1.3.6.1.4.1.57264.1.1"
        value = bytes([0x0C, len(text)]) + text if self.newer else text
        more.append(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value))
        own = certificate("", self.key, self.by, self.signer, False, self.since, timedelta(minutes=10), more)
        signature = signed(self.key, self.payload)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(self.payload).hexdigest()}},
                "signature": {
                    "content": base64.b64encode(signature).decode(),
                    "publicKey": {"content": base64.b64encode(pem(own).encode()).decode()},
                },
            },
        }
        if self.spec_of:
            self.spec_of(body["spec"])
        entry = {
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "integratedTime": int(self.logged.timestamp()),
            "logIndex": 7,
            "logID": "ab" * 32,
        }
        promise = signed(self.log, json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
        bundle = {
            "SignedEntryTimestamp": base64.b64encode(promise).decode(),
            "Payload": {**entry, **self.entry},
        }
        notes = {
            "dev.sigstore.cosign/certificate": pem(own),
            "dev.sigstore.cosign/chain": "".join(map(pem, self.chain)),
            "dev.sigstore.cosign/bundle": json.dumps(bundle),
            **self.notes,
        }
        wanted = {"email": EMAIL, "issuer": ISSUER, "fulcio": pem(AUTHORITY), "rekor": pem(LOG), **who}
        keyless.check(PAYLOAD, signature, notes, wanted)


def test_what_the_declared_identity_has_signed_is_taken():
    Signature().checked()
    older = Signature()
    older.newer = False
    older.checked()


def test_an_authority_may_issue_by_itself():
    one = Signature()
    one.by, one.signer, one.chain = "root", ROOT, []
    one.checked()


def changed(**parts):
    def change(one):
        vars(one).update(parts)

    return change


def of_another(spec):
    spec["data"]["hash"]["value"] = "0" * 64


def by_another(spec):
    spec["signature"]["content"] = base64.b64encode(b"x").decode()


def certified_otherwise(spec):
    spec["signature"]["publicKey"]["content"] = base64.b64encode(pem(AUTHORITY).encode()).decode()


BROKEN = {
    "somebody else": (changed(email="you@example.org"), "you@example.org"),
    "vouched for by another": (changed(issuer="https://other.example"), "https://other.example"),
    "another authority": (changed(signer=OTHER), "another authority"),
    "no way to the authority": (changed(chain=[]), "another authority"),
    "between is no authority": (
        changed(chain=[certificate("between", BETWEEN, "root", ROOT, ca=False)]),
        "another authority",
    ),
    "for a server": (changed(use=SERVING), "than signing"),
    "signed too late": (changed(logged=AT + timedelta(hours=1)), "not valid when it signed"),
    "signed too early": (changed(logged=AT - timedelta(hours=1)), "not valid when it signed"),
    "another log": (changed(log=OTHER), "declared log"),
    "changed after it was logged": (changed(entry={"integratedTime": 1}), "declared log"),
    "more in the record": (changed(entry={"more": "x"}), "malformed"),
    "log of other content": (changed(spec_of=of_another), "another signature"),
    "log of another signature": (changed(spec_of=by_another), "another signature"),
    "log of another certificate": (changed(spec_of=certified_otherwise), "another signature"),
    "other content": (changed(payload=b"{}"), "another signature"),
    "no record": (changed(notes={"dev.sigstore.cosign/bundle": ""}), "no certificate and record"),
    "no certificate": (changed(notes={"dev.sigstore.cosign/certificate": "x"}), "no certificate and record"),
}


@pytest.mark.parametrize(("change", "told"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_hold_is_refused(change, told):
    one = Signature()
    change(one)
    with pytest.raises(keyless.Wrong, match=told):
        one.checked()


def test_what_is_signed_by_another_key_than_the_certificates():
    one = Signature()
    made = []

    class Other:
        """Signs as one key, and shows another."""

        def public_key(self):
            return OTHER.public_key()

        def sign(self, *arguments):
            made.append(1)
            return BETWEEN.sign(*arguments)

    one.key = Other()
    with pytest.raises(keyless.Wrong, match="key of its certificate"):
        one.checked()
    assert made
