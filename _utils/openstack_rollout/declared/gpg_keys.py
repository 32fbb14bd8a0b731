"""GPG's public keys as text (RFC 4880, ASCII armor) and as what gpgv reads."""

from __future__ import annotations

import base64
import re

BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_BLOCK = re.compile(rf"{BEGIN}\n(?:[^\n:]+: [^\n]*\n)*\s*\n(.*?)(?:^=[^\n]{{4}}\s*)?{_END}", re.S | re.M)
_PUBLIC_KEY = 6  # tag of the first packet


def binary(text: str) -> bytes:
    """What a block of a public key stands for. Raises ValueError where it is none, such as a private key."""
    block = _BLOCK.fullmatch(text.replace("\r\n", "\n").strip())
    if block is None:
        raise ValueError("it is no block of a public key")
    found = base64.b64decode("".join(block[1].split()), validate=True)
    if not found or _tag(found[0]) != _PUBLIC_KEY:
        raise ValueError("there is no public key in it")
    return found


def _tag(first: int) -> int:
    """The kind of a packet, by its first byte (RFC 4880, 4.2)."""
    if not first & 0x80:
        return 0
    return first & 0x3F if first & 0x40 else (first & 0x3F) >> 2
