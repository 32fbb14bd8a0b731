"""The packages of an image, by the databases of rpm and dpkg that are in it, or by its bill of materials."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from openstack_rollout.declared.package_versions import DEB, RPM

_HEAD = struct.Struct(">II")
_ENTRY = struct.Struct(">iIiI")
_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003  # rpm's tags
_INT32, _STRINGS = 4, (6, 8, 9)  # types of their values
_FIELD = re.compile(r"^(Package|Version|Source|Status): *(.+)$", re.M)
_PURL = re.compile(r"pkg:(rpm|deb)/(?:[^/@?]+/)?([^@?]+)@([^?#]+)(?:\?([^#]*))?")


class Package(NamedTuple):
    """A package: of rpm or deb, its version ([epoch:]version-release), and its source package's name."""

    kind: str
    version: str
    source: str


def of_dpkg(text: str) -> dict[str, Package]:
    """The packages of dpkg's status. text (str): the file, or one of status.d."""
    found = {}
    for block in text.split("\n\n"):
        told: dict[str, str] = dict(_FIELD.findall(block))
        if (
            "Package" in told
            and "Version" in told
            and told.get("Status", " installed").endswith(" installed")
        ):
            source = told.get("Source", told["Package"]).split()[0]
            found[told["Package"]] = Package(DEB, told["Version"], source)
    return found


def of_rpm(database: str) -> dict[str, Package]:
    """The packages of rpm's database. database (str): the path of rpmdb.sqlite.

    Raises ValueError where it is none.
    """
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
            blobs = [row[0] for row in opened.execute("SELECT blob FROM Packages")]
        return dict(map(_header, blobs))
    except (sqlite3.Error, struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"rpm's database cannot be read: {error}") from error


def of_bill(text: bytes) -> dict[str, Package]:
    """The packages of a bill of materials in SPDX's or CycloneDX's JSON, by their purls.

    Raises ValueError where it is none.
    """
    data = json.loads(text)
    data = data.get("predicate", data)  # of an attestation
    if not isinstance(data, Mapping) or not {"packages", "components"} & data.keys():
        raise ValueError("no bill of materials")
    found = {}
    for purl in _purls(data):
        if match := _PURL.fullmatch(purl):
            said = parse_qs(match[4] or "")
            name, version = unquote(match[2]), unquote(match[3])
            epoch = f"{said['epoch'][0]}:" if "epoch" in said and ":" not in version else ""
            source = said.get("upstream", [name])[0].partition("@")[0]
            found[name] = Package(match[1], f"{epoch}{version}", source)
    return found


def _purls(data: Mapping[str, Any]) -> Iterator[str]:
    for one in data.get("components") or ():
        yield str(one.get("purl") or "")
    for one in data.get("packages") or ():
        for reference in one.get("externalRefs") or ():
            yield str(reference.get("referenceLocator") or "")


def _header(blob: bytes) -> tuple[str, Package]:
    """The name of a package and what its header says."""
    count, _ = _HEAD.unpack_from(blob)
    data = _HEAD.size + count * _ENTRY.size
    told: dict[int, Any] = {}
    for number in range(count):
        tag, kind, offset, _ = _ENTRY.unpack_from(blob, _HEAD.size + number * _ENTRY.size)
        if tag in (_NAME, _VERSION, _RELEASE, _EPOCH):
            start = data + offset
            if kind in _STRINGS:
                told[tag] = blob[start : blob.index(b"\0", start)].decode()
            elif kind == _INT32:
                told[tag] = struct.unpack_from(">i", blob, start)[0]
    epoch = f"{told[_EPOCH]}:" if told.get(_EPOCH) else ""
    return told[_NAME], Package(RPM, f"{epoch}{told[_VERSION]}-{told[_RELEASE]}", told[_NAME])
