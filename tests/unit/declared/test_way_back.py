"""What a node is before a run, and what it has to be while that is undone."""

import pytest

from openstack_rollout.declared import facts, share, way_back
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.records.stored import read
from openstack_rollout.records.way_back import Former
from tests.unit.cloud_pillar import NEW, OLD, digest, facts_at, model, node, reference, valid

WHERE = node("compute")


def compared(version, openstack=None, backs=None, **changes):
    """A node at a release, compared with the target."""
    openstack = openstack or valid()
    declared = model(openstack).turned(backs)
    answered = facts.read("node1", facts_at(openstack, version, WHERE, **changes))
    return Comparison(declared).compare(answered, WHERE.roles, None)


def back(former, stages, **changes):
    """What a node goes back to, of what it was."""
    packages = {name: one[0] for name, one in former["packages"].items()}
    return {
        **{"of": "r1", "stages": stages, "release": former["deployed"], "images": former["images"]},
        **{"packages": packages, "system_image": former["system_image"]},
        **changes,
    }


def test_a_node_is_remembered_by_the_references_of_a_release():
    former = compared(OLD).former
    assert former["deployed"] == OLD
    assert former["images"]["nova"] == reference("nova_compute_image", OLD)
    assert former["packages"]["curl"] == [f"7-{OLD}"] and former["migrations"] == {}


@pytest.mark.parametrize(
    ("names", "image"),
    [
        (
            [f"mirror.example/nova@{digest('hotfix')}", "mirror.example/nova:fix"],
            f"mirror.example/nova@{digest('hotfix')}",
        ),
        (["localhost/nova:fix"], ""),
        ([], ""),
    ],
)
def test_an_image_of_no_release_is_remembered_by_the_name_that_the_node_has(names, image):
    told = facts_at(valid(), OLD, WHERE)["containers"]
    name = next(
        one["container"] for one in share.desired(model(), OLD, WHERE)["services"] if one["name"] == "nova"
    )
    told[name] |= {"digests": [digest("hotfix")], "names": names}
    former = compared(OLD, containers=told).former
    assert former["images"]["nova"] == image and former["deployed"] == ""


def test_a_service_that_was_not_there_is_not_remembered():
    told = facts_at(valid(), OLD, WHERE)["containers"]
    name = next(
        one["container"] for one in share.desired(model(), OLD, WHERE)["services"] if one["name"] == "nova"
    )
    del told[name]
    assert "nova" not in compared(OLD, containers=told).former["images"]


def test_at_what_it_was_a_node_has_nothing_to_do():
    former = compared(OLD).former
    stages = ["system", "ovs", "services", "ovn"]
    assert any(compared(NEW, backs={"node1": back(former, stages)}).stages.values())
    assert not any(compared(OLD, backs={"node1": back(former, stages)}).stages.values())


def test_only_the_stages_that_a_run_moved_are_there():
    found = compared(NEW, backs={"node1": back(compared(OLD).former, ["ovs"])}).stages
    assert list(found) == ["ovs"] and {one.want for one in found["ovs"]} >= {f"3-{OLD}"}


def test_a_stream_of_open_vswitch_goes_back_to_the_earlier_one():
    found = compared(NEW, backs={"node1": back(compared(OLD).former, ["ovs"])}).stages["ovs"]
    told = {(one.kind.value, one.subject) for one in found}
    assert ("package", "openvswitch3.4") in told and ("package_left", "openvswitch3.5") in told


def test_a_node_that_is_left_alone_has_no_stage():
    assert compared(OLD, backs={"other": {}}).stages == {}


def test_services_go_in_the_opposite_order_and_nothing_newer_comes():
    declared, former = model(), compared(OLD).former
    forward = share.desired(declared, NEW, WHERE)
    wanted = way_back.desired(declared, forward, WHERE, back(former, ["services", "system"]))
    names = [one["name"] for one in sorted(wanted["services"], key=lambda one: one["order"])]
    ahead = [one for one in forward["services"] if one["stage"] == "services"]
    assert len({one["order"] for one in ahead}) > 1
    assert [one["order"] for one in wanted["services"]] == [-one["order"] for one in ahead]
    assert set(names) == {one["name"] for one in ahead}
    assert wanted["system"]["others"] is False and wanted["checks"] == [] and wanted["target"] == NEW


def test_salts_own_packages_stay_and_what_came_along_goes_back_with_it():
    former = compared(OLD).former
    packages = {"salt-minion": "3008.2", "python3-lib": "1"}
    forward = share.desired(model(), NEW, WHERE)
    wanted = way_back.desired(model(), forward, WHERE, back(former, ["services"], packages=packages))
    assert wanted["packages"]["services"] == {"python3-lib": "1"}
    assert not any("salt-minion" in some for some in wanted["packages"].values())


def test_a_service_that_came_with_the_target_goes():
    """It was not there: the node's share does not have its container, which is removed as any orphan."""
    former = compared(OLD).former
    without = {name: one for name, one in former["images"].items() if name != "nova"}
    rollback = way_back.Rollback("r1", "r2", back(former, ["services", "ovn"], images=without))
    found = way_back.share_of(model(), WHERE, lambda target: True, rollback)
    gone = next(
        one["container"] for one in share.desired(model(), NEW, WHERE)["services"] if one["name"] == "nova"
    )
    assert gone not in found["containers"] and found["containers"]
    assert "nova" not in {one["name"] for one in found["services"]}
    assert found["last"] == "ovn" and found["described"] == OLD and found["target"] == NEW


def test_a_release_that_is_gone_leaves_the_targets_description():
    former = compared(OLD).former
    openstack = valid()
    del openstack["releases"][OLD]
    rollback = way_back.Rollback("r1", "r2", back(former, ["services"]))
    found = way_back.share_of(model(openstack), WHERE, lambda target: True, rollback)
    assert {one["image"] for one in found["services"]} == {
        former["images"][one["name"]] for one in found["services"]
    }


WAIT = {"have": "8000", "theirs": "8000", "longest": 500, "flows": 100_000, "by_itself": False}


def waited(have, former=None):
    """A compute at the target whose share sizes the setting, with or without a rollback of its OVN stage."""
    openstack = {**valid(), "ovn": {"wait_before_clear": "auto"}}
    backs = former and {"node1": back(former, ["ovn"], ovn_wait=former["ovn_wait"])}
    return compared(OLD, openstack, backs, ovn_wait={**WAIT, "have": have})


@pytest.mark.parametrize("before", ["8000", ""])
def test_the_wait_of_a_chassis_goes_back_to_what_it_was(before):
    former = waited(before).former
    assert former["ovn_wait"] == before
    (one,) = waited("48000", former).stages["ovn"]
    assert (one.kind, one.have, one.want) == ("ovn_wait", "48000", before or None)
    assert waited(before, former).stages["ovn"] == []
    rollback = way_back.Rollback("r1", "r2", back(former, ["ovn"], ovn_wait=before))
    found = way_back.share_of(model(), WHERE, lambda target: True, rollback)
    assert found["ovn"] == {"wait_before_clear": "keep", "back": before}


def test_a_wait_that_nobody_asked_for_is_left_alone_on_the_way_back():
    former = compared(OLD).former
    assert former["ovn_wait"] is None
    assert waited("48000", former).stages["ovn"] == []


def test_what_an_older_program_wrote_has_no_wait():
    """Neither what a node was, nor what it goes back to."""
    former = compared(OLD).former
    found = waited("48000", {**former, "ovn_wait": None}).stages["ovn"]
    backs = {"node1": back(former, ["ovn"])}
    assert "ovn_wait" not in backs["node1"]
    assert compared(OLD, backs=backs, ovn_wait=WAIT).stages["ovn"] == found == []
    older = {key: one for key, one in former.items() if key != "ovn_wait"}
    assert read(Former, {**older, "version": 1}, "node1").ovn_wait is None
