"""Packages on a plain Debian machine whose dpkg died in the middle, and what stays there and why."""

from __future__ import annotations

import pytest

from tests.lab import half_transaction, settings

from . import own_repository
from .own_repository import DEB_SCRIPTS, Deb, ran

LAB_PROFILE = settings.DEBIAN
#: configured in this order, each needs the one before in its own version
CHAIN = ("half-a", "half-b", "half-c", "half-d")
LAST = "half-b"  # the package in whose script dpkg is killed
OTHERS = ("stay-held", "stay-pinned", "stay-grows", "stay-fights")


def generation(number: str) -> list[Deb]:
    """The packages in a version; of some the second is not to come."""
    version = f"{number}-1"
    chain = [
        Deb(name, version, f"{before} (= {version})" if before else "")
        for before, name in zip(("", *CHAIN), CHAIN, strict=False)
    ]
    needs = {"stay-grows": {"depends": "stay-new"}, "stay-fights": {"conflicts": "stay-tuned"}}
    others = [Deb(name, version, **(needs.get(name, {}) if number == "2" else {})) for name in OTHERS]
    return [*chain, *others, *([Deb("stay-new", "1-1")] if number == "2" else [Deb("stay-tuned", "1-1")])]


def states(node) -> dict[str, str]:
    """The packages of the test: "VERSION STATUS", asked of dpkg."""
    # what starts it in the machine would take a single $ for a variable of its own
    form = "--showformat=$${Package} $${Version} $${db:Status-Status}\\n"
    lines = node.out(["dpkg-query", "--show", form, "half-*", "stay-*"]).splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def story(node):
    """Everything else is moved: killed in the middle, measured, and moved again."""
    node.edit(system={"packages": "all", "depth": "upgrade", "reboot": "never"})
    own_repository.publish_debs(node, generation("1"))
    node.exec(["apt-get", "--quiet", "--yes", "install", *CHAIN, *OTHERS, "stay-tuned"], timeout=300)
    node.exec(["apt-mark", "hold", "stay-held"])
    pin = "Package: stay-pinned\nPin: version 1-1\nPin-Priority: 1001\n"
    node.exec(["tee", "/etc/apt/preferences.d/own"], stdin=pin)
    node.converge()
    own_repository.publish_debs(node, generation("2"))
    node.exec(["truncate", "--size=0", DEB_SCRIPTS])
    half_transaction.arm(node.lab, "cmp1", DEB_SCRIPTS, f"{LAST} postinst")
    found = {"failure": node.failure("openstack.system")}
    found["killed"] = half_transaction.disarm(node.lab, "cmp1")
    found["half"] = states(node), node.exec(["dpkg", "--audit"], check=False).stdout
    found["status"] = node.status()
    found["predicted"] = node.predict("openstack.system")
    found["changed"] = node.converge("openstack.system")
    found["whole"] = states(node), node.exec(["dpkg", "--audit"]).stdout
    return found


def test_dpkg_died_in_the_middle_and_the_node_is_not_at_its_target(story):
    assert "dpkg" in story["killed"] and story["failure"].startswith("PACKAGE_FAILED: ")
    found, audit = story["half"]
    assert found["half-d"] != "2-1 installed" and audit
    assert story["status"]["stages"]["system"] != "done"
    kinds = {one["kind"] for one in story["status"]["differences"]["system"]}
    assert "package_half" in kinds


def test_the_next_run_mends_it_and_the_scripts_ran(node, story):
    assert "system packages whole" in story["predicted"] & story["changed"]
    found, audit = story["whole"]
    assert audit == "" and {name: found[name] for name in CHAIN} == dict.fromkeys(CHAIN, "2-1 installed")
    assert {f"{name} postinst" for name in CHAIN} <= set(ran(node, DEB_SCRIPTS))


def test_each_package_that_stays_is_named_with_its_cause(node, story):
    found, _ = story["whole"]
    assert {name: found[name] for name in OTHERS} == dict.fromkeys(OTHERS, "1-1 installed")
    stays = {name: one["cause"] for name, one in node.status()["stays"].items() if name in OTHERS}
    assert stays == {
        "stay-held": "hold",
        "stay-pinned": "pin",
        "stay-grows": "dependencies",
        "stay-fights": "dependencies",
    }
    assert node.status()["stages"]["system"] == "done" and node.predict("openstack.system") == set()


def test_what_is_on_hold_is_refused_by_name_and_stays_on_hold(node, story):
    comment = node.refusal("package_set.bring", "{stay-held: 2-1, stay-pinned: 2-1}")
    assert "PACKAGE_FAILED: stay-held: on hold" in comment
    assert node.out(["apt-mark", "showhold"]) == "stay-held"
    assert {states(node)[name] for name in ("stay-held", "stay-pinned")} == {"1-1 installed"}


def test_what_would_go_is_in_the_plan_of_the_greater_depth_and_nothing_else_goes(node, story):
    node.edit(system={"packages": "all", "depth": "dist_upgrade", "reboot": "never"})
    assert node.call("system_packages.plan", "dist_upgrade")["remove"] == ["stay-tuned"]
    comment = node.refusal("package_set.bring", "{stay-fights: 2-1}")
    assert "PACKAGE_REMOVAL" in comment and states(node)["stay-tuned"] == "1-1 installed"
    node.converge("openstack.system")
    found = states(node)
    assert found["stay-fights"] == "2-1 installed" and found.get("stay-tuned") != "1-1 installed"
    assert found["stay-new"] == "1-1 installed" and found["stay-held"] == "1-1 installed"
