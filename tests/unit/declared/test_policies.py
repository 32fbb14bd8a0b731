"""How nodes of a role go, and its defaults."""

import pytest
from pydantic import ValidationError

from openstack_rollout.declared.policies import ComputePolicy, ControllerPolicy, GatewayPolicy, Policies
from tests.unit.declared import pillars


@pytest.mark.parametrize(
    ("said", "count", "size"),
    [
        ({}, 4, 5),
        ({}, 59, 5),
        ({}, 1000, 100),
        ({"batch": 8}, 10, 8),
        ({"batch": "50%"}, 100, 50),
        ({"batch_undisturbing": 1}, 100, 1),
        ({"batch_undisturbing": "1%"}, 100, 5),
        ({"batch_undisturbing": "30%", "batch": 2}, 100, 30),
    ],
)
def test_more_go_together_where_nothing_is_disturbed(said, count, size):
    assert ComputePolicy(**said).undisturbed_together(count) == size


def test_controllers_go_one_at_a_time_also_there():
    assert ControllerPolicy().undisturbed_together(100) == 1
    with pytest.raises(ValidationError, match="controllers go one at a time"):
        ControllerPolicy(batch_undisturbing=2)


def test_defaults_are_safe_and_the_pillar_wins():
    default = Policies()
    for role in ("controller", "gateway", "compute", "storage"):
        policy = default.of(role)
        assert (policy.batch, policy.max_failures, policy.canary, policy.per_zone) == (1, 0, 0, 0)
        assert (policy.drain, policy.reboot_occupied, policy.drains_before) == ("none", False, None)
    said = Policies.model_validate({"compute": {"batch": "10%", "canary": 1}, "gateway": None})
    assert said.compute == ComputePolicy(batch="10%", canary=1)
    assert said.gateway == GatewayPolicy() and said.controller == ControllerPolicy()
    assert not said.speak_to_openstack
    assert Policies(gateway=GatewayPolicy(drain="move_routers")).speak_to_openstack


def test_the_stages_before_which_nodes_are_drained():
    assert ComputePolicy(drain_before=["system"]).drains_before == frozenset({"system"})
    assert ComputePolicy(drain_before=[]).drains_before == frozenset()
    assert ControllerPolicy().drains_before is None


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        (
            ["az1", "az9"],
            "openstack:policies:compute:groups: 'az9' is no zone of openstack:zones, did you mean az1?",
        ),
        (["az1", "az1"], "openstack:policies:compute:groups:1: 'az1' is there twice"),
        (["G@rack:r1"], "openstack:policies:compute:groups:0: 'G@rack:r1'"),
        ({"rack1": "I@rack:r1"}, "openstack:policies:compute:groups:rack1: 'I@rack:r1' matches by pillar"),
        ({"rack1": ["cmp1"]}, "openstack:policies:compute:groups:rack1: "),
        ({"rack 1": "cmp1"}, "openstack:policies:compute:groups:'rack 1': "),
        ({1: "cmp1"}, "openstack:policies:compute:groups:1: 1 is a number: put it in quotes"),
        (
            "az1",
            "openstack:policies:compute:groups: has to be a list of zones, or a mapping of names to compound",
        ),
        ([{"name": "rack1"}], "openstack:policies:compute:groups:0: "),
    ],
)
def test_groups_that_cannot_be_meant_are_refused_by_their_key(groups, line):
    openstack = {
        **pillars.valid(),
        "zones": {"az1": "G@zone:az1"},
        "policies": {"compute": {"groups": groups}},
    }
    found = pillars.lines(openstack)
    assert len(found) == 1 and line in found[0], found


def test_a_window_of_no_group_is_refused_by_its_key():
    openstack = pillars.valid()
    groups = {"rack1": "cmp1", "rack2": "cmp2"}
    openstack["policies"] = {
        "compute": {"groups": groups, "group_windows": {"rack3": {"from": "22:00", "to": "05:00"}}}
    }
    (line,) = pillars.lines(openstack)
    assert line.startswith("openstack:policies:compute:group_windows:rack3: is no group of this role")
    assert "did you mean rack" in line
    openstack["policies"]["compute"]["group_windows"] = {"rack1": {"from": "22:00", "to": "22:00"}}
    assert "openstack:policies:compute:group_windows:rack1:to: " in pillars.lines(openstack)[0]


def test_a_threshold_of_no_group_is_refused_by_its_key():
    openstack = pillars.valid()
    groups = {"rack1": "cmp1", "rack2": "cmp2"}
    openstack["policies"] = {"compute": {"groups": groups, "group_max_failures": {"rack3": 1}}}
    (line,) = pillars.lines(openstack)
    assert line.startswith("openstack:policies:compute:group_max_failures:rack3: is no group of this role")
    assert "did you mean rack" in line
    openstack["policies"]["compute"]["group_max_failures"] = {"rack1": "101%"}
    assert "openstack:policies:compute:group_max_failures:rack1: '101%'" in pillars.lines(openstack)[0]
    openstack["policies"]["compute"] |= {"group_max_failures": {"rack1": "10%"}, "max_failures": "20%"}
    assert pillars.lines(openstack) == []


def test_groups_of_a_role_of_the_operators_own():
    openstack = {
        **pillars.valid(),
        "roles": {"network": {"target": "net*", "plane": "data_plane", "like": "gateway"}},
        "policies": {"network": {"groups": ["az7"]}},
    }
    assert "policies:network:groups: 'az7' is no zone" in pillars.lines(openstack)[0]


@pytest.mark.parametrize(
    ("said", "count", "tolerated"),
    [
        ({}, 100, 0),
        ({"max_failures": 3}, 100, 3),
        ({"max_failures": "10%"}, 25, 2),
        ({"max_failures": "10%"}, 9, 0),
        ({"max_failures": "100%"}, 9, 9),
        ({"max_failures": "0%"}, 9, 0),
        ({"on_failure": "quarantine"}, 100, 10),
        ({"on_failure": "quarantine"}, 5, 1),
        ({"on_failure": "quarantine", "max_failures": 0}, 100, 0),
        ({"on_failure": "quarantine", "max_failures": "5%"}, 100, 5),
    ],
)
def test_how_many_nodes_of_a_role_may_fail(said, count, tolerated):
    policy = Policies.model_validate({"compute": said}).of("compute")
    assert policy.for_nodes(count).tolerated == tolerated


def test_how_many_nodes_of_a_group_may_fail():
    said = {"groups": ["az1", "az2", "az3"], "group_max_failures": {"az1": "25%", "az2": 3}}
    policy = Policies.model_validate({"compute": {**said, "max_failures": 5}}).of("compute")
    policy = policy.for_nodes(20, {"az1": 8, "az2": 6, "az3": 6})
    assert policy.tolerated == 5 and policy.tolerated_of_groups == {"az1": 2, "az2": 3}


@pytest.mark.parametrize("said", ["101%", "-1%", "1.5%", "5", "5 %", "%", "", -1, 10_001, 1.5, True, [], {}])
def test_thresholds_that_are_none(said):
    with pytest.raises(ValidationError, match="number of nodes from 0 to 10000, or a percentage from 0%"):
        Policies.model_validate({"compute": {"max_failures": said}})


def test_a_controller_is_never_set_aside():
    with pytest.raises(ValidationError, match="on_failure"):
        Policies.model_validate({"controller": {"on_failure": "quarantine"}})
    assert (
        Policies.model_validate({"storage": {"on_failure": "quarantine"}}).storage.on_failure == "quarantine"
    )
