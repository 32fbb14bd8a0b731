"""A cloud whose services are Debian packages under their own units is updated: each unit restarts once.

The tests follow one another on one cloud. Every figure is the clients' own, every fact is asked of dpkg and
systemd on the machines.
"""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.lab import half_transaction, operator, proof, settings
from tests.lab.agreement import assert_agreed
from tests.lab.clusters import pacemaker
from tests.lab.clusters.probe import Probe
from tests.lab.events import EventLog
from tests.lab.openstack.api import Api
from tests.lab.openstack.reach import Reach
from tests.lab.openstack.witness import Witness
from tests.lab.packaged import cluster, page, releases, repository, units

LAB_PROFILE = settings.PACKAGES
# Eight machines share two cores: the first test has the whole update, and what is made before it.
pytestmark = pytest.mark.timeout(7200)
_UPDATE = 4500  # seconds
CONTROLLERS = ("ctl1", "ctl2", "ctl3")
RESULT = settings.CHECKOUT / "build" / "packages.json"
#: service → its units on a controller
UNITS = {
    "rabbitmq": ["rabbitmq-server"],
    "mariadb": ["mariadb"],
    "memcached": ["memcached"],
    "keystone": ["keystone"],
    "placement": ["placement-api"],
    "glance": ["glance-api"],
    "neutron": ["neutron-api", "neutron-rpc-server"],
    "nova-api": ["nova-api"],
    "nova-conductor": ["nova-conductor"],
    "nova-scheduler": ["nova-scheduler"],
}
ALONE = ("rabbitmq", "mariadb", "memcached", "keystone")
#: what the system stage starts anew for a library that it moved; nobody depends on it
HARMLESS = {"cron", "polkit", "rsyslog", "ssh"}
SERVERS = {"a0": "cmp1", "a1": "cmp1", "b0": "cmp2", "c0": "cmp3"}
ROUTERS = {"r1": "gtw1", "r2": "gtw2"}
POLICIES = {
    "controller": {"drain": "standby"},
    "compute": {
        "drain": "live_migrate",
        "migrate_back": True,
        "migrations_per_host": 4,
        "timeout_per_gib": 120,
        "return_timeout": 180,
    },
    "gateway": {"drain": "move_routers", "return_timeout": 180, "router_timeout": 300},
}
GAP = 5.0  # seconds that a router may be on no agent while it moves
PLACEMENT = ("placement-common", "python3-placement", "placement-api")


def planned(cloud) -> set[tuple[str, str]]:
    """(node, unit) of every service of the cloud, and what Pacemaker starts again after standby."""
    clustered = {(node, unit) for node in CONTROLLERS for unit in ("mariadb", "rabbitmq-server", "haproxy")}
    return clustered | {
        (node, unit)
        for role, some in cluster.UNITS.items()
        for node in cluster.nodes(cloud, role)
        for unit in some
    }


def versions(cloud) -> dict[str, dict[str, str]]:
    """Every package of each machine, by dpkg."""
    return {
        node: {name: ",".join(numbers) for name, numbers in proof.installed(cloud, node).items()}
        for node in cloud.nodes
    }


def moved(before: dict, after: dict) -> set[tuple[str, str, str]]:
    """(node, package, new version) of what differs."""
    return {
        (node, name, number)
        for node, packages in after.items()
        for name, number in packages.items()
        if before[node].get(name) != number
    }


def predicted(cloud) -> set[tuple[str, str, str]]:
    """(node, package, version) that `salt '*' state.apply test=True` says would move."""
    command = ["salt", "*", "state.apply", "test=True", "--out=json", "--static", "-t", "900"]
    returns = json.loads(cloud.master(command, timeout=operator.PATIENCE).stdout)
    assert set(returns) == set(cloud.nodes), "not every node answered"
    found = set()
    for node, states in returns.items():
        assert isinstance(states, dict), (node, states)
        for tag, state in states.items():
            assert state["result"] is not False, (node, tag, state["comment"])
            found |= {
                (node, name, change["new"])
                for name, change in state["changes"].items()
                if isinstance(change, dict) and isinstance(change.get("new"), str)
            }
    return found


@pytest.fixture(scope="module")
def story(cloud) -> dict:
    """The edit, what was predicted, and the whole update beside clients of every kind."""
    api = Api(cloud)
    api.boot(SERVERS)
    routers = api.add_routers(ROUTERS)
    cloud.set_pillar(target_version="1.0.1", policies=POLICIES)
    found: dict = {
        "api": api,
        "routers": routers,
        "before": versions(cloud),
        "invocations": units.invocations(cloud),
    }
    found["predicted"] = predicted(cloud)
    assert versions(cloud) == found["before"] and units.invocations(cloud) == found["invocations"]
    found["plan"] = operator.plan(cloud)
    found["began"] = time.time()
    try:
        with (
            Witness(api, pace=5) as witness,
            Reach(api, "r1", "cmp2") as reach,
            Probe(cloud) as probe,
            EventLog(cloud) as log,
        ):
            done = operator.update(cloud, check=False, timeout=_UPDATE)
            found["reach"] = reach.stop()
        found |= {"log": log, "done": done, "seen": probe.result, "witness": witness}
    finally:
        found["starts"] = units.starts(cloud, found["began"])
        found["after"] = versions(cloud)
        RESULT.parent.mkdir(exist_ok=True)
        kept = ("seen", "starts", "predicted", "reach")
        RESULT.write_text(json.dumps({key: found.get(key) for key in kept}, indent=1, default=sorted))
    return found


def test_the_update_completes_and_every_package_is_at_the_release(cloud, story):
    assert story["done"].returncode == 0, story["done"].stdout + story["done"].stderr
    for line in proof.assert_cloud_at(cloud, "1.0.1"):
        print(line)
    wanted = cloud.releases["1.0.1"]["packages"]
    for node in cloud.nodes:
        marked = cloud.exec(node, ["grep", "-r", "", repository.MARKERS]).stdout.splitlines()
        found = dict(line.removeprefix(f"{repository.MARKERS}/").split(":", 1) for line in marked)
        installed = {name: number for name, number in wanted.items() if name in story["after"][node]}
        assert found == installed, node


def test_what_moved_is_what_was_predicted(story):
    found = moved(story["before"], story["after"])
    assert found and story["predicted"] == found, story["predicted"] ^ found


def test_every_unit_restarted_once_and_none_that_was_not_planned(cloud, story):
    wanted = planned(cloud)
    found = [(start.node, start.unit) for start in story["starts"]]
    assert {one for one in found if found.count(one) > 1} == set()
    unplanned = {(node, unit) for node, unit in set(found) - wanted if unit not in HARMLESS}
    assert unplanned == set(), "nobody had planned these"
    assert wanted - set(found) == set(), "these run what was there before"
    after, before = units.invocations(cloud), story["invocations"]
    other = {key for key, value in before.items() if after.get(key) != value}
    assert other - wanted <= {(node, unit) for node in cloud.nodes for unit in HARMLESS}
    assert wanted <= other


def test_they_restarted_in_the_planned_order(cloud, story):
    assert_agreed(story["plan"], story["log"].steps())
    at = {(start.node, start.unit): start.at for start in story["starts"]}
    rest = [name for name in page.CONTROL_PLANE if name not in ALONE]
    order = [(name, node) for name in ALONE for node in CONTROLLERS]
    order += [(name, node) for node in CONTROLLERS for name in rest]
    expected = [[at[node, unit] for unit in UNITS[name]] for name, node in order]
    for (place, before), (then, after) in pairwise(zip(order, expected, strict=True)):
        assert max(before) < min(after), (place, then)
    last = max(expected[-1])
    others = {place: when for place, when in at.items() if place[0] not in CONTROLLERS}
    assert min(when for (_, unit), when in others.items() if unit not in HARMLESS) > last


def test_nobody_noticed(cloud, story):
    seen = story["seen"]
    for name in ("api", "writer", "reader", "publisher", "consumer"):
        one = seen[name]
        print(
            f"{name}: {one['count']} requests, {one['failed']} failed, {one['failed_after_retry']} also at a"
            f" second try, longest gap {one['longest_gap_s']} s"
        )
    assert seen["api"]["count"] > 1000
    assert seen["api"]["failed_after_retry"] == 0, seen["api"]
    assert set(seen["rows_lost"].values()) == {0} and seen["messages_lost"] == 0
    assert seen["rows_committed"] > 0 and seen["messages_confirmed"] > 0


def test_no_two_members_were_down_together(story):
    seen = story["seen"]
    assert seen["samples"] > 100
    assert seen["fewest_serving"] >= 2 and seen["fewest_brokers"] >= 2
    together = [sample for sample in seen["members"] if disturbed(sample) > 1]
    assert together == []


def disturbed(sample: list) -> int:
    """Of how many controllers something did not answer in a sample of the probe."""
    return sum(
        state not in (2, 4) or not broker or bool(missing)
        for state, broker, missing in zip(*sample[1:], strict=True)
    )


def test_servers_and_routers_left_and_came_back(story):
    witness, api = story["witness"], story["api"]
    sent, lost, longest = story["reach"]
    print(witness.summary())
    print(f"a host behind r1 sent {sent} packets, {lost} lost, at most {longest:.1f} s without an answer")
    of_servers, of_routers = witness.statuses()
    assert "ERROR" not in of_servers and of_routers == {"ACTIVE"}
    assert witness.twice() == []
    gaps = witness.unscheduled(ROUTERS)
    assert all(gap < GAP for gap in gaps.values()), gaps
    assert api.servers() == {name: ("ACTIVE", host) for name, host in SERVERS.items()}
    assert api.routers() == {name: [host] for name, host in ROUTERS.items()}
    assert all(api.interfaces(identity) == {"ACTIVE"} for identity in story["routers"].values())
    assert len({host for _, seen in witness.servers for name, (_, host) in seen.items() if name == "a0"}) > 1


def test_afterwards_the_cloud_is_whole(cloud, story):
    Api(cloud).wait_until_ready(120)
    assert pacemaker.holder(cloud) and pacemaker.bans(cloud) == [] and pacemaker.in_standby(cloud) == set()
    assert cluster.members(cloud, "ctl1") == 3
    for node in cloud.nodes:
        assert cloud.exec(node, ["dpkg", "--audit"]).stdout == "", node
        assert cloud.exec(node, ["apt-mark", "showhold"]).stdout == "", node


def test_a_second_run_changes_nothing(cloud, story):
    before, ran = versions(cloud), units.invocations(cloud)
    assert predicted(cloud) == set()
    operator.update(cloud, timeout=_UPDATE)
    assert (versions(cloud), units.invocations(cloud)) == (before, ran)


def failed(cloud, **given: str) -> str:
    """What a control plane stage says that has to fail."""
    done = operator.update(cloud, "orch.control_plane", check=False, **given)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def test_a_package_that_would_remove_another_is_refused_before_anything_moves(cloud, story):
    releases.publish(cloud, "1.0.2", "1.0.1", ["glance-api"], Conflicts="debconf-utils")
    cloud.set_pillar(target_version="1.0.2", policies=POLICIES)
    before, ran = versions(cloud), units.invocations(cloud)
    said = failed(cloud)
    assert "PACKAGE_REMOVAL" in said and "debconf-utils" in said, said
    assert (versions(cloud), units.invocations(cloud)) == (before, ran)
    cloud.master(["salt-run", "rollout.abort"], check=False)


def ends_at_once(tree: Path) -> None:
    """Have memcached's unit start what fails."""
    program = tree / "usr/share/memcached/scripts/systemd-memcached-wrapper"
    program.write_text("#!/bin/sh\nexit 3\n")


def test_a_package_that_does_not_start_goes_back(cloud, story):
    releases.publish(cloud, "1.0.3", "1.0.1", ["memcached"], ends_at_once)
    cloud.set_pillar(target_version="1.0.3", policies=POLICIES)
    before = versions(cloud)
    said = failed(cloud)
    assert "SERVICE_FAILED" in said and "ctl1" in said and "memcached" in said, said
    run = operator.status(cloud)["run"]
    assert run["state"] == "paused", run
    assert versions(cloud) == before
    for node in CONTROLLERS:
        active = cloud.exec(node, ["systemctl", "is-active", "memcached"], check=False).stdout.strip()
        assert active == "active", node
    cloud.master(["salt-run", "rollout.abort"], check=False)


#: what dpkg's log says when it is killed
POINTS = (
    "status half-installed python3-placement",
    "status unpacked python3-placement",
    "status half-configured placement-common",
    "status installed placement-common",
    "status half-configured placement-api",
)


@pytest.mark.parametrize("point", POINTS)
def test_dpkg_killed_the_next_run_mends_it(cloud, story, point):
    number = POINTS.index(point)
    version, like = f"1.0.{number + 4}", "1.0.1" if not number else f"1.0.{number + 3}"
    newer = releases.publish(cloud, version, like, PLACEMENT)
    cloud.set_pillar(target_version=version, policies=POLICIES)
    cloud.exec("ctl1", ["truncate", "--size=0", "/var/log/dpkg.log"])
    word = f"{point}:all {newer[point.split()[-1]]}" if "half-installed" not in point else f"{point}:all"
    half_transaction.arm(cloud, "ctl1", "/var/log/dpkg.log", word)
    said = failed(cloud, limit="ctl1")
    killed = half_transaction.disarm(cloud, "ctl1")
    assert "dpkg" in killed and "ctl1" in said, said
    operator.update(cloud, "orch.control_plane", limit="ctl1")
    assert_placement(cloud, ["ctl1"], newer)


def test_the_other_controllers_follow(cloud, story):
    target = operator.status(cloud)["target"]
    operator.update(cloud, "orch.control_plane")
    wanted = {name: cloud.releases[target]["packages"][name] for name in PLACEMENT}
    assert_placement(cloud, CONTROLLERS, wanted)


def assert_placement(cloud, nodes, wanted: dict[str, str]) -> None:
    """Its packages are these, whole, and it runs."""
    for node in nodes:
        found = proof.installed(cloud, node)
        assert {name: found[name] for name in wanted} == {name: [new] for name, new in wanted.items()}
        assert cloud.exec(node, ["dpkg", "--audit"]).stdout == ""
        assert cloud.exec(node, ["systemctl", "is-active", "placement-api"]).stdout.strip() == "active"


def test_controllers_go_through_standby_and_a_reboot_and_rejoin(cloud, story):
    """What their clusters run of libssl3 is older than what is installed: the others' is left as it is."""
    others = [node for node in cloud.nodes if node not in CONTROLLERS]
    cloud.salt(others, "reboot_needed.dismiss", timeout=120)
    target = operator.status(cloud)["target"]
    system = {"reboot": "when_required", "reboot_timeout": 300}
    cloud.set_pillar(target_version=target, policies=POLICIES, system=system)
    booted = {node: boot(cloud, node) for node in cloud.nodes}
    with Probe(cloud) as probe, EventLog(cloud) as log:
        operator.update(cloud, "orch.system", timeout=_UPDATE)
    seen = probe.result
    assert {node for node in cloud.nodes if boot(cloud, node) != booted[node]} == set(CONTROLLERS)
    for node in CONTROLLERS:
        steps = [event["step"] for event in log.steps(node=node, status="succeeded")]
        assert [one for one in steps if one in ("drain", "reboot", "restore")] == [
            "drain",
            "reboot",
            "restore",
        ]
    assert pacemaker.in_standby(cloud) == set() and pacemaker.bans(cloud) == []
    assert cluster.members(cloud, "ctl1") == 3 and cluster.stopped(cloud) == set()
    assert seen["fewest_serving"] >= 2 and seen["fewest_brokers"] >= 2
    assert set(seen["rows_lost"].values()) == {0} and seen["messages_lost"] == 0


def boot(cloud, node: str) -> str:
    """What is another one after each boot."""
    return cloud.exec(node, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout
