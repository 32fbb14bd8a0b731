"""What of apt's plan comes from a repository of security updates."""

from __future__ import annotations

from openstack_rollout.node import apt_security

PRINTED = """Inst libc6 [2.36-9+deb12u3] (2.36-9+deb12u4 Debian-Security:12/stable-security [amd64])
Inst bash [5.2] (5.3 Debian:12.5/stable [amd64])
Inst both [1] (2 Debian:12.5/stable, Debian-Security:12/stable-security [amd64])
Inst curl [8.5.0-2] (8.5.0-2ubuntu10.4 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64])
Inst own [1] (2-security own-security.example:./ [all])
Inst new (1 Debian:12.5/stable [amd64]) []
Conf bash (5.3 Debian:12.5/stable [amd64])
"""


def test_what_comes_from_elsewhere_is_named():
    assert apt_security.others(PRINTED) == ["bash", "new", "own"]
    assert apt_security.others("0 upgraded") == []
