"""Before a drain for a reboot a node proves what it would boot; a reboot without effect is not made twice.

The tests are one story of two gateways, one of dnf and one of apt, each with a newer kernel that waits for a
boot. Their GRUB is simulated (nspawn starts machines without a loader); drains, reboots and the lot are real.
"""

from __future__ import annotations

import signal

import pytest

from ... import operator, patches, settings
from ...enclosure import LabError, wait_for
from ...events import EventLog, step
from ...patches import GENERATIONS, Patches
from ...simulated_grub import SimulatedGrub

LAB_PROFILE = settings.SYSTEM
FIRST_KERNEL = "5.14.0-1.el9.x86_64"  # of a new machine of the lab
OLD = {"gtw1": FIRST_KERNEL, "gtw2": patches.KERNELS_DEB[0]}
NEW = {"gtw1": f"{patches.KERNEL_RPM}.x86_64", "gtw2": patches.KERNELS_DEB[1]}
POLICIES = {"gateway": {"drain": "ovn_failover"}, "controller": {"reboot_occupied": True}}
PLAIN = {"system": {"depth": "upgrade", "reboot": "when_required", "reboot_timeout": 240}}
MARKER = "/run/openstack-rollout/reboot.d/firmware"
LASTING = "/etc/openstack-rollout/reboot.d/forgotten"


@pytest.fixture(scope="module")
def grubs(cloud) -> dict[str, SimulatedGrub]:
    """The two gateways with their newer kernels installed, which nothing has booted."""
    for version, release in cloud.releases.items():
        kept = {name: one for name, one in release["packages"].items() if not name.startswith("kernel")}
        cloud.pillar.write_release(version, release["images"], kept)
    vendor = Patches(cloud)
    vendor.publish(GENERATIONS[0])
    vendor.install_first("gtw1", ["lab-plain"])
    vendor.install_first("cmp2", ["lab-plain"])
    vendor.install_first("gtw2", ["lab-plain", "linux-image-amd64", f"linux-image-{OLD['gtw2']}"])
    cloud.exec("gtw2", ["systemctl", "restart", "lab-kernel.service", "salt-minion.service"])
    cloud.wait_for_minions()
    vendor.publish(GENERATIONS[1])
    vendor.install_first("gtw1", [f"kernel-core-{patches.KERNEL_RPM}"])
    vendor.install_first("gtw2", [f"linux-image-{NEW['gtw2']}"])
    cloud.salt("cmp2", "system_packages.refresh")
    page(cloud, target_version="1.0.0")
    return {node: SimulatedGrub(cloud, node, (NEW[node], OLD[node])) for node in OLD}


def page(cloud, **more):
    cloud.set_pillar(policies=POLICIES, **(PLAIN | {"target_version": ""} | more))


def boot_of(cloud, node: str) -> str:
    """Which boot a node is in, "" while it is down."""
    try:
        return cloud.exec(node, ["cat", "/proc/sys/kernel/random/boot_id"], check=False).stdout.strip()
    except LabError:
        return ""


def causes(cloud, node: str) -> list[str]:
    return [one["cause"] for one in operator.status(cloud)["nodes"][node]["next_boot"]]


def run(cloud, reason: str = "") -> tuple[str, list[dict]]:
    """orch.system; what it printed, and the engine's events. reason: under which it has to fail."""
    with EventLog(cloud) as log:
        done = operator.update(cloud, "orch.system", check=not reason)
    said = done.stdout + done.stderr
    assert bool(done.returncode) == bool(reason) and reason in said, said[-3000:]
    return said, log.steps(stage="system")


def steps_of(events: list[dict], node: str) -> list[tuple[str, str]]:
    return [(one["step"], one["status"]) for one in events if one.get("node") == node]


def plain_version(cloud, node: str) -> str:
    return cloud.exec(node, ["cat", "/usr/share/lab-plain/VERSION"]).stdout.strip()


@pytest.fixture(scope="module")
def story(cloud, grubs) -> dict:
    """What was seen, step by step: nodes that would not boot their new kernel, mended one after the other."""
    seen = {"plan": operator.plan(cloud)["boots"], "boots": {node: boot_of(cloud, node) for node in OLD}}
    grubs["gtw1"].start_by_default(OLD["gtw1"])
    cloud.exec("gtw2", ["truncate", "--size=0", grubs["gtw2"].initramfs(NEW["gtw2"])])
    page(cloud)
    seen["causes"] = {node: causes(cloud, node) for node in OLD}
    seen["old default"] = run(cloud, "BOOT_NOT_READY: gtw1")[1], operator.status(cloud)
    seen["kept"] = plain_version(cloud, "gtw1")
    grubs["gtw1"].start_by_default(NEW["gtw1"])
    seen["no initramfs"] = run(cloud, "BOOT_NOT_READY: gtw2")[1], operator.status(cloud)
    seen["boots then"] = {node: boot_of(cloud, node) for node in OLD}
    # the entry is right now; what nobody can see is that the machine starts the old kernel all the same
    grubs["gtw2"].write_menu((NEW["gtw2"], OLD["gtw2"]))
    grubs["gtw2"].start_whatever_is_saved(OLD["gtw2"])
    seen["no effect"] = run(cloud, "REBOOT_WITHOUT_EFFECT: gtw2")[1], operator.status(cloud)
    seen["boots after it"] = {node: boot_of(cloud, node) for node in OLD}
    return seen


def test_the_plan_tells_what_is_known_of_the_next_boot_and_what_is_not(cloud, story):
    told = {node: [one["cause"] for one in some] for node, some in story["plan"].items()}
    assert told == {"cmp2": ["unknown"]}


def test_each_node_tells_the_cause(story):
    assert story["causes"] == {"gtw1": ["default_entry"], "gtw2": ["initramfs_missing"]}


@pytest.mark.parametrize(("what", "node"), [("old default", "gtw1"), ("no initramfs", "gtw2")])
def test_such_a_node_is_neither_drained_nor_rebooted(story, what, node):
    events, status = story[what]
    assert steps_of(events, node) == [("drain", "started"), ("drain", "failed")]
    assert status["drained"] == {} and status["run"]["reason"] == "BOOT_NOT_READY"
    assert story["kept"] == "1.0-1"
    assert story["boots then"]["gtw2"] == story["boots"]["gtw2"]


def test_the_other_one_went_on_once_it_was_mended(cloud, story):
    assert story["boots then"]["gtw1"] != story["boots"]["gtw1"]
    assert cloud.salt("gtw1", "grains.get", "kernelrelease") == {"gtw1": NEW["gtw1"]}
    assert plain_version(cloud, "gtw1") == "1.1-1"


def test_the_old_kernel_boots_again_and_has_its_own_word(cloud, story):
    events, status = story["no effect"]
    assert ("reboot", "failed") in steps_of(events, "gtw2")
    assert story["boots after it"]["gtw2"] != story["boots"]["gtw2"]
    assert cloud.salt("gtw2", "grains.get", "kernelrelease") == {"gtw2": OLD["gtw2"]}
    assert status["nodes"]["gtw2"]["reboot_without_effect"] and status["nodes"]["gtw2"]["reboot"] == []


def test_no_later_run_drains_or_reboots_it_for_that_and_it_is_in_service_again(cloud, story):
    _, events = run(cloud)
    taken = {one for one, status in steps_of(events, "gtw2") if status != "skipped"}
    assert taken <= {"restore"}
    assert boot_of(cloud, "gtw2") == story["boots after it"]["gtw2"]
    status = operator.status(cloud)
    assert status["drained"] == {} and status["nodes"]["gtw2"]["reboot_without_effect"]


def test_another_need_drains_and_reboots_it_and_what_had_no_effect_still_counts_as_such(cloud, story):
    cloud.exec("gtw2", ["mkdir", "-p", MARKER.rpartition("/")[0]])
    cloud.exec("gtw2", ["tee", MARKER], stdin="new firmware\n")
    _, events = run(cloud)
    done = [one for one, status in steps_of(events, "gtw2") if status == "succeeded"]
    assert done == ["drain", "apply", "reboot", "verify", "restore"]
    assert boot_of(cloud, "gtw2") != story["boots after it"]["gtw2"]
    assert operator.status(cloud)["nodes"]["gtw2"]["reboot_without_effect"]


def test_once_it_was_mended_and_forgotten_the_new_kernel_runs(cloud, grubs, story):
    grubs["gtw2"].start_whatever_is_saved("")
    cloud.salt("gtw2", "reboot_needed.forget")
    run(cloud)
    assert cloud.salt("gtw2", "grains.get", "kernelrelease") == {"gtw2": NEW["gtw2"]}
    status = operator.status(cloud)["nodes"]["gtw2"]
    assert status["reboot_without_effect"] == status["reboot"] == status["next_boot"] == []


def test_a_run_that_died_in_mid_reboot_is_followed_by_none_for_the_same_need(cloud, story):
    cloud.exec("gtw2", ["mkdir", "-p", LASTING.rpartition("/")[0]])
    cloud.exec("gtw2", ["tee", LASTING], stdin="a file that nobody removes\n")
    before = boot_of(cloud, "gtw2")
    with EventLog(cloud) as log:
        process = operator.start_update(cloud, "orch.system")
        log.wait_for(step(node="gtw2", stage="system", step="reboot", status="started"))
        assert wait_for(lambda: boot_of(cloud, "gtw2") not in ("", before), 120, 1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    after = boot_of(cloud, "gtw2")
    cloud.wait_for_minions()
    run(cloud)
    assert boot_of(cloud, "gtw2") == after and operator.status(cloud)["drained"] == {}
    assert operator.status(cloud)["nodes"]["gtw2"]["reboot_without_effect"]


def test_a_kernel_that_comes_needs_room(cloud, grubs, story):
    Patches(cloud).install_first("cmp1", ["lab-plain"])
    cloud.exec("cmp1", ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/boot"])
    SimulatedGrub(cloud, "cmp1", (FIRST_KERNEL,))
    page(cloud, system=PLAIN["system"] | {"depth": "dist_upgrade"})
    cloud.salt("cmp1", "system_packages.refresh")
    assert causes(cloud, "cmp1") == []
    cloud.exec("cmp1", ["dd", "if=/dev/zero", "of=/boot/filler", "bs=1k", "count=64"], check=False)
    assert causes(cloud, "cmp1") == ["no_room"]
    page(cloud)  # without the kernel there is nothing that needs it
    assert causes(cloud, "cmp1") == []
