"""Signatures without a key of the signer's, as Sigstore has them: what can be checked without asking it.

A short-lived certificate says who signed; the log's own signature says when, so that the certificate was
valid then. Whether the log still has the entry, and whether the certificate is in a log of certificates, is
not asked: as podman does it, by the same two things that are declared.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared import public_keys

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CERTIFICATE, _CHAIN = "dev.sigstore.cosign/certificate", "dev.sigstore.cosign/chain"
_BUNDLE = "dev.sigstore.cosign/bundle"
#: What a certificate says of who vouched for the signer: the newer form, then the older one.
_ISSUER, _ISSUER_BEFORE = "1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1"
_DEEPEST = 5


class Wrong(Exception):
    """A signature that does not count. Its text says why."""


def check(payload: bytes, signature: bytes, notes: Mapping[str, str], who: Mapping[str, str]) -> None:
    """Make sure that somebody has signed something, while he was who he says.

    payload, signature: bytes. notes (dict): the annotations beside the signature. who (dict): `email`,
    `issuer`, `fulcio`, `rekor` as the pillar has them. Raises Wrong.
    """
    from cryptography import x509  # noqa: PLC0415 - where signatures are wanted alone
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        own = x509.load_pem_x509_certificate(notes[_CERTIFICATE].encode())
        between = x509.load_pem_x509_certificates(notes[_CHAIN].encode()) if notes.get(_CHAIN) else []
        at = _logged(json.loads(notes[_BUNDLE]), own, payload, signature, who["rekor"])
        roots = x509.load_pem_x509_certificates(who["fulcio"].encode())
        if not _issued(own, roots, between, at):
            raise Wrong("its certificate is of another authority, or was not valid when it signed")
        _is_of(own, who)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        key = own.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    except (ValueError, LookupError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        raise Wrong("it has no certificate and record of a log that can be read") from error
    if not public_keys.signed(payload, signature, [key]):
        raise Wrong("it is not by the key of its certificate")


def _logged(bundle: Any, own: Certificate, payload: bytes, signature: bytes, rekor: str) -> datetime:
    """When the log took down this very signature. Raises Wrong; or others where something is malformed."""
    from cryptography import x509  # noqa: PLC0415

    entry = bundle["Payload"]
    promise = base64.b64decode(bundle["SignedEntryTimestamp"], validate=True)
    # Canonical by RFC 8785: of texts in ASCII and whole numbers alone.
    plain = {"body": str, "integratedTime": int, "logIndex": int, "logID": str}
    if {name: type(value) for name, value in entry.items()} != plain:
        raise Wrong("the record of the log is malformed")
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    if not public_keys.signed(canonical, promise, [rekor]):
        raise Wrong("the record is not by the declared log")
    body = json.loads(base64.b64decode(entry["body"], validate=True))
    spec = body["spec"]
    digest = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
    certificate = base64.b64decode(spec["signature"]["publicKey"]["content"], validate=True)
    same = (
        (body["kind"], body["apiVersion"]) == ("hashedrekord", "0.0.1")
        and spec["data"]["hash"] == digest
        and base64.b64decode(spec["signature"]["content"], validate=True) == signature
        and x509.load_pem_x509_certificate(certificate) == own
    )
    if not same:
        raise Wrong("the record of the log is of another signature")
    return datetime.fromtimestamp(entry["integratedTime"], UTC)


def _issued(
    one: Certificate,
    roots: Iterable[Certificate],
    between: Iterable[Certificate],
    at: datetime,
    depth: int = _DEEPEST,
) -> bool:
    """Whether a certificate was valid, and leads to one of some roots."""
    roots, between = list(roots), list(between)
    if depth == 0 or not _valid(one, at):
        return False
    if any(_is_by(one, root) and _valid(root, at) for root in roots):
        return True
    above = (other for other in between if other != one and _is_by(one, other))
    return any(_issued(other, roots, between, at, depth - 1) for other in above)


def _valid(one: Certificate, at: datetime) -> bool:
    return one.not_valid_before_utc <= at <= one.not_valid_after_utc


def _is_by(one: Certificate, other: Certificate) -> bool:
    """Whether a certificate is issued by another one, which is one that may issue."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    try:
        if not other.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        one.verify_directly_issued_by(other)
    except (InvalidSignature, x509.ExtensionNotFound, ValueError, TypeError):
        return False
    return True


def _is_of(own: Certificate, who: Mapping[str, str]) -> None:
    """Make sure that a certificate is for the signer, and for signing. Raises Wrong."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        emails = names.get_values_for_type(x509.RFC822Name)
        uses = list(own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound as error:
        raise Wrong("its certificate is for nobody, or for something else than signing") from error
    if ExtendedKeyUsageOID.CODE_SIGNING not in uses:
        raise Wrong("its certificate is for something else than signing")
    if who["email"] not in emails:
        raise Wrong(f"it is by {', '.join(emails) or 'somebody without an address'}")
    if (issuer := _issuer(own)) != who["issuer"]:
        raise Wrong(f"who it is by was vouched for by {issuer or 'nobody'}")


def _issuer(own: Certificate) -> str:
    from cryptography import x509  # noqa: PLC0415

    found = {
        one.oid.dotted_string: one.value.value
        for one in own.extensions
        if isinstance(one.value, x509.UnrecognizedExtension)
    }
    if newer := found.get(_ISSUER):
        # A UTF8String of DER: its tag, its length in one byte or in two, its text.
        start = 2 if newer[1] < 0x80 else 3
        return newer[start:].decode()
    return found.get(_ISSUER_BEFORE, b"").decode()
