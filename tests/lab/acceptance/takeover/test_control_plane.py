"""Clusters of another deployer are taken over under their guards: no call fails at a second try."""

from __future__ import annotations

import pytest

from tests.lab import operator, proof, settings
from tests.lab.acceptance import test_control_plane as control_plane
from tests.lab.acceptance.test_control_plane import CONTROLLERS, ROUNDS
from tests.lab.clusters.probe import Probe
from tests.lab.deployers import handed_over
from tests.lab.enclosure import wait_for
from tests.lab.events import EventLog

LAB_PROFILE = settings.CONTROLLERS
FOUND = {"definition": "found"}


@pytest.fixture(scope="module")
def taken(cloud):
    """The cloud, every container of it EDPM's."""
    for node in CONTROLLERS:
        handed_over.hand_over(cloud, node, proof.containers(cloud, node))
    return cloud


def declare(cloud, version: str, **images: str) -> None:
    cloud.set_pillar(target_version=version, service_defaults=FOUND, custom_images=images)


def quadlets(cloud, node: str) -> list[str]:
    """The lines of all quadlets of a node but those of images."""
    listing = cloud.exec(node, ["sh", "-c", "grep -rv ^Image= /etc/containers/systemd | sort"])
    return listing.stdout.splitlines()


def test_the_release_as_found_changes_nothing(taken):
    declare(taken, "1.0.0")
    before = proof.fingerprint(taken)
    operator.update(taken)
    assert proof.fingerprint(taken) == before


def test_a_member_that_exits_at_once_pauses_the_run_and_the_old_one_is_back(taken):
    wanted = proof.running_digests(taken, CONTROLLERS[0])
    declare(taken, "1.0.0", infra_memcached_image=taken.images["broken"])
    done = operator.update(taken, "orch.control_plane", check=False)
    assert done.returncode != 0
    run = operator.status(taken)["run"]
    assert run["reason"] == "CONTAINER_EXITED" and CONTROLLERS[0] in run["message"], run
    for node in CONTROLLERS:
        assert proof.running_digests(taken, node) == wanted
    declare(taken, "1.0.0")
    operator.update(taken, "orch.control_plane")


def test_a_whole_stage_under_load(taken):
    files = {node: quadlets(taken, node) for node in CONTROLLERS}
    declare(taken, "1.0.1")
    operator.update(taken, "orch.ovn")
    with Probe(taken) as probe, EventLog(taken) as log:
        operator.update(taken, "orch.control_plane")
    seen = probe.result
    control_plane.told("our control plane stage, definitions found", seen)
    steps = [event for event in log.steps(stage="control_plane") if event["step"] == "apply"]
    begun = [(event["round"], event["node"]) for event in steps if event["status"] == "started"]
    assert begun == [(part, node) for part in ROUNDS for node in CONTROLLERS]
    back = log.steps(stage="control_plane", step="apply", status="succeeded", round="mariadb")
    assert all("synced again, one of 3 by" in event["message"] for event in back), back
    assert seen["api"]["count"] > 1000 and seen["api"]["failed_after_retry"] == 0, seen["api"]
    control_plane.assert_nothing_lost(seen)
    control_plane.assert_never_without_quorum(seen)
    wanted = taken.releases["1.0.1"]["images"]
    for node in CONTROLLERS:
        running = proof.running_digests(taken, node)
        for container, key in proof.containers(taken, node).items():
            assert running[container] == wanted[key].partition("@")[2], (node, container)
        assert quadlets(taken, node) == files[node]


def test_a_minion_killed_in_mid_takeover_is_mended_by_the_next_run(taken):
    node, record = CONTROLLERS[1], "/var/lib/openstack-rollout/replacements/mariadb.json"
    image = taken.releases["1.0.0"]["images"]["mariadb_image"]
    declare(taken, "1.0.1", mariadb_image=image)
    run = operator.start_update(taken, "orch.control_plane")
    begun = ["test", "-e", record]
    assert wait_for(lambda: taken.exec(node, begun, check=False).returncode == 0, 600)
    taken.exec(node, ["pkill", "--signal", "KILL", "--full", "salt-minion"], check=False)
    printed, _ = run.communicate(timeout=600)
    assert run.returncode != 0, printed
    taken.exec(node, ["systemctl", "restart", "salt-minion"])
    operator.update(taken, "orch.control_plane")
    wanted = image.partition("@")[2]
    assert proof.running_digests(taken, node)["mariadb"] == wanted
    assert taken.exec(node, begun, check=False).returncode != 0
