"""Versions of packages in the order of rpm and of dpkg, as their own documentation tells it."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.package_versions import DEB, RPM, compare

OLDER = [
    (RPM, "1.0-1", "1.0-2"),
    (RPM, "1.9", "1.10"),
    (RPM, "1.0~rc1-1", "1.0-1"),
    (RPM, "1.0", "1.0^20260101"),
    (RPM, "1.0^20260101", "1.0.1"),
    (RPM, "1.0a", "1.0.1"),
    (RPM, "9.9-9", "1:0.1-1"),
    (RPM, "2.34-60.el9_2", "2.34-60.el9_2.7"),
    (RPM, "5.5p1", "5.5p10"),
    (DEB, "2.36-9+deb12u3", "2.36-9+deb12u4"),
    (DEB, "1.0~rc1-1", "1.0-1"),
    (DEB, "1.0~~", "1.0~"),
    (DEB, "1.0", "1.0a"),
    (DEB, "1.0a", "1.0+b"),
    (DEB, "1.9", "1.10"),
    (DEB, "9.9-9", "1:0.1-1"),
    (DEB, "8.5.0-2ubuntu10.1", "8.5.0-2ubuntu10.4"),
    (DEB, "1.2.3-1~bpo12+1", "1.2.3-1"),
]


@pytest.mark.parametrize(("kind", "one", "other"), OLDER)
def test_an_older_one_is_older_both_ways_round(kind, one, other):
    assert compare(kind, one, other) == -1 and compare(kind, other, one) == 1


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [(RPM, "0:1.0-1", "1.0-1"), (RPM, "1.0", "1_0"), (RPM, "1.05", "1.5"), (DEB, "1.0", "1.0-0")],
)
def test_the_same_one_written_otherwise_is_the_same(kind, one, other):
    assert compare(kind, one, other) == 0
