"""Where it is known that a stage disturbs nothing, more nodes go together; else they go by their batch."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.declared.model import Model
from openstack_rollout.rollout import breakpoints, disturbance, dry_run
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, refusal

STEPS = ("apply", "verify")
PACKAGE = Difference("ovs", Kind.PACKAGE, "openvswitch", ["1"], "2")
HOOK = {"name": "note", "command": ["/usr/local/bin/note"]}


def is_none(stage, *open_, steps=STEPS, serves=False, **said):
    one = Compared("cmp1", ("compute",), None, "", None, {stage: list(open_)})
    return disturbance.is_none(Model.model_validate(said), stage, one, steps, serves=serves)


def newer(*names):
    return Difference("system", Kind.NEWER, "packages", None, list(names))


@pytest.mark.parametrize("kind", [Kind.PACKAGE, Kind.PACKAGE_LEFT, Kind.PACKAGE_HALF, Kind.SWITCH_DISABLED])
def test_packages_of_the_switch_alone_disturb_nothing(kind):
    assert is_none("ovs", Difference("ovs", kind, "openvswitch"))
    assert not is_none("ovs", Difference("ovs", kind, "openvswitch"), ovs={"reload": True})


def test_packages_of_the_system_disturb_nothing_but_those_that_the_page_names():
    assert is_none("system", newer("bash", "openssl"), PACKAGE)
    assert not is_none("system", newer("bash", "qemu-kvm"))
    assert not is_none("system", Difference("system", Kind.PACKAGE, "libvirt-daemon", [], "1"))
    assert is_none("system", newer("qemu-kvm"), system={"disruptive": []})
    assert not is_none("system", newer("bash"), system={"disruptive": ["ba*"]})
    assert is_none(
        "system", Difference("system", Kind.MINION, "salt-minion"), steps=("apply", "minion", "verify")
    )


@pytest.mark.parametrize(
    "kind",
    [Kind.NEWER_UNKNOWN, Kind.PACKAGES_UNKNOWN, Kind.LIVE_PATCHES, Kind.MIGRATION, Kind.SERVICE_PACKAGES],
)
def test_what_nobody_can_tell_disturbs(kind):
    assert not is_none("system", newer("bash"), Difference("system", kind, "x"))


@pytest.mark.parametrize(
    "step", ["reboot", "drain", "before_apply", "after_verify", "migration", "heartbeat"]
)
def test_steps_that_take_something_away_or_do_anything_disturb(step):
    assert not is_none("ovs", PACKAGE, steps=(step, *STEPS))


def test_of_a_node_that_serves_data_nobody_can_tell_what_its_packages_are():
    assert not is_none("system", newer("bash"), serves=True)
    assert is_none("ovs", PACKAGE, serves=True)


def test_a_breakpoint_disturbs_nothing():
    rests = breakpoints.among(STEPS, frozenset({"before_apply"}))
    assert len(rests) == 3 and is_none("ovs", PACKAGE, steps=rests)


@pytest.mark.parametrize("stage", ["ovn", "services", "control_plane"])
def test_stages_that_restart_services_disturb(stage):
    assert not is_none(stage, Difference(stage, Kind.PACKAGE, "openstack-selinux"))


def roles_of(cloud, folder, stage):
    data = dry_run.dry_run(cloud.model, Master(cloud, folder).ports(), lambda nodes, stage: {})
    found = next(one for one in data["stages"] if one["stage"] == stage)
    return {role["role"]: role for role in found["rounds"][0]["roles"]}, data


def waves(role):
    return [[node["id"] for node in wave["nodes"]] for wave in role["waves"]]


def test_five_go_together_where_nothing_is_disturbed_and_a_plan_says_so(tmp_path):
    cloud = Cloud(controller=3, compute=7)
    roles, data = roles_of(cloud, tmp_path, "ovs")
    assert [len(one) for one in waves(roles["compute"])] == [5, 2]
    assert [len(one) for one in waves(roles["controller"])] == [1, 1, 1]
    assert "\n  compute: batch 5, nothing is disturbed\n" in tables.text(data)
    assert "\n  controller: batch 1\n" in tables.text(data)
    before, _ = roles_of(cloud, tmp_path, "services")
    assert before["compute"]["batch"] == 1 and not before["compute"]["undisturbing"]


def test_a_tenth_of_a_large_role(tmp_path):
    roles, data = roles_of(Cloud(compute=300), tmp_path, "system")
    assert roles["compute"]["batch"] == 30
    assert data["prefetch_together"] == 30
    assert "prefetch, 30 at a time: compute1" in tables.text(data)


def test_what_runs_is_what_is_planned_in_its_waves(tmp_path):
    cloud = Cloud(controller=2, compute=8)
    assert Master(cloud, tmp_path).update()["state"] == "completed"
    flown = [event for event in cloud.flown() if event["role"] == "compute"]
    most = {
        stage: max(len(event["in_flight"]) for event in flown if event["stage"] == stage)
        for stage in ("ovn", "services", "ovs", "system")
    }
    assert most == {"ovn": 1, "services": 1, "ovs": 5, "system": 5}


@pytest.mark.parametrize(
    ("policy", "batch"),
    [
        ({"batch_undisturbing": 1}, 1),
        ({"batch_undisturbing": 2}, 2),
        ({"batch_undisturbing": "100%"}, 8),
        ({"batch": 7}, 7),
        ({"drain": DRAIN, "drain_before": ["ovs"]}, 1),
    ],
)
def test_the_policy_says_how_many(policy, batch, tmp_path):
    cloud = Cloud(compute=8)
    cloud.policy("compute", **policy)
    assert roles_of(cloud, tmp_path, "ovs")[0]["compute"]["batch"] == batch


def test_zones_groups_and_canaries_hold(tmp_path):
    cloud = Cloud(compute=8)  # in two zones
    cloud.policy("compute", per_zone=1, canary=1, groups=["az2", "az1"])
    role = roles_of(cloud, tmp_path, "ovs")[0]["compute"]
    assert role["batch"] == 5 and role["waves"][0]["canary"]
    assert all(len(one) == 1 for one in waves(role))
    assert [wave["group"] for wave in role["waves"][1:]] == ["az2"] * 3 + ["az1"] * 4


def test_storage_nodes_go_by_their_batch_in_the_system_stage(tmp_path):
    cloud = Cloud(storage=6)
    assert roles_of(cloud, tmp_path, "ovs")[0]["storage"]["batch"] == 5
    assert roles_of(cloud, tmp_path, "system")[0]["storage"]["batch"] == 1


def test_one_node_of_which_it_is_not_known_has_all_go_by_their_batch(tmp_path):
    cloud = Cloud(compute=8)
    cloud.openstack["system"] = {"disruptive": ["bash"]}
    assert roles_of(cloud, tmp_path, "system")[0]["compute"]["batch"] == 1
    cloud.openstack["system"] = {}
    cloud.openstack["hooks"] = {"system": {"before_apply": [HOOK]}}
    assert roles_of(cloud, tmp_path, "system")[0]["compute"]["batch"] == 1


def test_those_in_flight_finish_when_one_fails(tmp_path):
    cloud = Cloud(compute=12)
    cloud.nodes["compute2"].faults["ovs/apply"] = "PACKAGE_FAILED"
    master = Master(cloud, tmp_path)
    assert refusal(master.update).reason == "PACKAGE_FAILED"
    assert sorted(cloud.statuses("verify", "succeeded", "ovs")) == [
        "compute1",
        "compute3",
        "compute4",
        "compute5",
    ]
