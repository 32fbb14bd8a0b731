"""Power losses at random moments of updates: the next run converges, and nothing is left half done.

A machine loses its power when its nspawn and all that runs in it is killed at once. What a program had
written stays written: a lab cannot lose what a real power cut takes from the page cache, so this is about
programs that end anywhere, not about file systems.

The moments are drawn from a seed that is printed: OSLAB_SEED repeats it, OSLAB_LOSSES says how many there
are, OSLAB_PROFILE on which cloud. A moment is one of the events of an update, and some seconds after it: how
long an update takes depends on what else the host does. On `controllers` the members of Galera, RabbitMQ and
OVN's databases move.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from ... import operator, packages, proof, settings
from ...cloud import Lab
from ...clusters import wholeness
from ...enclosure import wait_for
from ...events import EventLog

LAB_PROFILE = os.environ.get("OSLAB_PROFILE", "small")
LOSSES = int(os.environ.get("OSLAB_LOSSES", "10"))
SEED = int(os.environ.get("OSLAB_SEED", "0")) or random.randrange(1, 10**6)
NODES = tuple(node.name for node in settings.PROFILES[LAB_PROFILE])
FOLDER = "losses"
REPOSITORY = f"""[{FOLDER}]
name=Packages that move with each update
baseurl=http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{FOLDER}
gpgcheck=0
metadata_expire=1
"""
#: of the stage `services` and of the stage `system`; their scripts take time, so that some are cut
ESSENTIAL, PARTS = "openstack-selinux", tuple(f"lab-part{number}" for number in range(1, 7))
DONE = "/var/lib/lab-done"
MOVING = (
    *("ovn_controller_image", "keystone_api_image", "edpm_neutron_ovn_agent_image"),
    *("nova_compute_image", "edpm_neutron_metadata_agent_image"),
)
#: the members of the clusters, on the profile that has some
MOVING_MEMBERS = ("mariadb_image", "rabbitmq_image", "ovn_sb_dbcluster_image", "keystone_api_image")
CLUSTERED = LAB_PROFILE == settings.CONTROLLERS
LATER = 8.0  # seconds: what an event begins is then somewhere in its middle
COMES_BACK = 120  # seconds for a member that lost its power, on two busy cores
#: several versions of them stay installed side by side
INSTALLONLY = ("kernel", "kernel-core", "gpg-pubkey")


@dataclass
class Loss:
    """A power loss: when in the update, on which machine, and what came of it.

    event: how many events the update has told of by then. after: seconds after that.
    """

    number: int
    node: str
    event: int
    after: float
    under_way: bool = False
    said: str = ""
    update: subprocess.CompletedProcess | None = None
    found: dict[str, Any] = field(default_factory=dict)


def package(name: str, generation: int) -> packages.Package:
    """A package whose script tells which version of it ran to its end."""
    version = f"0.9.{generation}" if name == ESSENTIAL else f"1.{generation}"
    script = f"mkdir -p {DONE}\nsleep 0.3\necho {version}-1.el9 > {DONE}/{name}"
    return packages.Package(name, version, "1", scriptlets={"post": script})


def moved(generation: int) -> dict[str, str]:
    """The packages of a generation, as a release names them."""
    return {name: f"{package(name, generation).evr}.el9" for name in (ESSENTIAL, *PARTS)}


def version_of(generation: int) -> str:
    return f"1.1.{generation}"


@pytest.fixture(scope="module")
def updates(cloud, tmp_path_factory) -> Lab:
    """A cloud with a release for each update that comes, and the first generation of their packages."""
    place = cloud.home / "repositories" / FOLDER
    place.mkdir()
    scratch = tmp_path_factory.mktemp("rpmbuild")
    for generation in range(LOSSES + 2):
        for name in (ESSENTIAL, *PARTS):
            packages.build(package(name, generation), place, scratch)
    subprocess.run(["createrepo_c", "--quiet", str(place)], check=True)
    for node in NODES:
        cloud.exec(node, ["tee", f"/etc/yum.repos.d/{FOLDER}.repo"], stdin=REPOSITORY)
        first = [f"{name}-{version}" for name, version in moved(0).items()]
        cloud.exec(node, ["dnf", "--assumeyes", "--quiet", "install", *first], timeout=300)
    old, new = (cloud.releases[version] for version in settings.RELEASES)
    for generation in range(LOSSES + 2):
        moving = MOVING_MEMBERS if CLUSTERED else MOVING
        images = new["images"] | {key: (old, new)[generation % 2]["images"][key] for key in moving}
        cloud.pillar.write_release(version_of(generation), images, new["packages"] | moved(generation))
    return cloud


def aim(cloud: Lab, generation: int) -> None:
    policies = {node.role: {"silence": 20} for node in cloud.nodes.values()}
    cloud.set_pillar(target_version=version_of(generation), policies=policies)


@pytest.fixture(scope="module")
def undisturbed(updates) -> tuple[int, dict]:
    """How many events an update has that nothing disturbs, and what machines are like after it."""
    aim(updates, 0)
    operator.update(updates)
    aim(updates, 1)
    begun = time.monotonic()
    with EventLog(updates) as log:
        operator.update(updates)
    took, events = time.monotonic() - begun, len(log.steps())
    print(f"\nOSLAB_SEED={SEED}: an update takes {took:.0f} s, and has {events} events", flush=True)
    if CLUSTERED:
        wholeness.write(updates, NODES, 0)
    return events, {node: state_of(updates, node) for node in NODES}


def asked(cloud: Lab, node: str, *argv: str) -> tuple[int, list[str]]:
    """A command's exit status and what it printed."""
    done = cloud.exec(node, list(argv), check=False, timeout=300)
    return done.returncode, sorted(filter(None, (done.stdout + done.stderr).splitlines()))


def state_of(cloud: Lab, node: str) -> dict[str, Any]:
    """What a machine's own tools say of whether it is whole."""
    controller = ["podman", "exec", "ovn_controller", "ovn-appctl", "-t", "ovn-controller"]
    names = proof.installed(cloud, node)
    return {
        "doubles": sorted(name for name, some in names.items() if len(some) > 1 and name not in INSTALLONLY),
        "dnf check": asked(cloud, node, "dnf", "--quiet", "check"),
        "rpm -Va": asked(cloud, node, "rpm", "-Va"),
        "dpkg --audit": asked(cloud, node, "dpkg", "--audit"),
        "podman system check": proof.storage_damage(cloud, node),
        "failed units": asked(cloud, node, "systemctl", "--failed", "--plain", "--no-legend"),
        "chassis": asked(cloud, node, *controller, "connection-status"),
        "clusters": wholeness.of(cloud, node) if CLUSTERED else {},
        "done": {
            name: cloud.exec(node, ["cat", f"{DONE}/{name}"], check=False).stdout.strip()
            for name in (ESSENTIAL, *PARTS)
        },
    }


def assert_whole(found: dict[str, Any]) -> None:
    """Every member is in its clusters, and synchronised."""
    assert found["galera"]["wsrep_cluster_size"] == str(len(NODES)), found
    assert found["galera"]["wsrep_local_state_comment"] == "Synced", found
    assert len(found["brokers"]) == len(NODES) and not found["partitions"], found
    for database in ("ovn_nb_db", "ovn_sb_db"):
        whole = {"status": "cluster member", "servers": len(NODES), "away": False, "leader": True}
        assert found[database] == whole, found


def rows_of(cloud: Lab) -> dict[str, list[int]]:
    """The rows that each member of the database has."""
    return {node: wholeness.rows(cloud, node) for node in NODES} if CLUSTERED else {}


def test_machines_are_whole_by_their_own_tools_when_nothing_disturbs_them(undisturbed):
    for node, found in undisturbed[1].items():
        assert found["doubles"] == [] and found["done"] == moved(1), node
        for tool in ("dnf check", "dpkg --audit"):
            assert found[tool][0] == 0, (node, tool, found[tool])
        assert found["podman system check"] == []
        assert found["chassis"] == (0, ["connected"]), node
        if CLUSTERED:
            assert_whole(found["clusters"])


def _all_whole(cloud: Lab) -> bool:
    try:
        for node in NODES:
            assert_whole(wholeness.of(cloud, node))
    except (AssertionError, KeyError):
        return False
    return True


@pytest.mark.timeout(0)
@pytest.mark.parametrize("number", range(1, LOSSES + 1))
def test_the_run_after_a_power_loss_converges(updates, undisturbed, number):
    events, clean = undisturbed
    drawn = random.Random(SEED * 1000 + number)
    at = round(drawn.uniform(0.05, 0.95) * events)
    loss = Loss(number, drawn.choice(NODES), at, round(drawn.uniform(0, LATER), 1))
    generation = number + 1
    aim(updates, generation)
    with EventLog(updates) as log:
        process = operator.start_update(updates)
        log.wait_for(lambda *_: len(log.steps()) >= loss.event, operator.PATIENCE)
    if CLUSTERED:  # a row that the machine may not have seen
        wholeness.write(updates, [node for node in NODES if node != loss.node], number)
    try:
        process.wait(loss.after)
    except subprocess.TimeoutExpired:
        loss.under_way = True
    updates.kill(loss.node)
    process.communicate(timeout=operator.PATIENCE)
    run = operator.status(updates)["run"]
    loss.said = f"{run['state']} at {run['stage'] or 'its end'} {run['reason']}"
    updates.start(loss.node)
    updates.wait_for_minions()
    if CLUSTERED:  # an operator waits for members to come back by themselves before the next update
        wait_for(lambda: _all_whole(updates), COMES_BACK, 2)
    loss.update = operator.update(updates, check=False)
    print(f"\nloss {number}: {loss.node}, event {loss.event} and {loss.after} s, {loss.said};", end=" ")
    print("converged" if not loss.update.returncode else "did not converge", flush=True)
    assert not loss.update.returncode, (loss.said, (loss.update.stdout + loss.update.stderr)[-3000:])
    proof.assert_cloud_at(updates, version_of(generation))
    wanted = {**clean[loss.node], "done": moved(generation)}
    if CLUSTERED:
        wait_for(lambda: _all_whole(updates), COMES_BACK, 2)
        committed = list(range(number + 1))
        assert rows_of(updates) == dict.fromkeys(NODES, committed)
    loss.found = state_of(updates, loss.node)
    wrong = {key: one for key, one in loss.found.items() if one != wanted[key]}
    assert not wrong, json.dumps(wrong, indent=1)
    assert loss.under_way, "the update was over before"
