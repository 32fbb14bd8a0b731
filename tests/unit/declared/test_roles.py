"""Roles of the operator's own: their plane, order and policies, and where services run."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import reading, share, warnings
from openstack_rollout.declared.policies import ComputePolicy, ControllerPolicy, GatewayPolicy, StoragePolicy
from tests.unit.cloud_pillar import NEW, node, valid
from tests.unit.declared.pillars import lines

DATA = {"plane": "data_plane"}
OWN = {
    "monitoring": {"target": "mon*", **DATA},
    "edge": {"target": "edge*", **DATA, "like": "compute"},
    "storage": "sto*",
    "database": {"target": "db*", "plane": "control_plane"},
    "network": {"target": "net*", **DATA, "like": "gateway"},
    "loadbalancer": {"target": "lb*", "plane": "control_plane"},
}
ORDER = [
    *("controller", "database", "loadbalancer"),
    *("gateway", "network", "compute", "edge", "storage", "monitoring"),
]


def with_own(**keys):
    openstack = valid() | keys
    openstack["roles"] = {**OWN, **openstack["roles"]}
    return openstack


def model_of(openstack):
    found, model = reading.reasons(openstack)
    assert found == []
    return model


def test_each_goes_after_the_role_as_which_it_goes():
    model = model_of(with_own())
    assert list(model.targets) == ORDER
    assert model.targets["network"] == "net*" and model.targets["compute"] == "cmp*"
    assert [role for role in ORDER if model.is_control_plane([role])] == ORDER[:3]
    assert share.place(model, lambda target: target != "cmp*").roles == tuple(
        role for role in ORDER if role != "compute"
    )


def test_a_known_role_may_be_a_mapping_too():
    openstack = valid()
    openstack["roles"]["compute"] = {"target": "cmp*"}
    assert model_of(openstack).targets == model_of(valid()).targets


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("database", ControllerPolicy),
        ("network", GatewayPolicy),
        ("edge", ComputePolicy),
        ("monitoring", StoragePolicy),
    ],
)
def test_a_policy_has_the_keys_of_the_role_as_which_it_goes(role, kind):
    assert model_of(with_own()).policies.of(role) == kind()
    model = model_of(with_own(policies={role: {"silence": 5}, "compute": {"batch": 2}}))
    assert model.policies.of(role) == kind(silence=5)
    assert model.policies.of("compute").batch == 2 and model.policies.of("gateway").batch == 1


def test_policies_of_clouds_are_not_shared():
    model_of(with_own(policies={"network": {"silence": 5}}))
    with pytest.raises(KeyError):
        model_of(valid()).policies.of("network")


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"network": {"bach": 1}}, "network:bach: unknown key, did you mean batch?"),
        (
            {"network": {"drain": "live_migrate"}},
            "network:drain: 'live_migrate' is not one of none, ovn_failover, move_routers",
        ),
        (
            {"database": {"batch": 2}},
            "database:batch: 2 is not allowed: controllers go one at a time, set 1",
        ),
        ({"monitoring": []}, "monitoring: has to be a mapping, not a list: []"),
        ({"computes": {}}, "computes: unknown role, did you mean compute?"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_with_its_role(policies, said):
    openstack = with_own(policies=policies)
    assert lines(openstack) == [f"openstack:policies:{said}"]
    openstack["policies"] = {**policies, "gateway": {"batch": 0}}
    assert len(lines(openstack)) == 2


def test_the_drain_of_an_own_role_speaks_to_openstack():
    assert not model_of(with_own()).verifies
    assert model_of(with_own(policies={"edge": {"drain": "live_migrate"}})).verifies


def services(**entries):
    return with_own(services=entries)


def test_services_run_on_own_roles():
    openstack = services(
        rabbitmq={"roles": ["database"]},
        nova={"roles": ["compute", "edge"]},
        ovn={"roles": ["controller", "gateway", "compute", "network", "edge"]},
        memcached={"stage": "by_plane", "roles": ["database", "monitoring"]},
    )
    model = model_of(openstack)

    def named(*roles):
        found = share.desired(model, NEW, node(*roles))
        return {one["name"]: one["stage"] for one in found["services"]}

    assert named("database") == {"rabbitmq": "control_plane", "memcached": "control_plane"}
    assert named("monitoring") == {"memcached": "services"}
    assert named("edge") == {"ovn": "ovn", "nova": "services"}
    assert named("network") == {"ovn": "ovn"}
    assert "rabbitmq" not in named("controller")


@pytest.mark.parametrize(
    ("name", "roles", "said"),
    [
        (
            "nova",
            ["egde"],
            "roles:0: 'egde' is not one of controller, gateway, compute, storage, monitoring, edge, database,"
            " network, loadbalancer, did you mean edge?",
        ),
        ("nova", ["database"], "stage: services is for data plane roles, on a database use control_plane"),
        ("nova", ["edge", "controller"], "stage: services is for data plane roles, on a controller use"),
        ("keystone", ["controller", "edge"], "stage: control_plane is for roles of the control plane alone"),
    ],
)
def test_a_service_is_refused_on_a_role_that_is_none_or_of_the_other_plane(name, roles, said):
    (line,) = lines(services(**{name: {"roles": roles}}))
    assert line.startswith(f"openstack:services:{name}:{said}")


def test_roles_that_are_wrong_make_no_other_lines():
    openstack = services(nova={"roles": ["edge"]}, rabbitmq={"roles": ["database"]})
    openstack["roles"]["edge"] = {"target": 5, "plane": "data_plane"}
    assert lines(openstack) == ["openstack:roles:edge:target: 5 is a number: put it in quotes"]


@pytest.mark.parametrize(
    ("roles", "stages", "controls"),
    [
        (["database"], ["control_plane", "ovs", "system"], True),
        (["network"], ["services", "ovs", "system"], False),
        (["database", "edge"], ["control_plane", "services", "ovs", "system"], True),
        (["database", "controller"], ["ovn", "control_plane", "ovs", "system"], True),
    ],
)
def test_a_nodes_stages_and_packages_follow_its_planes(roles, stages, controls):
    found = share.desired(model_of(with_own()), NEW, node(*roles))
    assert found["stages"] == stages and found["control_plane"] is controls
    own = "control_plane" if controls else "services"
    assert set(found["packages"]) == {own, "ovs", "system"}
    assert found["packages"][own] == {"openstack-selinux": f"0.8-{NEW}"}


def test_a_policy_accepts_a_reboot_for_its_own_role():
    model = model_of(with_own(policies={"edge": {"reboot_occupied": True}}))
    accepts = {
        role: share.desired(model, NEW, node(role))["system"]["accept"] for role in ("edge", "compute")
    }
    assert accepts == {"edge": True, "compute": False}


def test_warnings_name_own_roles():
    openstack = with_own(policies={"network": {"soak": 5}, "edge": {"migrate_back": True}})
    openstack["roles"]["monitoring"] = {"target": "edge*", "plane": "data_plane"}
    hook = {"name": "x", "command": ["/bin/true"]}
    openstack["hooks"] = {"control_plane": {"before_drain": [hook]}}
    assert list(warnings.of(model_of(openstack))) == [
        "openstack:roles:monitoring: has the nodes of edge too: a node of two roles gets the services of"
        " both",
        "openstack:policies:edge:migrate_back: has no effect while drain is none",
        "openstack:policies:network:soak: has no effect without canary",
        "openstack:hooks:control_plane:before_drain: never runs (x): no role is drained before control_plane",
    ]


def test_there_is_an_end_to_roles():
    openstack = valid()
    openstack["roles"] |= {f"r{number}": {"target": "x", **DATA} for number in range(100)}
    assert lines(openstack) == ["openstack:roles: has 103 roles, 100 are allowed"]
