"""GPG's public keys: what is one, and what is not."""

from __future__ import annotations

import base64

import pytest

from openstack_rollout.declared import gpg_keys

#: the first bytes of a packet of a public key, in the old and the new form, and of a secret one
OLD, NEW, SECRET = b"\x99\x01\x0d", b"\xc6\x0d", b"\x95\x01\x0d"


def block(content, kind="PUBLIC", headers="", checksum="=abcd\n", newline="\n"):
    text = base64.b64encode(content).decode()
    begin, end = (f"-----{one} PGP {kind} KEY BLOCK-----" for one in ("BEGIN", "END"))
    lines = f"{begin}\n{headers}\n{text}\n{checksum}{end}\n"
    return lines.replace("\n", newline)


@pytest.mark.parametrize(
    "text",
    [
        block(OLD),
        block(NEW),
        block(OLD, headers="Version: GnuPG v2\nComment: a: b\n"),
        block(OLD, checksum=""),
        block(OLD, newline="\r\n"),
        f"\n  {block(OLD)}",
    ],
)
def test_a_block_of_a_public_key_is_taken(text):
    assert gpg_keys.binary(text) in (OLD, NEW)


@pytest.mark.parametrize(
    "text",
    ["", "x", block(b""), block(SECRET), block(OLD, kind="PRIVATE"), block(b"\x01\x02"), block(OLD) + "more",
     block(OLD).replace("mQ", "m?")],
)  # fmt: skip
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError):
        gpg_keys.binary(text)
