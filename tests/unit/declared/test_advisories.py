"""What is mended by packages that move, by updateinfo.xml and by the data of Debian's tracker."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.declared.advisories import Advisories, Moved
from openstack_rollout.declared.package_versions import DEB, RPM
from tests.unit.simulated_fleet import refusal

UPDATEINFO = b"""<?xml version="1.0"?>
<updates>
  <update type="security"><id>RLSA-2026:1</id><severity>Important</severity>
    <references><reference id="CVE-2026-1" type="cve"/><reference id="77" type="bugzilla"/></references>
    <pkglist><collection><package name="openssl" epoch="1" version="3.0.7" release="25.el9" arch="x86_64"/>
    <package name="openssl" epoch="1" version="3.0.7" release="25.el9" arch="aarch64"/></collection></pkglist>
  </update>
  <update type="bugfix"><id>RLBA-2026:2</id>
    <pkglist><collection>
    <package name="openssl" epoch="1" version="3.0.7" release="26.el9"/></collection></pkglist>
  </update>
</updates>"""
TRACKER = {
    "glibc": {
        "CVE-2026-5": {
            "releases": {
                "bookworm": {"status": "resolved", "fixed_version": "2.36-9+deb12u4", "urgency": "high"},
                "trixie": {"status": "resolved", "fixed_version": "2.36-9+deb12u4", "urgency": "low"},
                "bullseye": {"status": "open"},
            }
        },
        "CVE-2020-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}},
    }
}


def known(*files):
    found = Advisories()
    for content in files:
        found.read("file", content)
    return found


def test_an_advisory_between_two_versions_is_mended():
    some = known(UPDATEINFO)
    moved = Moved(RPM, "openssl", "openssl", "1:3.0.7-24.el9", "1:3.0.7-27.el9")
    assert some.mended([moved]) == {
        "RLSA-2026:1": {
            **{"severity": "Important", "cves": ["CVE-2026-1"]},
            "packages": {"openssl": "1:3.0.7-25.el9"},
        }
    }
    exactly = moved._replace(after="1:3.0.7-25.el9")
    assert some.mended([exactly]).keys() == {"RLSA-2026:1"}
    for before, after in (("1:3.0.7-25.el9", "1:3.0.7-27.el9"), ("1:3.0.7-23.el9", "1:3.0.7-24.el9")):
        assert some.mended([moved._replace(before=before, after=after)]) == {}
    assert some.mended([moved._replace(kind=DEB)]) == {}


def test_debians_tracker_tells_by_the_source_package_and_the_suite():
    some = known(json.dumps(TRACKER).encode(), UPDATEINFO)
    moved = Moved(DEB, "libc6", "glibc", "2.36-9+deb12u3", "2.36-9+deb12u7", "bookworm")
    told = some.mended([moved, moved._replace(name="libc-bin")])
    assert told == {
        "CVE-2026-5": {
            **{"severity": "high", "cves": ["CVE-2026-5"]},
            "packages": {"libc6": "2.36-9+deb12u4", "libc-bin": "2.36-9+deb12u4"},
        }
    }
    assert some.mended([moved._replace(source="libc6")]) == {}
    assert some.mended([moved._replace(suite="bullseye")]) == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"no xml", b"<repomd/>", b'{"a": 1}', b'{"a": {"b": {}}}', b"[]", b"{",
     b'<!DOCTYPE x [<!ENTITY a "b">]><updates/>',
     '<!DOCTYPE x [<!ENTITY a "b">]><updates/>'.encode("utf-16"),
     b'{"a": {"CVE-1": {"releases": {"trixie": {"status": "resolved", "fixed_version": 5}}}}}',
     b'{"a":' * 100_000],
)  # fmt: skip
def test_what_is_neither_is_refused_by_name(content):
    error = refusal(lambda: Advisories().read("/root/x", content))
    assert error.reason == "WRONG_ARGUMENT" and "/root/x" in error.message
