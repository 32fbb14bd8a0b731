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


RT = {
    "kernel-core": ["5.14.0-300.el9", "5.14.0-503.el9"],
    "kernel-rt-core": ["5.14.0-284.rt14.293.el9", "5.14.0-362.rt14.400.el9"],
}
# Since RHEL 9.3 the packages of a variant have the version of the ordinary ones.
VARIANTS = {
    "kernel-core": ["5.14.0-427.el9", "5.14.0-503.el9"],
    "kernel-rt-core": ["5.14.0-427.el9", "5.14.0-450.el9"],
    "kernel-64k-core": ["5.14.0-427.el9"],
}
UEK = {
    "kernel-core": ["5.14.0-503.el9"],
    "kernel-uek-core": ["5.15.0-200.el9uek", "5.15.0-300.el9uek"],
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
        ("5.14.0-284.rt14.293.el9.x86_64", RT, "RedHat", "5.14.0-362.rt14.400.el9"),
        ("5.14.0-300.el9.x86_64", RT, "RedHat", "5.14.0-503.el9"),
        ("5.14.0-427.el9.x86_64+rt", VARIANTS, "RedHat", "5.14.0-450.el9"),
        ("5.14.0-450.el9.x86_64+rt", VARIANTS, "RedHat", None),
        ("5.14.0-427.el9.aarch64+64k", VARIANTS, "RedHat", None),
        ("5.14.0-427.el9.x86_64", VARIANTS, "RedHat", "5.14.0-503.el9"),
        ("5.14.0-427.el9.x86_64+rt", {"kernel-core": ["5.14.0-427.el9", "5.14.0-503.el9"]}, "RedHat", None),
        ("5.15.0-200.el9uek.x86_64", UEK, "RedHat", "5.15.0-300.el9uek"),
        ("5.15.0-300.el9uek.x86_64", UEK, "RedHat", None),
        ("5.14.0-1.el9.aarch64+rt-64k", {"kernel-rt-64k-core": ["5.14.0-1.el9", "5.14.0-2.el9"]}, "RedHat",
         "5.14.0-2.el9"),
        ("5.14.0-1.el9.x86_64", {"kernel-modules-core": ["5.14.0-1.el9", "5.14.0-2.el9"]}, "RedHat", None),
        ("3.10.0-1.el7.x86_64", {"kernel": ["3.10.0-1.el7", "3.10.0-2.el7"]}, "RedHat", "3.10.0-2.el7"),
        ("5.15.0-91-generic", {f"linux-image-5.15.0-{n}-generic": ["1"] for n in (91, 101)}, "Debian",
         "5.15.0-101-generic"),
    ],
)  # fmt: skip
def test_a_newer_kernel_of_the_running_kind_waits(running, packages, family, newest):
    assert kernels.waiting(running, packages, family, compare) == newest


@pytest.mark.parametrize(
    ("running", "packages", "wanted"),
    [
        ("5.14.0-427.el9.x86_64+rt", VARIANTS, "5.14.0-450.el9.x86_64+rt"),
        ("5.14.0-427.el9.x86_64+rt", {"kernel-core": ["5.14.0-427.el9", "5.14.0-503.el9"]}, None),
        ("5.14.0-284.rt14.293.el9.x86_64", RT, "5.14.0-362.rt14.400.el9.x86_64"),
        ("5.15.0-300.el9uek.x86_64", UEK, "5.15.0-300.el9uek.x86_64"),
    ],
)
def test_the_wanted_kernel_is_one_that_is_there(running, packages, wanted):
    assert kernels.wanted(running, packages, "RedHat", compare) == wanted
