"""The system stage over dnf and apt nodes: every package, kernels and reboots, and what may come in between.

The tests are one story: a vendor publishes packages that no release names, the stage brings them to two
gateways, two computes and a controller, and each of its ways to fail is tried on the way.
"""

from __future__ import annotations

import contextlib

import pytest

from .. import operator, patches, proof, settings
from ..events import EventLog, most_in_flight
from ..patches import GENERATIONS, MINION, Patches

LAB_PROFILE = settings.SYSTEM
FIRST, SECOND = GENERATIONS
INSTALLED = (
    *("lab-plain", "lab-held", "lab-excluded", "lab-grows", "lab-config", "lab-library"),
    *("qemu-lab", "salt-minion"),
)
POLICIES = {"gateway": {"drain": "ovn_failover"}, "controller": {"reboot_occupied": True}}
SYSTEM = {"exclude": ["lab-excluded"], "reboot_timeout": 240}
OPERATORS = "mine = 1\n"
LIBRARY = "telegraf.service"  # of the lab: the name of one that may be restarted
BOOTC = settings.HERE / "files/bootc-stand-in"
HOOKS = {
    "system": {
        "before_apply": [{"name": "before", "command": ["/usr/bin/touch", "/run/lab-before"]}],
        "after_apply": [
            {
                "name": "after",
                "command": ["/usr/bin/cp", "/run/lab-before", "/run/lab-after"],
                "nodes": "cmp*",
            },
            {
                "name": "slow",
                "command": ["/usr/bin/sleep", "600"],
                "timeout": 1,
                "on_failure": "go_on",
                "nodes": "gtw2",
            },
            {"name": "states", "sls": "openstack.prefetch", "nodes": "cmp2"},
        ],
    }
}
REFUSES = {"system": {"before_apply": [{"name": "refuses", "command": ["/usr/bin/false"], "nodes": "ctl1"}]}}
#: leaves another file each time that it runs
MIGRATION = {
    "name": "once",
    "stage": "system",
    "command": ["/usr/bin/mktemp", "/var/lib/lab-migration-XXXXXX"],
}
MIGRATING = {"hooks": HOOKS, "releases": {"1.0.0": {"migrations": [MIGRATION]}}}
HOLD = (
    "import fcntl, sys, signal; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX);"
    " print(1, flush=True); signal.pause()"
)
#: the nodes by package manager: what is wrong with its repository fails on all of them
RPM, DEB = ("ctl1", "gtw1", "cmp1"), ("gtw2", "cmp2")
#: the nodes whose kernel packages move: gtw2 has one of Debian's, cmp2 has none
WITH_KERNEL = {"ctl1", "gtw1", "gtw2", "cmp1"}


def page(cloud, lock_timeout=300, page=None, **system):
    packages = {"lock_timeout": lock_timeout}
    cloud.set_pillar(policies=POLICIES, system=SYSTEM | system, packages=packages, **(page or {}))


def boots(cloud) -> dict[str, str]:
    return {
        node: cloud.exec(node, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip()
        for node in cloud.nodes
    }


def services(cloud, node: str) -> tuple:
    """What runs on a node: its containers with their starts, and its switch."""
    started = cloud.exec(node, ["podman", "ps", "--format", "{{.Names}} {{.ImageID}} {{.StartedAt}}"]).stdout
    switch = cloud.exec(
        node, ["systemctl", "show", "-p", "MainPID", "--value", "ovs-vswitchd.service"]
    ).stdout
    return sorted(started.splitlines()), switch


def main_pid(cloud, node: str) -> str:
    return cloud.exec(node, ["systemctl", "show", "-p", "MainPID", "--value", LIBRARY]).stdout.strip()


def versions(cloud, node: str) -> dict[str, list[str]]:
    """The lab's own packages and kernels of a node, without the distribution's ending."""
    return {
        name: [version.removesuffix(".el9") for version in found]
        for name, found in proof.installed(cloud, node).items()
        if name.startswith(("lab-", "salt-", "kernel-core", "linux-image"))
    }


@pytest.fixture(scope="module")
def vendor(cloud) -> Patches:
    """The first generation is installed everywhere, and a second one is published."""
    for version, release in cloud.releases.items():
        named = {
            name: number for name, number in release["packages"].items() if not name.startswith("kernel")
        }
        cloud.pillar.write_release(version, release["images"], named)
    vendor = Patches(cloud)
    vendor.publish(FIRST)
    for node in cloud.nodes:
        kernel = ["linux-image-amd64", f"linux-image-{patches.KERNELS_DEB[0]}"] if node == "gtw2" else []
        vendor.install_first(node, [*INSTALLED, *kernel])
        cloud.exec(node, ["tee", patches.CONFIGURATION], stdin=OPERATORS)
        cloud.exec(node, ["systemctl", "enable", "--now", LIBRARY])
    cloud.exec("gtw2", ["systemctl", "restart", "lab-kernel.service", "salt-minion.service"])
    cloud.exec("cmp1", ["dnf", "--quiet", "versionlock", "add", "lab-held"])
    cloud.exec("cmp2", ["apt-mark", "hold", "lab-held"])
    cloud.wait_for_minions()
    vendor.publish(SECOND)
    page(cloud)
    return vendor


def paused(cloud, reason: str, *nodes: str) -> str:
    """orch.system has to fail under a reason, naming the first of the nodes that failed; nothing that runs on
    them has changed.
    """
    before = [services(cloud, node) for node in nodes]
    failed = operator.update(cloud, "orch.system", check=False)
    said = failed.stdout + failed.stderr
    assert failed.returncode != 0 and any(f"{reason}: {node}" in said for node in nodes), said[-3000:]
    assert [services(cloud, node) for node in nodes] == before
    return said


@pytest.mark.parametrize(("files", "nodes"), [("rpm/repodata/*", RPM), ("deb/InRelease", DEB)])
def test_a_repository_that_is_broken_pauses_by_name(cloud, vendor, files, nodes):
    for path in vendor.place.glob(files):
        path.unlink()
    paused(cloud, "REPOSITORY_BROKEN", *nodes)
    assert all(versions(cloud, node)["lab-plain"] == ["1.0-1"] for node in nodes)
    vendor.publish(SECOND)


@pytest.mark.parametrize(("name", "nodes"), [("lab-plain", RPM), ("", DEB)])
def test_a_wrong_signature_pauses_by_name(cloud, vendor, name, nodes):
    vendor.resign(name)
    paused(cloud, "SIGNATURE_WRONG", *nodes)
    assert all(versions(cloud, node)["lab-plain"] == ["1.0-1"] for node in nodes)
    vendor.publish(SECOND)


@pytest.mark.parametrize(
    ("node", "lock"), [("cmp1", "/var/lib/rpm/.rpm.lock"), ("cmp2", "/var/lib/dpkg/lock-frontend")]
)
def test_a_lock_that_is_held_for_ever_pauses_by_name(cloud, vendor, node, lock):
    holder = ["systemd-run", "--quiet", "--unit=lab-lock", "/usr/bin/python3", "-c", HOLD, lock]
    cloud.exec(node, holder)
    page(cloud, lock_timeout=4)
    try:
        assert lock in paused(cloud, "PACKAGE_LOCKED", node)
    finally:
        cloud.exec(node, ["systemctl", "stop", "lab-lock.service"])
        page(cloud)


@contextlib.contextmanager
def guest(cloud, node: str):
    """A process on the node that looks like a virtual machine's, as long as it lasts."""
    cloud.exec(node, ["cp", "/usr/bin/sleep", "/run/qemu-lab"])
    cloud.exec(node, ["systemd-run", "--quiet", "--unit=lab-guest", "/run/qemu-lab", "infinity"])
    try:
        yield
    finally:
        cloud.exec(node, ["systemctl", "stop", "lab-guest.service"])


def test_ad_hoc_what_disturbs_guests_is_refused_before_anything_moves(cloud, vendor):
    before = versions(cloud, "cmp1"), versions(cloud, "cmp2")
    with guest(cloud, "cmp1"), guest(cloud, "cmp2"):
        cloud.salt("cmp*", "system_packages.refresh")
        done = cloud.master(["salt", "cmp*", "state.apply", "openstack.system", "-t", "120"], check=False)
        assert done.stdout.count("NODE_OCCUPIED: cmp") == 2 and "orch.system" in done.stdout, done.stdout
    assert (versions(cloud, "cmp1"), versions(cloud, "cmp2")) == before


@pytest.fixture(scope="module")
def upgraded(cloud, vendor):
    """orch.system at depth upgrade, in which two disks are full at first."""
    full = "/usr/share/lab-plain"
    said = {}
    before = boots(cloud), {node: main_pid(cloud, node) for node in cloud.nodes}
    for node in ("cmp1", "cmp2"):
        cloud.exec(node, ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", full])
        cloud.exec(node, ["dd", "if=/dev/zero", f"of={full}/filler", "bs=4096", "count=1"])
    for node in ("cmp1", "cmp2"):
        said[node] = paused(cloud, "DISK_FULL", node)
        cloud.exec(node, ["umount", full])
    operator.update(cloud, "orch.system")
    return said, *before


def test_a_full_disk_pauses_by_name_and_the_resumed_run_converges(cloud, upgraded):
    said, *_ = upgraded
    assert set(said) == {"cmp1", "cmp2"}
    for node in cloud.nodes:
        assert versions(cloud, node)["lab-plain"] == ["1.1-1"], node


def test_depth_upgrade_installs_nothing_new_and_no_kernel(cloud, upgraded):
    for node in ("gtw2", "cmp2"):
        found = versions(cloud, node)
        assert "lab-new" not in found and found["lab-grows"] == ["1.0-1"]
        assert f"linux-image-{patches.KERNELS_DEB[1]}" not in found
    assert versions(cloud, "cmp1")["kernel-core"] == ["5.14.0-1"]
    assert boots(cloud) == upgraded[1], "nothing reboots without the policy"


def test_a_service_with_a_deleted_library_was_restarted_and_not_its_host(cloud, upgraded):
    for node, pid in upgraded[2].items():
        assert main_pid(cloud, node) not in (pid, "0"), node


def test_salt_minion_was_renewed_on_every_node_in_the_same_run(cloud, upgraded):
    for node in cloud.nodes:
        assert versions(cloud, node)["salt-minion"] == [f"{MINION[1]}-1"]
    assert set(cloud.salt("*", "test.version").values()) == {MINION[1]}
    run = cloud.master(["salt-run", "rollout.report"]).stdout
    assert f"Salt {MINION[1]} answers" in run


def test_what_the_operator_excluded_held_and_edited_is_as_it_was_and_told(cloud, upgraded):
    status = operator.status(cloud)["nodes"]
    for node in cloud.nodes:
        assert versions(cloud, node)["lab-excluded"] == ["1.0-1"]
        assert cloud.exec(node, ["cat", patches.CONFIGURATION]).stdout == OPERATORS
        ending = "dpkg-dist" if cloud.nodes[node].debian else "rpmnew"
        assert status[node]["configuration"] == [f"{patches.CONFIGURATION}.{ending}"]
    for node in ("cmp1", "cmp2"):
        assert versions(cloud, node)["lab-held"] == ["1.0-1"]
        assert list(status[node]["held"]) == ["lab-held"]
    assert versions(cloud, "gtw1")["lab-held"] == ["1.1-1"]


@pytest.fixture(scope="module")
def patched(cloud, upgraded):
    """orch.system at depth dist_upgrade with live patches, hooks and a migration; one hook fails at first.

    The report of the run.
    """
    said = {"depth": "dist_upgrade", "kpatch": True, "reboot": "when_required"}
    page(cloud, **said, page={"hooks": REFUSES})
    paused(cloud, "HOOK_FAILED", "ctl1")
    page(cloud, **said, page=MIGRATING)
    operator.update(cloud, "orch.system")
    return cloud.master(["salt-run", "rollout.report"]).stdout


def test_with_kpatch_kernels_are_left_and_nothing_reboots(cloud, patched, upgraded):
    found = proof.installed(cloud, "cmp1")
    assert found["kernel-core"] == ["5.14.0-1.el9"] and found["kpatch"] == ["0.9.7-2.el9"]
    assert found[patches.LIVE_PATCH] == ["1-1.el9"]
    assert f"linux-image-{patches.KERNELS_DEB[1]}" not in versions(cloud, "gtw2")
    assert boots(cloud) == upgraded[1]


def test_depth_dist_upgrade_installs_what_is_new(cloud, patched):
    for node in ("gtw2", "cmp2"):
        found = versions(cloud, node)
        assert found["lab-new"] == ["1.0-1"] and found["lab-grows"] == ["1.1-1"]


def test_hooks_ran_before_and_after_where_they_are_for(cloud, patched):
    for node, there in (("cmp1", {"before", "after"}), ("gtw1", {"before"})):
        listed = cloud.exec(node, ["find", "/run", "-maxdepth", "1", "-name", "lab-[ab]*"]).stdout.split()
        assert {path.removeprefix("/run/lab-") for path in listed} == there
    assert "slow: failed, and was passed over: " in patched and "states: done" in patched


def migrations(cloud) -> dict[str, int]:
    listing = ["find", "/var/lib", "-maxdepth", "1", "-name", "lab-migration-*"]
    return {node: len(cloud.exec(node, listing).stdout.split()) for node in cloud.nodes}


def test_a_migration_ran_once_on_each_node_and_is_recorded_there(cloud, patched):
    assert migrations(cloud) == dict.fromkeys(cloud.nodes, 1)
    done = cloud.salt("*", "rollout_hooks.done")
    assert {node: list(found) for node, found in done.items()} == {
        node: ["1.0.0 once"] for node in cloud.nodes
    }


@pytest.fixture(scope="module")
def rebooted(cloud, patched):
    """orch.system without a target_version: kernels come, and the nodes that need it are rebooted."""
    page(cloud, depth="dist_upgrade", reboot="when_required", page={"target_version": ""})
    before = boots(cloud)
    with EventLog(cloud) as log:
        operator.update(cloud, "orch.system")
    print(cloud.master(["salt-run", "rollout.report"]).stdout)
    return before, boots(cloud), log.steps(stage="system")


def test_exactly_the_nodes_with_a_new_kernel_were_rebooted(cloud, rebooted):
    before, after, _ = rebooted
    assert {node for node in cloud.nodes if before[node] != after[node]} == WITH_KERNEL
    assert "5.14.0-3" in versions(cloud, "cmp1")["kernel-core"]
    assert f"linux-image-{patches.KERNELS_DEB[1]}" in versions(cloud, "gtw2")
    running = cloud.salt("*", "grains.get", "kernelrelease")
    assert running["gtw2"] == patches.KERNELS_DEB[1] and running["cmp1"].startswith("5.14.0-3.")


def test_one_node_of_a_role_at_a_time_drained_first_and_proven_after(cloud, rebooted):
    _, _, events = rebooted
    for role in ({"gtw1", "gtw2"}, {"cmp1", "cmp2"}):
        assert max(len(nodes) for nodes in most_in_flight(events, role)) == 1
    for node in ("gtw1", "gtw2"):
        done = [e["step"] for e in events if e["node"] == node and e["status"] == "succeeded"]
        assert done == ["drain", "apply", "reboot", "verify", "restore"]


def test_everything_is_back_and_a_second_run_does_nothing(cloud, rebooted):
    for node in cloud.nodes:
        proof.assert_node_at(cloud, node, "1.0.0")
    page(cloud, depth="dist_upgrade", reboot="when_required", page=MIGRATING)
    before = proof.fingerprint(cloud)
    operator.update(cloud, "orch.system")
    assert proof.fingerprint(cloud) == before and boots(cloud) == rebooted[1]
    assert set(migrations(cloud).values()) == {1}


@pytest.fixture(scope="module")
def marked(cloud, rebooted):
    """A compute that something else than packages wants rebooted."""
    cloud.exec("cmp1", ["mkdir", "-p", "/run/openstack-rollout/reboot.d"])
    cloud.exec("cmp1", ["tee", "/run/openstack-rollout/reboot.d/firmware"], stdin="new firmware\n")


def test_ad_hoc_a_node_is_never_rebooted_but_the_need_is_told(cloud, rebooted, marked):
    done = cloud.master(["salt", "cmp*", "state.apply", "openstack.system", "-t", "300"])
    assert "this node needs a reboot: marker: " in done.stdout and "orch.system" in done.stdout
    assert boots(cloud) == rebooted[1]


def test_a_node_that_is_neither_drained_nor_empty_is_not_rebooted(cloud, rebooted, marked):
    with guest(cloud, "cmp1"):
        assert "virtual machine" in paused(cloud, "NODE_OCCUPIED", "cmp1")
    assert boots(cloud) == rebooted[1]


def test_a_node_that_does_not_come_back_pauses_by_name_and_the_resumed_run_converges(cloud, rebooted, marked):
    page(cloud, depth="dist_upgrade", reboot="when_required", reboot_timeout=30)
    cloud.exec("cmp1", ["systemctl", "disable", "salt-minion.service"])
    failed = operator.update(cloud, "orch.system", check=False)
    said = failed.stdout + failed.stderr
    assert failed.returncode != 0 and "REBOOT_TIMEOUT: cmp1" in said and "no answer" in said, said[-3000:]
    cloud.exec("cmp1", ["systemctl", "enable", "--now", "salt-minion.service"])
    cloud.wait_for_minions()
    operator.update(cloud, "orch.system")
    proof.assert_node_at(cloud, "cmp1", "1.0.0")


def test_a_host_with_a_bootc_stand_in_gets_the_release_s_image_and_is_rebooted_into_it(cloud, rebooted):
    cloud.exec(
        "cmp1", ["install", "-m", "755", "/dev/stdin", "/usr/local/bin/bootc"], stdin=BOOTC.read_text()
    )
    wanted = cloud.releases["1.0.0"]["images"]["bootc_os_container_image"]
    packages, before = proof.installed(cloud, "cmp1"), boots(cloud)
    page(cloud, depth="dist_upgrade", reboot="when_required")
    operator.update(cloud, "orch.system")
    after = boots(cloud)
    assert {node for node in cloud.nodes if before[node] != after[node]} == {"cmp1"}
    status = cloud.salt("cmp1", "bootc.status")["cmp1"]
    assert status == {"booted": wanted, "digest": wanted.partition("@")[2], "staged": None}
    assert proof.installed(cloud, "cmp1") == packages
    operator.update(cloud, "orch.system")
    assert boots(cloud) == after
