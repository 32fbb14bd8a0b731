"""ovn_controller of another deployer is taken over under its guard: no packet is lost."""

from __future__ import annotations

import pytest

from tests.lab import operator, proof
from tests.lab.acceptance import test_network as network
from tests.lab.deployers import handed_over
from tests.lab.network import Overlay

LAB_PROFILE = "network"
CONTAINER = "ovn_controller"
FOUND = {"ovn": {"definition": "found"}}


@pytest.fixture(scope="module")
def overlay(cloud) -> Overlay:
    """The overlay on a cloud whose ovn_controller is EDPM's on every node."""
    new = cloud.releases["1.0.1"]["images"]["ovn_controller_image"]
    cloud.add_release(network.NEW, like="1.0.0", images={"ovn_controller_image": new})
    for node in cloud.nodes:
        handed_over.hand_over(cloud, node, [CONTAINER])
    return Overlay(cloud).build()


def test_the_release_as_found_changes_nothing(overlay):
    overlay.lab.set_pillar(services=FOUND)
    before = proof.fingerprint(overlay.lab)
    operator.update(overlay.lab)
    assert proof.fingerprint(overlay.lab) == before


def test_a_plain_restart_loses_packets(overlay):
    unit = handed_over.unit(CONTAINER)
    restart = ["systemctl", "restart", unit]
    what = lambda lab, node: lab.exec(node, restart)  # noqa: E731 - as the module's own baselines
    parts, whole = network.one_by_one(overlay, what, network.chassis(overlay))
    network.report(f"systemctl restart {unit}", parts, whole)
    assert whole.lost > 0, whole.table()


def test_the_ovn_stage_loses_none(overlay):
    lab = overlay.lab
    lab.set_pillar(target_version=network.NEW, services=FOUND)
    _, whole, steps = network.stage_under_traffic(overlay, "orch.ovn", network.PACKETS)
    network.report("our OVN stage, definitions found", network.of_stage(steps, "ovn"), whole)
    assert whole.sent >= network.PACKETS
    assert whole.lost == 0, whole.table()
    digest = lab.releases[network.NEW]["images"]["ovn_controller_image"].partition("@")[2]
    for node in lab.nodes:
        assert proof.running_digests(lab, node)[CONTAINER] == digest
        state = ["systemctl", "is-active", handed_over.unit(CONTAINER)]
        assert lab.exec(node, state).stdout.strip() == "active"
