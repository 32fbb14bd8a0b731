"""ask_dnf_sizes: how large packages are; dnf's own modules are stand-ins."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest


class Package:
    def __init__(self, name, version, arch="noarch", size=100, installed=700, here=False):
        self.name, self.arch, self.here = name, arch, here
        self.version, _, self.release = version.rpartition(":")[2].partition("-")
        self.evr, self.downloadsize, self.installsize = version, size, installed

    def __lt__(self, other):
        return self.arch < other.arch


class Query(list):
    def filter(self, **terms):
        return Query(one for one in self if all(getattr(one, key) == value for key, value in terms.items()))


@pytest.fixture
def asked(monkeypatch):
    for name in ("dnf", "dnf.exceptions", "dnf.subject", "dnf.transaction", "hawkey", "libdnf"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "libdnf.transaction", ModuleType("libdnf.transaction"))
    sys.modules["dnf"].exceptions = SimpleNamespace(Error=RuntimeError)
    sys.modules["hawkey"].IGNORE_EXCLUDES = 1
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("ask_dnf", "openstack_rollout.node.ask_dnf_sizes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    program = importlib.import_module("openstack_rollout.node.ask_dnf_sizes")

    def ask(offered, installed, packages):
        def query(flags=0):
            return SimpleNamespace(available=lambda: Query(offered), installed=lambda: Query(installed))

        base = SimpleNamespace(sack=SimpleNamespace(query=query))
        monkeypatch.setattr(program.ask_dnf, "_with_repositories", lambda _: base)
        monkeypatch.setattr(program.ask_dnf, "_is_here", lambda one: one.here)
        return program.sizes({"packages": packages})["packages"]

    yield ask
    del sys.modules["openstack_rollout.node.ask_dnf_sizes"]
    sys.modules.pop("ask_dnf", None)


def test_a_package_has_its_sizes_and_that_of_the_installed_one(asked):
    offered = [Package("bash", "5-1"), Package("bash", "5-2", size=110, installed=800)]
    assert asked(offered, [Package("bash", "5-1")], {"bash": "5-2"}) == {"bash": [110, 800, 700]}


def test_what_is_fetched_already_is_not_fetched_again(asked):
    assert asked([Package("bash", "5-2", here=True)], [], {"bash": "5-2"}) == {"bash": [0, 700, 0]}


def test_an_epoch_and_an_architecture_are_understood(asked):
    offered = [Package("qemu", "17:9-1", "i686", 5), Package("qemu", "17:9-1", "x86_64", 7)]
    assert asked(offered, [], {"qemu.x86_64": "17:9-1"}) == {"qemu.x86_64": [7, 700, 0]}


def test_what_no_repository_has_is_left_out(asked):
    assert asked([Package("bash", "5-1")], [], {"bash": "6-1", "zsh": "1"}) == {}
