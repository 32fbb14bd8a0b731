"""ask_dnf_sources: where an installed package's file is; dnf's own modules are stand-ins."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest


class Package:
    """A package as libdnf has it."""

    def __init__(self, name, path="", whole=True):
        self.name, self.arch, self.version, self.release, self.evr = name, "noarch", "1", "1", "1-1"
        self.path, self.whole = path, whole

    def __str__(self):
        return f"{self.name}-{self.evr}.{self.arch}"

    def localPkg(self):
        return str(self.path)

    def verifyLocalPkg(self):
        return self.whole

    def _is_local_pkg(self):
        return False


@pytest.fixture
def program(monkeypatch):
    for name in ("dnf", "dnf.exceptions", "dnf.subject", "dnf.transaction", "hawkey", "libdnf"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "libdnf.transaction", ModuleType("libdnf.transaction"))
    sys.modules["dnf"].exceptions = SimpleNamespace(Error=RuntimeError)
    sys.modules["hawkey"].IGNORE_EXCLUDES = 1
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("ask_dnf", "openstack_rollout.node.ask_dnf_sources"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("openstack_rollout.node.ask_dnf_sources")
    del sys.modules["openstack_rollout.node.ask_dnf_sources"]
    sys.modules.pop("ask_dnf", None)


@pytest.fixture
def asked(program, monkeypatch, tmp_path):
    """Asks for the sources of one package, of which repositories offer some."""

    def ask(offered, fetch=False, arrives=True):
        def download(packages):
            if not arrives:
                raise RuntimeError("Curl error (6)")
            packages[0].path.touch()

        def query(flags=0):
            assert flags in (0, 1)
            return SimpleNamespace(
                installed=lambda: SimpleNamespace(filter=lambda name: [Package(one) for one in name]),
                available=lambda: SimpleNamespace(filter=lambda **which: offered),
            )

        base = SimpleNamespace(
            sack=SimpleNamespace(query=query),
            conf=SimpleNamespace(cachedir=str(tmp_path)),
            download_packages=download,
        )
        monkeypatch.setattr(program.ask_dnf, "_with_repositories", lambda question: base)
        monkeypatch.setattr(program, "_installed", lambda base, names: [Package(one) for one in names])
        (found,) = program.sources({"packages": ["api"], "fetch": fetch})["packages"]
        return found["path"], found["offered"], found["problem"]

    return ask


def test_what_a_repository_has_is_fetched_only_when_asked(asked, tmp_path):
    path = tmp_path / "api.rpm"
    assert asked([Package("api", path)]) == ("", True, "")
    assert asked([Package("api", path)], fetch=True, arrives=False) == ("", True, "Curl error (6)")
    assert asked([Package("api", path)], fetch=True) == (str(path), True, "")
    assert asked([Package("api", path)], arrives=False) == (str(path), True, "")
    assert asked([Package("api", path, whole=False)])[0] == ""


def test_what_no_repository_offers_may_be_left_in_the_cache(asked, tmp_path):
    assert asked([]) == ("", False, "")
    left = tmp_path / "own-1234/packages/api-1-1.noarch.rpm"
    left.parent.mkdir(parents=True)
    left.touch()
    assert asked([]) == (str(left), False, "")
