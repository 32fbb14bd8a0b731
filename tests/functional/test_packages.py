"""Packages on a real machine: each moves in its stage and nothing else does; the switch is never stopped."""

from __future__ import annotations

import pytest

SWITCH = {"openvswitch3.5", "openvswitch3.4", "openvswitch-selinux-extra-policy", "rhosp-openvswitch"}
SCRIPTS = "/var/log/rpm-scriptlets.log"
SWITCH_UNIT = "openvswitch.service"


@pytest.fixture(scope="module")
def update(node):
    """The update from 1.0.0 to 1.0.1, stage by stage: predictions, changes and packages before each stage."""
    node.exec(["truncate", "--size=0", SCRIPTS])
    node.edit(
        target_version="1.0.1", packages={"essential": ["openstack-selinux", "kernel*", "openvswitch*"]}
    )
    found = {"predicted": node.predict(), "changed": {}, "packages": {}, "pid": switch_pid(node)}
    found["prefetch"] = (node.predict("openstack.prefetch"), node.converge("openstack.prefetch"))
    found["prefetch_again"] = node.predict("openstack.prefetch"), node.converge("openstack.prefetch")
    found["packages"]["prefetch"] = node.packages()
    node.lab.kill("repositories")  # what was fetched is enough
    for stage in ("ovn", "services", "ovs", "system"):
        if stage == "ovs":
            found["broken"] = broken_transaction(node)
        found["changed"][stage] = node.converge(f"openstack.{stage}")
        found["packages"][stage] = node.packages()
    node.lab.start("repositories")
    return found


def broken_transaction(node):
    """The ovs stage with something in the way of a package's file, and the unit disabled beforehand."""
    obstacle = "/usr/share/openvswitch3.5/VERSION"
    node.exec(["mkdir", "-p", f"{obstacle}/in-the-way"])
    node.exec(["systemctl", "disable", SWITCH_UNIT])
    comment = node.failure("openstack.ovs")
    node.exec(["rm", "-r", obstacle])
    states = [node.out(["systemctl", verb, SWITCH_UNIT]) for verb in ("is-enabled", "is-active")]
    return comment, *states, switch_pid(node)


def switch_pid(node):
    return node.out(["systemctl", "show", "--property=MainPID", "--value", "ovs-vswitchd.service"])


def moved(update, before, after):
    old, new = update["packages"][before], update["packages"][after]
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def test_the_prediction_was_exact(update):
    assert update["predicted"] == set().union(*update["changed"].values())


def test_prefetch_fetches_all_once_and_installs_nothing(update):
    predicted, changed = update["prefetch"]
    assert predicted == changed and "prefetch packages" in changed
    assert update["prefetch_again"] == (set(), set())
    assert moved(update, "prefetch", "ovn") == set()


def test_the_services_stage_moves_only_the_essential_package(update):
    assert moved(update, "ovn", "services") == {"openstack-selinux"}


def test_the_ovs_stage_moves_only_the_switch(update):
    assert moved(update, "services", "ovs") == SWITCH
    assert "openvswitch3.4" not in update["packages"]["ovs"]


def test_the_system_stage_moves_the_rest_and_keeps_the_old_kernel(node, update):
    rest = moved(update, "ovs", "system")
    assert rest and not rest & {*SWITCH, "openstack-selinux"}
    assert update["packages"]["system"]["kernel-core"] == ["5.14.0-1.el9", "5.14.0-2.el9"]
    wanted = node.releases["1.0.1"]["packages"]
    assert all(version in update["packages"]["system"][name] for name, version in wanted.items())


def test_the_switch_ran_all_the_time_and_its_scripts_did_not(node, update):
    ran = [line for line in node.out(["cat", SCRIPTS]).splitlines() if "openvswitch" in line]
    assert ran == []
    assert switch_pid(node) == update["pid"]
    assert node.out(["systemctl", "is-enabled", SWITCH_UNIT]) == "enabled"
    assert node.out(["systemctl", "is-active", SWITCH_UNIT, "ovs-vswitchd.service"]) == "active\nactive"


def test_the_node_is_measured_at_the_release_and_nothing_is_left_to_do(node, update):
    status = node.status()
    assert status["deployed"] == "1.0.1" and status["differences"] == {}
    assert node.predict() == set()
    assert node.converge() == set()


def test_a_switch_that_was_disabled_is_enabled_again(node, update):
    node.exec(["systemctl", "disable", SWITCH_UNIT])
    assert node.predict() == {"ovs packages"}
    assert node.converge() == {"ovs packages"}
    assert node.out(["systemctl", "is-enabled", SWITCH_UNIT]) == "enabled"
    assert switch_pid(node) == update["pid"]


@pytest.fixture
def release_with(node):
    """Makes the target a release 1.0.2 with other package versions, and goes back to 1.0.1."""

    def write(packages):
        like = node.releases["1.0.1"]
        node.lab.pillar.write_release("1.0.2", like["images"], like["packages"] | packages)
        node.edit(target_version="1.0.2")

    yield write
    node.edit(target_version="1.0.1")


@pytest.mark.parametrize(
    ("package", "stage"),
    [("openstack-selinux", "services"), ("sudo", "system"), ("rhosp-openvswitch", "ovs")],
)
def test_a_version_that_no_repository_has_fails_by_name_and_moves_nothing(
    node, update, release_with, package, stage
):
    release_with({package: "99-1.el9"})
    before, started = node.packages(), node.started()
    assert node.failure("openstack.prefetch").startswith("PACKAGE_DOWNLOAD_FAILED: ")
    assert node.failure(f"openstack.{stage}").startswith(("PACKAGE_FAILED: ", "PACKAGE_DOWNLOAD_FAILED: "))
    assert (node.packages(), node.started()) == (before, started)
    assert node.out(["systemctl", "is-enabled", SWITCH_UNIT]) == "enabled"
    assert node.out(["systemctl", "is-active", SWITCH_UNIT]) == "active"


def test_a_transaction_that_broke_left_the_switch_enabled_and_running(update):
    comment, enabled, active, pid = update["broken"]
    assert comment.startswith("PACKAGE_FAILED: ")
    assert (enabled, active, pid) == ("enabled", "active", update["pid"])
