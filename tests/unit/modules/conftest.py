"""What tests of modules need of a node: package_set over a package manager of the test's own."""

from __future__ import annotations

import pytest

from openstack_rollout.node import dnf_library, held_services, transactions
from tests.unit.loading import load
from tests.unit.modules.package_managers import Node


@pytest.fixture
def package_set(monkeypatch, tmp_path):
    monkeypatch.setattr(transactions, "_INIT", tmp_path / "systemd")
    monkeypatch.setattr(held_services, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(held_services, "OPERATORS_POLICY", tmp_path / "policy-rc.d.kept")

    def make(packages, os_family="RedHat", answers=None):
        salt = {
            **packages.functions(),
            "cmd.run_all": Node(packages, answers),
            "package_lock.wait": lambda: 0.0,
            "package_lock.patience": lambda: 300.0,
            "package_repair.finish_dpkg": lambda switch, exclude: None,
            "system_packages.held": lambda: ["held"],
            "bootc.status": lambda: None,
        }
        monkeypatch.setattr(dnf_library, "ask", packages.ask)
        return load("modules", "package_set", salt=salt, grains={"os_family": os_family, "osarch": "amd64"})

    return make
