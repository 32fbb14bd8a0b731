"""ask_dnf_security: what is newer by an advisory of security; dnf's own modules are stand-ins."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

SECURITY, BUGFIX = 1, 2


class Package:
    """A package as libdnf has it, with the advisories that are newer than it."""

    def __init__(self, name, evr, advisories=(), arch="noarch"):
        self.name, self.evr, self.arch, self.advisories = name, evr, arch, advisories

    def __str__(self):
        return f"{self.name}-{self.evr}.{self.arch}"

    def get_advisories(self, comparison):
        assert comparison == "greater"
        return list(self.advisories)


def advisory(ident, *packages, kind=SECURITY):
    return SimpleNamespace(id=ident, type=kind, packages=[Package(*one) for one in packages])


@pytest.fixture
def program(monkeypatch):
    for name in ("dnf", "dnf.exceptions", "dnf.subject", "dnf.transaction", "hawkey", "libdnf"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "libdnf.transaction", ModuleType("libdnf.transaction"))
    hawkey = sys.modules["hawkey"]
    hawkey.GT, hawkey.ADVISORY_SECURITY = "greater", SECURITY
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("ask_dnf", "openstack_rollout.node.ask_dnf_security"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("openstack_rollout.node.ask_dnf_security")
    del sys.modules["openstack_rollout.node.ask_dnf_security"]
    sys.modules.pop("ask_dnf", None)


class Query(list):
    def installed(self):
        return self

    def filter(self, name, arch):
        return [one for one in self if (one.name, one.arch) == (name, arch)]


def base(*installed):
    compare = lambda one, other: (one > other) - (one < other)  # noqa: E731 - of one letter each
    return SimpleNamespace(sack=SimpleNamespace(query=lambda: Query(installed), evr_cmp=compare))


def test_what_an_advisory_of_security_mends_has_its_id(program):
    some = [
        advisory("RLSA-1", ("bash", "2")),
        advisory("RLSA-2", ("bash", "4")),  # newer than what is to be had
        advisory("RLBA-3", ("bash", "2"), kind=BUGFIX),
        advisory("RLSA-4", ("bash", "2", (), "i686"), ("other", "2")),
    ]
    here = base(Package("bash", "1", some), Package("tool", "1"))
    assert program._advisories(here, Package("bash", "3")) == ["RLSA-1"]
    assert program._advisories(here, Package("tool", "3")) == []
    assert program._advisories(here, Package("new", "3")) == []


def test_an_advisory_of_what_is_installed_already_is_none(program):
    here = base(Package("bash", "2", [advisory("RLSA-1", ("bash", "2"))]))
    assert program._advisories(here, Package("bash", "3")) == []


def test_the_question_is_that_of_everything_newer_for_these_alone(program, monkeypatch):
    here = base(Package("bash", "1", [advisory("RLSA-1", ("bash", "2"))]), Package("tool", "1"))
    newest = [Package("bash", "2"), Package("tool", "2")]
    monkeypatch.setattr(program, "_EVERYTHING", lambda base: newest)
    monkeypatch.setattr(program.ask_dnf, "_with_repositories", lambda question: here)

    def newer(question):
        wanted = program.ask_dnf._newest(here)
        return {"wanted": [{"nevra": str(one)} for one in wanted], "replaced": ["x"], "locked": []}

    monkeypatch.setattr(program.ask_dnf, "newer", newer)
    assert program.security({"ask": "security", "exclude": []}) == {
        **{"wanted": [{"nevra": "bash-2.noarch"}], "replaced": [], "locked": []},
        "advisories": {"bash-2.noarch": ["RLSA-1"]},
    }
