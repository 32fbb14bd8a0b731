"""Packages whose transaction died in its middle: what is twice there, or without its scripts, is mended.

And what a transaction may not do: take away what is in its way, or move what the operator locked.
"""

from __future__ import annotations

import pytest

from tests.lab import half_transaction
from tests.lab.packages import Package

from . import own_repository
from .own_repository import SCRIPTS, ran

#: moved in this order, each needs the one before in its own version
CHAIN = ("half-a", "half-b", "half-c", "half-d", "half-e")
LAST = "half-c"  # the package after whose script dnf is killed
KERNEL = "half-kernel"
_ALL = dict.fromkeys(("post", "preun", "postun", "posttrans"), "")


def generation(number: str) -> list[Package]:
    """The packages in a version; one is installed beside the older ones."""
    chain = [
        Package(name, number, "1", requires=(f"{before} = {number}",), scriptlets=_ALL)
        for before, name in zip((KERNEL, *CHAIN), CHAIN, strict=False)
    ]
    kernel = Package(
        KERNEL, number, "1", provides=("installonlypkg(kernel)",), scriptlets=_ALL, installonly=True
    )
    return [*chain, kernel]


def doubles(node) -> dict[str, list[str]]:
    """What is installed more than once, and is no kernel."""
    found = node.packages()
    return {name: some for name, some in found.items() if len(some) > 1 and "kernel" not in name}


def check(node) -> tuple[int, str]:
    done = node.exec(["dnf", "--quiet", "check"], check=False)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def story(node):
    """Everything else is moved: killed in the middle, measured, and moved again."""
    node.edit(system={"packages": "all", "depth": "dist_upgrade", "reboot": "never"})
    own_repository.publish(node, generation("1"))
    node.exec(["dnf", "--quiet", "--assumeyes", "install", *CHAIN, KERNEL], timeout=300)
    node.converge()
    own_repository.publish(node, generation("2"))
    node.exec(["truncate", "--size=0", SCRIPTS])
    node.call("system_packages.refresh")
    half_transaction.arm(node.lab, "cmp1", SCRIPTS, f"{LAST} post 2")
    found = {"failure": node.failure("openstack.system")}
    found["killed"] = half_transaction.disarm(node.lab, "cmp1")
    found["half"] = doubles(node), check(node), ran(node)
    found["status"] = node.status()
    found["predicted"] = node.predict("openstack.system")
    found["changed"] = node.converge("openstack.system")
    found["whole"] = doubles(node), check(node), ran(node)
    return found


def test_dnf_died_in_the_middle_and_left_versions_side_by_side(story):
    assert "dnf" in story["killed"] and story["failure"].startswith("PACKAGE_FAILED: ")
    assert "Failed loading plugin" not in story["failure"]
    several, (code, _), scripts = story["half"]
    assert {"half-a", LAST} <= set(several) and "half-e" not in several, several
    assert code != 0 and f"{LAST} posttrans" not in scripts and f"{LAST} postun" not in scripts


def test_the_node_is_not_at_its_target_then(story):
    assert story["status"]["stages"]["system"] != "done"
    found = {one["subject"]: one["kind"] for one in story["status"]["differences"]["system"]}
    assert found[LAST] == "package_double" and found[KERNEL] == "package_half"


def test_the_next_run_mends_it_and_leaves_nothing_twice(node, story):
    assert "system packages whole" in story["predicted"] & story["changed"]
    assert story["whole"][:2] == ({}, (0, ""))
    found = node.packages()
    assert {name: found[name] for name in CHAIN} == {name: ["2-1.el9"] for name in CHAIN}
    assert found[KERNEL] == ["1-1.el9", "2-1.el9"]


def test_the_scripts_ran_that_had_not_run(story):
    for name in CHAIN:
        assert {f"{name} {script}" for script in _ALL} <= set(story["whole"][2]), name
    assert f"{KERNEL} posttrans" in story["whole"][2]


def test_there_is_nothing_left_to_do(node, story):
    assert node.status()["stages"]["system"] == "done"
    assert node.predict("openstack.system") == set()


@pytest.fixture
def fight(node, story):
    """A newer version of a package that conflicts with one that is installed."""
    own_repository.publish(node, [Package("half-fight", "1", "1")])
    node.exec(["dnf", "--quiet", "--assumeyes", "install", "half-fight"], timeout=300)
    own_repository.publish(node, [Package("half-fight", "2", "1", conflicts=("tuned",))])
    node.call("system_packages.refresh")
    yield
    own_repository.withdraw(node, "half-fight-2-*")
    node.call("system_packages.refresh")


def test_what_is_in_the_way_is_not_erased(node, fight):
    before = node.packages()
    for sls in ("openstack.prefetch", "openstack.system"):
        assert node.failure(sls).startswith("PACKAGE_REMOVAL: ")
    assert node.packages() == before
    assert node.status()["stages"]["system"] != "done"


@pytest.fixture
def locked(node, story):
    """Version locks in every form that their owner's grammar has, and newer versions of what they lock."""
    lines = ["half-e-0:2-1.el9.*", "half-ker[mn]el-2-*", "!half-a-3-*"]
    node.exec(["tee", "/etc/dnf/plugins/versionlock.list"], stdin="\n".join(["# by hand", *lines, ""]))
    own_repository.publish(node, generation("3"))
    node.call("system_packages.refresh")
    yield lines
    node.exec(["truncate", "--size=0", "/etc/dnf/plugins/versionlock.list"])


def test_what_is_locked_stays_and_is_named_with_the_line_that_locks_it(node, locked):
    stays = node.status()["stays"]
    locks = {name: stays[name]["by"] for name in ("half-e", KERNEL, "half-a")}
    assert list(locks.values()) == locked and stays["half-a"]["cause"] == "versionlock"
    node.converge("openstack.system")
    found = node.packages()
    assert (found["half-e"], found["half-a"]) == (["2-1.el9"], ["2-1.el9"])


def test_a_version_that_a_lock_hides_is_refused_with_the_line_that_locks_it(node, locked):
    comment = node.refusal("package_set.bring", "{half-e: 3-1.el9}")
    assert f"half-e-3-1.el9 is hidden by version lock {locked[0]}" in comment
