"""package_set with dnf: resolved by its library before, refused or run; what comes along and what hides."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.modules.package_managers import Packages


def test_one_transaction_with_excludes_and_a_cache_that_is_kept(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages)
    moved = module.bring({"b": "1-2", "a": "1-2"}, exclude=["kernel", "openvswitch*"])
    assert packages.asked[-1] == {
        "ask": "resolve",
        "install": ["a-1-2", "b-1-2"],
        "exclude": ["kernel", "openvswitch*"],
        "setopt": ["keepcache=1", "exit_on_lock=1"],
    }
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert "--setopt=excludepkgs=kernel,openvswitch*" in command and "--allowerasing" not in command
    assert moved == {"a": {"old": "1-1", "new": "1-2"}, "b": {"old": "1-1", "new": "1-2"}}


TUNED = {"tuned-1-1.noarch": {"name": "tuned", "arch": "noarch", "nevra": "tuned-1-1.noarch", "by": ""}}


@pytest.mark.parametrize("action", ["bring", "download"])
@pytest.mark.parametrize(
    "how", [{"problem": "a-1-2 conflicts with tuned", "needs": TUNED}, {"removed": TUNED}]
)
def test_what_would_take_another_package_away_is_refused_before_anything_moves(package_set, action, how):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.plan = how
    with pytest.raises(NodeError) as refused:
        getattr(package_set(packages), action)({"a": "1-2"})
    assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned-1-1" in refused.value.text
    assert packages.installed == {"a": ["1-1"], "tuned": ["1-1"]} and packages.cached == {}


@pytest.mark.parametrize(
    ("by", "remove", "good"), [("a", (), True), ("other", (), False), ("other", ("tun*",), True)]
)
def test_a_package_may_go_that_one_of_these_replaces_or_that_was_planned(package_set, by, remove, good):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.plan = {"removed": {"tuned-1-1.noarch": TUNED["tuned-1-1.noarch"] | {"by": by}}}
    packages.takes = ("tuned",)
    if good:
        moved = package_set(packages).bring({"a": "1-2"}, remove=remove)
        assert moved["tuned"] == {"old": "1-1", "new": ""}
        return
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2"}, remove=remove)
    assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned" in packages.installed


@pytest.mark.parametrize("action", ["bring", "download"])
@pytest.mark.parametrize(("remove", "good"), [(("tun*",), True), (("openvswitch*",), False)])
def test_what_is_in_the_way_goes_in_the_same_transaction_where_it_may(package_set, action, remove, good):
    """The installed stream of Open vSwitch obsoletes the one that comes back."""
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.plans = [{"problem": "a-1-2 conflicts with tuned", "needs": TUNED}, {"removed": TUNED}]
    packages.takes = ("tuned",) if action == "bring" else ()
    module = package_set(packages)
    if not good:
        with pytest.raises(NodeError) as refused:
            getattr(module, action)({"a": "1-2"}, remove=remove)
        assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned" in packages.installed
        return
    getattr(module, action)({"a": "1-2"}, remove=remove)
    first, second = [one for one in packages.asked if one["ask"] == "resolve"]
    assert second == {**first, "erase": ["tuned-1-1.noarch"]}
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert "--allowerasing" in command


def test_what_would_go_besides_what_is_in_the_way_is_refused(package_set):
    other = {"b-1-1.noarch": TUNED["tuned-1-1.noarch"] | {"name": "b", "nevra": "b-1-1.noarch"}}
    packages = Packages({"a": "1-1", "b": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.plans = [{"problem": "tuned is in the way", "needs": TUNED}, {"removed": {**TUNED, **other}}]
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2"}, remove=["tuned"])
    assert refused.value.reason == "PACKAGE_REMOVAL" and "b-1-1" in refused.value.text
    assert packages.installed == {"a": ["1-1"], "b": ["1-1"], "tuned": ["1-1"]}


def test_packages_of_other_architectures_go_as_planned(package_set):
    """Salt's name of one has its architecture, dnf's has not."""
    packages = Packages({"new.i686": "1-1", "old": "1", "old.i686": "1"}, {})
    old = {"name": "old", "version": "1", "by": "new"}
    packages.plan = {
        "comes": [{"name": "new", "arch": "i686", "version": "1-2"}],
        "missing": [],
        "removed": {
            f"old-1.{arch}": old | {"arch": arch, "nevra": f"old-1.{arch}"} for arch in ("amd64", "i686")
        },
    }
    packages.takes, packages.brings = ("old", "old.i686", "new"), {"new.i686": "1-2"}
    moved = package_set(packages).bring({"new.i686": "1-2"})
    assert sorted(moved) == ["new.i686", "old", "old.i686"]


LIB = {"name": "lib", "arch": "noarch", "version": "1", "nevra": "lib-1.noarch"}


def test_nothing_goes_back_to_an_older_version_unless_asked_to(package_set):
    packages = Packages({"a": "1-1", "lib": "2"}, {"a": "1-2", "lib": "1"})
    packages.plan = {"downgraded": [LIB]}
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: nothing was touched.*: lib-1\.noarch$"):
        package_set(packages).bring({"a": "1-2"})
    assert packages.installed == {"a": ["1-1"], "lib": ["2"]}
    package_set(packages).bring({"a": "1-2", "lib": "1"})
    assert packages.installed["lib"] == ["1"]


def test_what_leaves_with_the_oldest_kernel_may_go(package_set):
    packages = Packages({"kernel": "1", "extra": "1"}, {"kernel": "3"})
    packages.plan = {"retired": {"extra-1.noarch": LIB | {"name": "extra"}}}
    packages.takes = ("extra",)
    assert package_set(packages).bring({"kernel": "3"})["extra"] == {"old": "1", "new": ""}


@pytest.mark.parametrize(("arch", "called"), [("noarch", "lib"), ("amd64", "lib"), ("i686", "lib.i686")])
def test_what_dnf_brings_along_is_told_before_by_the_name_that_salt_gives_it(package_set, arch, called):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    a = {"name": "a", "arch": "noarch", "version": "1-2"}
    packages.plan = {"comes": [a, LIB | {"arch": arch}]}
    packages.brings = {called: "1"}
    module = package_set(packages)
    assert module.along({"a": "1-2"}) == {called: "1"}
    assert module.bring({"a": "1-2"})[called] == {"old": "", "new": "1"}
    packages.plan = {"missing": ["a-1-2"]}
    assert module.along({"a": "1-2"}) == {}


def test_a_version_that_is_hidden_is_named_with_what_hides_it(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {})
    packages.plan = {"hidden": {"a-1-2": "version lock a-1-1.*"}}
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2"})
    assert refused.value.text == "a-1-2 is hidden by version lock a-1-1.*"
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2", "b": "1-2"})
    assert refused.value.text == "no repository has b-1-2; a-1-2 is hidden by version lock a-1-1.*"


def test_the_way_back_by_kept_files_asks_no_repository(package_set):
    packages = Packages({"a": "1-2", "b": "1-2"}, {"b": "1-1"}, cached={"b": "1-1"})
    packages.plan = {"comes": [{"name": one, "arch": "noarch", "version": "1-1"} for one in "ab"]}
    packages.dnf = lambda command: packages.move({"a": "1-1", "b": "1-1"}, download=False)
    module = package_set(packages)
    module.bring({"a": "1-1", "b": "1-1"}, files={"a": "/kept/a-1-1.noarch.rpm"})
    assert packages.installed == {"a": ["1-1"], "b": ["1-1"]} and packages.refreshed == 0
    question = packages.asked[-1]
    assert (question["install"], question["files"]) == (["b-1-1"], ["/kept/a-1-1.noarch.rpm"])
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert command[-3:] == ["install", "b-1-1", "/kept/a-1-1.noarch.rpm"]
