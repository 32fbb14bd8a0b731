"""Public keys as operators declare them, and whether something is signed by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from openstack_rollout.declared.problems import Wrong

_LONGEST = 5000
_PEM = "-----BEGIN PUBLIC KEY-----"


def _key(value: Any) -> str:
    """A public key. What stands there instead may be the private one: no line shows it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - where there is a key alone
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST else ""
    try:
        if not text.startswith(_PEM):
            raise ValueError("no public key")
        load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Wrong(f"has to be a public key as PEM: the whole text from {_PEM} on") from None
    return f"{text}\n"


PublicKey = Annotated[
    str,
    PlainValidator(_key),
    WithJsonSchema({"type": "string", "pattern": f"^\\s*{_PEM}"}),
]


def signed(content: bytes, signature: bytes, keys: Iterable[str]) -> bool:
    """Whether a signature of some bytes is by one of some keys: ECDSA or RSA (PKCS #1 v1.5) of their SHA-256,
    or Ed25519 of themselves.

    content, signature: bytes. keys: PublicKey each.
    """
    return any(_is_by(key, content, signature) for key in keys)


def _is_by(key: str, content: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - where signatures are wanted alone
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415

    public = serialization.load_pem_public_key(key.encode())
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, content)
        else:
            return False
    except InvalidSignature:
        return False
    return True
