"""Debian's policy-rc.d in a folder of a test, instead of the machine's."""

from __future__ import annotations

from openstack_rollout.node import held_services


def kept_in(folder, monkeypatch):
    """Where it is."""
    found = folder / "policy-rc.d"
    monkeypatch.setattr(held_services, "POLICY", found)
    monkeypatch.setattr(held_services, "OPERATORS_POLICY", found.with_name("policy-rc.d.kept"))
    monkeypatch.setattr(held_services, "_DPKG_LOCK", found.with_name("lock"))
    return found
