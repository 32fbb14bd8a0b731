"""ask_dnf: what it makes of a transaction, of repositories and of files; dnf's own modules are stand-ins."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

REMOVE, OBSOLETED, DOWNGRADE, UPGRADE = "remove", "obsoleted", "downgrade", "upgrade"


class Package:
    """A package as libdnf has it."""

    def __init__(self, name, evr, path=None, local=False, whole=True):
        self.name, self.evr, self.arch = name, evr, "noarch"
        self.path, self.local, self.whole = path, local, whole

    def __str__(self):
        return f"{self.name}-{self.evr}.{self.arch}"

    def localPkg(self):
        return self.path

    def verifyLocalPkg(self):
        return self.whole

    def _is_local_pkg(self):
        return self.local


class Conf:
    """dnf's settings, whose list of excludes is replaced by a new one."""

    def __init__(self):
        self.excludepkgs = ["operators*"]
        self.installroot, self.varsdir = "/", ()
        self.substitutions = SimpleNamespace(update_from_etc=lambda *_, **__: None)
        self.read = lambda: None

    def exclude_pkgs(self, globs):
        self.excludepkgs = list(globs)

    def _set_value(self, name, value, priority):
        setattr(self, name, value)


class Base:
    """dnf.Base with a repository of a file, and one that a plugin made."""

    def __init__(self):
        self.conf = Conf()
        of_file = SimpleNamespace(id="r", repofile="/etc/yum.repos.d/r.repo", skip_if_unavailable=True)
        of_plugin = SimpleNamespace(id="_dnf_local", repofile="", skip_if_unavailable=True)
        self.repos = SimpleNamespace(iter_enabled=lambda: [of_file, of_plugin])
        for step in ("init_plugins", "pre_configure_plugins", "read_all_repos", "configure_plugins"):
            setattr(self, step, lambda: None)
        self.fill_sack_from_repos_in_cache = lambda: None


@pytest.fixture
def ask_dnf(monkeypatch):
    for name in ("dnf", "dnf.exceptions", "dnf.subject", "dnf.transaction", "hawkey", "libdnf"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "libdnf.transaction", ModuleType("libdnf.transaction"))
    dnf = sys.modules["dnf"]
    dnf.Base, dnf.conf = Base, SimpleNamespace(PRIO_COMMANDLINE=1)
    dnf.transaction = SimpleNamespace(PKG_REMOVE=REMOVE, PKG_OBSOLETED=OBSOLETED, PKG_DOWNGRADE=DOWNGRADE)
    monkeypatch.delitem(sys.modules, "openstack_rollout.node.ask_dnf", raising=False)
    yield importlib.import_module("openstack_rollout.node.ask_dnf")
    del sys.modules["openstack_rollout.node.ask_dnf"]


def test_what_is_excluded_for_a_question_comes_to_what_the_operator_excludes(ask_dnf):
    base = ask_dnf._with_repositories({"exclude": ["openvswitch*"], "setopt": ["excludepkgs=a,b", "best=1"]})
    assert base.conf.excludepkgs == ["operators*", "a", "b", "openvswitch*"] and base.conf.best == "1"


def test_a_repository_that_a_plugin_made_may_be_empty(ask_dnf):
    repositories = ask_dnf._with_repositories({}).repos.iter_enabled()
    assert {one.id: one.skip_if_unavailable for one in repositories} == {"r": False, "_dnf_local": True}


class Transaction(list):
    """A resolved transaction."""

    @property
    def install_set(self):
        return [one.pkg for one in self if one.action in (UPGRADE, DOWNGRADE)]


def test_downgrades_and_what_makes_room_for_kernels_are_told_apart(ask_dnf):
    extra, tuned = Package("kernel-extra", "1"), Package("tuned", "1")
    moves = {DOWNGRADE: Package("lib", "1"), UPGRADE: Package("app", "2")}
    items = [SimpleNamespace(action=action, pkg=one) for action, one in moves.items()]
    items += [SimpleNamespace(action=REMOVE, pkg=one) for one in (extra, tuned)]
    base = SimpleNamespace(
        transaction=Transaction(items),
        sack=SimpleNamespace(query=lambda: SimpleNamespace(installed=lambda: None)),
        _get_installonly_query=lambda query: [extra],
        _goal=SimpleNamespace(obsoleted_by_package=lambda new: [tuned] if new.name == "app" else []),
    )
    said = ask_dnf._transaction(base)
    assert [one["nevra"] for one in said["downgraded"]] == ["lib-1.noarch"]
    assert list(said["retired"]) == ["kernel-extra-1.noarch"]
    assert {nevra: one["by"] for nevra, one in said["removed"].items()} == {"tuned-1.noarch": "app"}


@pytest.mark.parametrize(
    ("file", "local", "whole", "here"),
    [("x.rpm", False, True, True), ("x.rpm", False, False, False), (None, False, True, False),
     (None, True, False, True)],
)  # fmt: skip
def test_a_file_counts_that_is_whole_or_of_a_repository_of_the_node(
    ask_dnf, tmp_path, file, local, whole, here
):
    (tmp_path / "x.rpm").touch()
    path = str(tmp_path / (file or "absent"))
    assert ask_dnf._is_here(Package("x", "1", path, local, whole)) is here
