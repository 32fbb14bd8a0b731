"""The packages of an image, of dpkg's status, of rpm's database and of a bill of materials."""

from __future__ import annotations

import json
import sqlite3
import struct

import pytest

from openstack_rollout.declared import package_lists
from openstack_rollout.declared.package_lists import Package

STATUS = """Package: libc6
Status: install ok installed
Source: glibc (2.36-9)
Version: 2.36-9+deb12u3
Description: x
 Version: no field

Package: gone
Status: deinstall ok config-files
Version: 1

Package: bash
Version: 5.2
"""


def header(name, version, release, epoch=None):
    """An rpm header as its database has it."""
    entries, data = [], b""
    for tag, value in ((1000, name), (1001, version), (1002, release), (5000, "else")):
        entries.append((tag, 6, len(data), 1))
        data += value.encode() + b"\0"
    if epoch is not None:
        data += b"\0" * (-len(data) % 4)
        entries.append((1003, 4, len(data), 1))
        data += struct.pack(">i", epoch)
    return (
        struct.pack(">II", len(entries), len(data))
        + b"".join(struct.pack(">iIiI", *one) for one in entries)
        + data
    )


def test_of_dpkg_what_is_installed_counts_with_its_source():
    assert package_lists.of_dpkg(STATUS) == {
        "libc6": Package("deb", "2.36-9+deb12u3", "glibc"),
        "bash": Package("deb", "5.2", "bash"),
    }


def test_of_rpm_each_header_is_read(tmp_path):
    path = tmp_path / "rpmdb.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        for blob in (header("openssl", "3.0.7", "25.el9", 1), header("bash", "5.1.8", "6.el9")):
            database.execute("INSERT INTO Packages (blob) VALUES (?)", (blob,))
    database.close()
    assert package_lists.of_rpm(str(path)) == {
        "openssl": Package("rpm", "1:3.0.7-25.el9", "openssl"),
        "bash": Package("rpm", "5.1.8-6.el9", "bash"),
    }


@pytest.mark.parametrize("content", [b"no database", b""])
def test_what_is_no_database_is_named(tmp_path, content):
    path = tmp_path / "rpmdb.sqlite"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="rpm's database cannot be read"):
        package_lists.of_rpm(str(path))


def test_bills_of_both_kinds_are_read_by_their_purls():
    purls = [
        "pkg:rpm/rocky/openssl@3.0.7-25.el9?arch=x86_64&epoch=1&upstream=openssl-3.0.7-25.el9.src.rpm",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u3?arch=amd64&upstream=glibc&distro=debian-12",
        "pkg:pypi/requests@2.0",
    ]
    cyclone = {"bomFormat": "CycloneDX", "components": [{"purl": one} for one in purls] + [{"name": "x"}]}
    spdx = {
        "packages": [{"externalRefs": [{"referenceType": "purl", "referenceLocator": one}]} for one in purls]
    }
    for bill in (cyclone, spdx, {"predicate": spdx}):
        found = package_lists.of_bill(json.dumps(bill).encode())
        assert found["libc6"] == Package("deb", "2.36-9+deb12u3", "glibc")
        assert found["openssl"].version == "1:3.0.7-25.el9" and set(found) == {"libc6", "openssl"}
    with pytest.raises(ValueError):
        package_lists.of_bill(b'{"predicate": {"builder": {}}}')
