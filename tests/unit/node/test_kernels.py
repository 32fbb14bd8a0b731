"""Which kernels are installed, and whether a newer one than runs waits for a boot."""

from __future__ import annotations

import pytest

from openstack_rollout.node import kernels


def compare(one, other):
    def key(version):
        return [int(part) if part.isdigit() else part for part in version.replace("-", ".").split(".")]

    return (key(one) > key(other)) - (key(one) < key(other))


RPM = {"kernel-core": ["5.14.0-2.el9", "5.14.0-10.el9"], "bash": ["5"]}
DEB = {
    "linux-image-6.12.38+deb13-amd64": ["6.12.38-1"],
    "linux-image-6.12.48+deb13-amd64": ["6.12.48-1"],
    "linux-image-6.12.57+deb13-cloud-amd64": ["6.12.57-1"],
    "linux-image-amd64": ["6.12.48-1"],
}


@pytest.mark.parametrize(
    ("running", "packages", "family", "newest"),
    [
        ("5.14.0-2.el9.x86_64", RPM, "RedHat", "5.14.0-10.el9"),
        ("5.14.0-10.el9.x86_64", RPM, "RedHat", None),
        ("6.1.0-18-amd64", RPM, "RedHat", None),  # a container's host's
        ("6.12.38+deb13-amd64", DEB, "Debian", "6.12.48+deb13-amd64"),
        ("6.12.48+deb13-amd64", DEB, "Debian", None),
        ("6.12.57+deb13-cloud-amd64", DEB, "Debian", None),
        ("6.1.0-18-amd64", DEB, "Debian", None),
        ("5.14.0-2.el9.x86_64", {}, "RedHat", None),
        ("5.15.0-91-generic", {f"linux-image-5.15.0-{n}-generic": ["1"] for n in (91, 101)}, "Debian",
         "5.15.0-101-generic"),
    ],
)  # fmt: skip
def test_a_newer_kernel_of_the_running_kind_waits(running, packages, family, newest):
    assert kernels.waiting(running, packages, family, compare) == newest
