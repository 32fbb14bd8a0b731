"""One pillar edit moves the small cloud from 1.0.0 to 1.0.1: order, batches, predictions, proofs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from . import operator, proof
from .agreement import assert_agreed, planned
from .events import EventLog, most_in_flight
from .network import Overlay
from .probe import Probe

NEW = "1.0.1"
STAGES = ["ovn", "control_plane", "services", "ovs", "system"]


@pytest.fixture(scope="module")
def story(cloud):
    """The edit, what was predicted, and the whole update; beside it the event stream and the VMs' traffic."""
    overlay = Overlay(cloud).build()
    cloud.set_pillar(target_version=NEW)
    predicted = operator.predicted(cloud)
    plan = operator.plan(cloud)
    switch = switch_process(cloud, "cmp1")
    with Probe(overlay) as probe, EventLog(cloud) as log:
        operator.update(cloud)
        traffic = probe.stop()
    return {"predicted": predicted, "plan": plan, "log": log, "traffic": traffic, "switch": switch}


def switch_process(cloud, node):
    """The process id of a node's running switch."""
    return cloud.exec(node, ["systemctl", "show", "-p", "MainPID", "--value", "ovs-vswitchd"]).stdout


def test_every_machine_is_at_the_new_release(cloud, story):
    assert len(proof.assert_cloud_at(cloud, NEW)) == len(cloud.nodes)


def test_the_stages_ran_in_order(cloud, story):
    applied = [event["stage"] for event in story["log"].steps(step="apply", status="started")]
    assert list(dict.fromkeys(applied)) == STAGES
    assert applied == sorted(applied, key=STAGES.index)


@pytest.mark.parametrize(
    ("package", "stage"),
    [("openstack-selinux", "services"), ("openvswitch3.5", "ovs"), ("kernel-core", "system")],
)
def test_each_package_moves_in_its_own_stage(cloud, story, package, stage):
    """By rpm's own record of when it was installed, against the time of the node's step."""
    begin, end = (
        datetime.fromisoformat(event["_stamp"]).replace(tzinfo=UTC).timestamp()
        for status in ("started", "succeeded")
        for event in story["log"].steps(stage=stage, node="cmp1", step="apply", status=status)
    )
    query = ["rpm", "-q", "--queryformat", "%{VERSION}-%{RELEASE} %{INSTALLTIME}\\n", package]
    newest = cloud.exec("cmp1", query).stdout.splitlines()
    times = {version: int(time) for version, time in map(str.split, newest)}
    assert int(begin) <= times[cloud.releases[NEW]["packages"][package]] <= end, (times, begin, end)


def test_the_switch_moves_as_packages_and_runs_on(cloud, story):
    packages = proof.installed(cloud, "cmp1")
    assert "openvswitch3.5" in packages and "openvswitch3.4" not in packages
    assert switch_process(cloud, "cmp1") == story["switch"]


def test_gateways_go_before_computes(cloud, story):
    for stage in ("ovn", "services"):
        nodes = [event["node"] for event in story["log"].steps(step="apply", status="started", stage=stage)]
        assert nodes.index("gtw1") < nodes.index("cmp1"), (stage, nodes)


@pytest.mark.parametrize("stage", ["ovn", "services"])
def test_never_more_than_one_compute_in_flight_where_something_is_disturbed(cloud, story, stage):
    sets = most_in_flight(story["log"].steps(stage=stage), {"cmp1", "cmp2"})
    assert {len(nodes) for nodes in sets} == {0, 1}, sets
    assert {"cmp1"} in sets and {"cmp2"} in sets


def test_every_image_was_on_the_nodes_before_the_first_disruption(cloud, story):
    kinds = [
        event["step"]
        for event in story["log"].steps(status="started")
        if event["step"] in {"prefetch", "apply"}
    ]
    assert "prefetch" in kinds and "prefetch" not in kinds[kinds.index("apply") :]


def test_the_ovn_stage_loses_no_packet(cloud, story):
    """Between VMs on two computes and through the gateway, while each chassis' container changes."""
    steps = story["traffic"].by_step(story["log"].steps(stage="ovn"))
    assert {node for _, node in steps} == set(cloud.nodes)
    for (_, node), traffic in steps.items():
        print(f"{node}: {traffic.sent} packets, longest gap {traffic.longest_gap_ms:.0f} ms")
        assert traffic.sent > 0 and traffic.lost == 0, f"{node}:\n{traffic.table()}"


def test_the_prediction_was_exact(cloud, story):
    actual = set()
    for tag, data in story["log"].events:
        if tag.startswith("salt/job/") and "/ret/" in tag and str(data.get("fun")).startswith("state."):
            mods = " ".join(str(arg) for arg in data.get("fun_args", []))
            if "prefetch" not in mods and "test" not in mods:
                actual |= operator.changed_states(data["id"], data["return"])
    assert ("cmp1", "container.running nova_compute") in actual
    assert actual == story["predicted"]


def test_the_scripts_of_the_switch_packages_did_not_run(cloud, story):
    for node in cloud.nodes:
        log = cloud.exec(node, ["cat", "/var/log/rpm-scriptlets.log"], check=False).stdout
        # a package whose scripts do run tells that the log is kept
        assert "openstack-selinux" in log, f"{node}: {log}"
        since = [
            line for line in log.splitlines() if line.startswith(("openvswitch3.5", "openvswitch3.4 preun"))
        ]
        assert since == [], f"{node}: {since}"


def test_the_plan_as_data_is_what_the_nodes_predict(cloud, story):
    plan = story["plan"]
    assert plan["refused"] is None and plan["failures"] == {}
    steps = ("apply", "verify")
    assert planned(plan)["services", "", "compute"] == [("cmp1", steps), ("cmp2", steps)]
    changes = Counter({node: sum(map(len, stages.values())) for node, stages in plan["nodes"].items()})
    assert changes == Counter(node for node, _ in story["predicted"])


def test_the_plan_is_what_ran(cloud, story):
    assert_agreed(story["plan"], story["log"].steps())


def test_the_status_as_data_has_the_facts_of_the_table(cloud, story):
    status = operator.status(cloud)
    assert (status["target"], status["available"], status["deployed"]) == (NEW, NEW, NEW)
    assert {node: facts["deployed"] for node, facts in status["nodes"].items()} == dict.fromkeys(
        cloud.nodes, NEW
    )
    assert status["roles"]["compute"]["at_target"] == status["roles"]["compute"]["total"] == 2
    table = cloud.master(["salt-run", "rollout.status"]).stdout
    assert all(
        word in table for word in ("NAME", "TARGET", "AVAILABLE", "DEPLOYED", "compute", "2/2", "cmp2")
    )


def test_the_second_run_changes_nothing(cloud, story):
    before = proof.fingerprint(cloud)
    with EventLog(cloud) as log:
        operator.update(cloud)
    assert proof.fingerprint(cloud) == before
    assert log.steps(step="apply", status="started") == []


def test_a_converged_cloud_predicts_nothing(cloud, story):
    assert operator.predicted(cloud) == set()


def test_a_custom_image_changes_only_its_container(cloud, story):
    before = {node: proof.running_digests(cloud, node) for node in cloud.nodes}
    hotfix = cloud.images["hotfix"]
    cloud.set_pillar(target_version=NEW, custom_images={"edpm_neutron_metadata_agent_image": hotfix})
    started = {node: containers for node, (containers, _, _) in proof.fingerprint(cloud).items()}
    operator.update(cloud)
    after = {node: proof.running_digests(cloud, node) for node in cloud.nodes}
    changed = {(n, c) for n in cloud.nodes for c in after[n] if after[n][c] != before[n].get(c)}
    assert changed == {("cmp1", "ovn_metadata_agent"), ("cmp2", "ovn_metadata_agent")}
    assert after["cmp1"]["ovn_metadata_agent"] == hotfix.partition("@")[2]
    restarted = {
        (node, line.split()[0])
        for node, (containers, _, _) in proof.fingerprint(cloud).items()
        for line in set(containers) - set(started[node])
    }
    assert restarted == changed
