"""Who signs images without a key of cosign's: by GPG, or as an identity that Sigstore certifies."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from openstack_rollout.declared import gpg_keys
from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.monitoring import Address
from openstack_rollout.declared.names import Line
from openstack_rollout.declared.problems import Wrong
from openstack_rollout.declared.public_keys import PublicKey

_LONGEST = 50_000
_PEM = "-----BEGIN CERTIFICATE-----"


def _block(value: Any) -> str:
    """A public key of GPG. What stands there instead may be the private one: no line shows it."""
    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST else ""
    try:
        gpg_keys.binary(text)
    except ValueError:
        raise Wrong(
            f"has to be a public key, as gpg --armor --export has it: the whole text from {gpg_keys.BEGIN} on"
        ) from None
    return f"{text}\n"


def _certificates(value: Any) -> str:
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - where there are some alone

    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST else ""
    try:
        if not text.startswith(_PEM):
            raise ValueError("no certificate")
        load_pem_x509_certificates(text.encode())
    except ValueError:
        raise Wrong(f"has to be certificates as PEM: the whole text from {_PEM} on") from None
    return f"{text}\n"


PublicKeyBlock = Annotated[
    str, PlainValidator(_block), WithJsonSchema({"type": "string", "pattern": f"^\\s*{gpg_keys.BEGIN}"})
]
Certificates = Annotated[
    str, PlainValidator(_certificates), WithJsonSchema({"type": "string", "pattern": f"^\\s*{_PEM}"})
]


class Gpg(Strict):
    """Simple signing, as podman and skopeo do it with GPG."""

    keys: Annotated[list[PublicKeyBlock], Field(min_length=1)]
    """Public keys (gpg --armor --export), by one of which the images have to be signed."""
    lookaside: Address
    """Where the signatures are: LOOKASIDE/REPOSITORY@sha256=…/signature-1, as `lookaside` of
    containers-registries.d(5)."""


class Identity(Strict):
    """cosign without a key: a certificate for who signs, and a record of the signature in a public log."""

    email: Line
    """The address that the certificate is for."""
    issuer: Line
    """Who vouched for it, such as https://github.com/login/oauth."""
    fulcio: Certificates
    """The certificates (PEM) of the authority that issues such certificates."""
    rekor: PublicKey
    """The public key (PEM) of the log."""
