"""Where a router goes, what a node is called in OpenStack, and before which stages nodes are drained."""

import pytest

from openstack_rollout.cloud.api import match_host
from openstack_rollout.cloud.neutron import L3, Agent, Router
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import GatewayPolicy
from openstack_rollout.drains import agents, live_migrate, move_routers, risk_report, routers
from openstack_rollout.errors import RolloutError
from openstack_rollout.screens import tables


def agent(host, zone="az1", mode="legacy", up=True, alive=True):
    return Agent(f"id-{host}", host, L3, zone, mode, up, alive, "", "now")


def test_a_router_goes_to_the_least_loaded_agent_of_its_zone_first():
    source, peers = agent("g1"), [agent("g2"), agent("g3"), agent("g4", zone="az2")]
    load = {"id-g2": 5, "id-g3": 4, "id-g4": 0}
    router = Router("r", "r", ha=False, distributed=False, enabled=True)
    chosen = [routers.targets_for(router, source, peers, load)[0].host for _ in range(3)]
    assert chosen == ["g3", "g2", "g3"]


def test_a_router_stays_in_the_zones_it_was_made_for():
    router = Router("r", "r", ha=False, distributed=False, enabled=True, zones=("az2",))
    load = {"id-g2": 0, "id-g4": 9}
    found = routers.targets_for(router, agent("g1"), [agent("g2"), agent("g4", zone="az2")], load)
    assert [one.host for one in found] == ["g4"]


@pytest.mark.parametrize(
    ("other", "spared"),
    [
        (agent("g2"), True),
        (agent("g2", up=False), False),
        (agent("g2", alive=False), False),
        (agent("g2", mode="dvr_snat"), False),
    ],
)
def test_a_spare_is_alive_and_up_and_of_the_same_mode(other, spared):
    assert agents.each_has_peer(["g1"], [agent("g1"), other]) is spared
    assert not agents.each_has_peer(["g1", "g2"], [agent("g1"), other])


def test_a_node_is_its_host_by_name_or_by_its_only_short_name():
    hosts = {"cmp1.a.example": 1, "cmp1.b.example": 2, "cmp2.a.example": 3, "cmp3": 4}
    assert match_host("cmp1.a.example", hosts) == 1
    assert match_host("cmp2", hosts) == 3
    assert match_host("cmp3.c.example", hosts) == 4
    assert match_host("cmp1", hosts) is None
    assert match_host("cmp", hosts) is None


@pytest.mark.parametrize(
    ("pillar", "stages"),
    [
        ({}, {"services", "system"}),
        ({"ovs": {"reload": True}}, {"services", "ovs", "system"}),
        ({"policies": {"compute": {"drain_before": ["system"]}}}, {"system"}),
        ({"policies": {"compute": {"drain_before": []}}}, set()),
    ],
)
def test_nodes_are_drained_before_the_stages_that_disturb(pillar, stages):
    assert live_migrate.LiveMigrate(Model.model_validate(pillar)).stages == stages


def test_gateways_are_let_alone_where_opencontrail_is_declared():
    assert move_routers.MoveRouters(Model(opencontrail=True)).stages == frozenset()
    assert move_routers.MoveRouters(Model()).stages


def test_policies_of_a_role_are_read_over_the_defaults():
    pillar = {"policies": {"compute": {"batch": 2, "unmovable": "skip", "migrate_back": True}}}
    model = Model.model_validate(pillar)
    found = live_migrate.LiveMigrate(model).policy
    assert (found.unmovable, found.migrate_back, found.on_timeout) == ("skip", True, "abort")
    assert move_routers.MoveRouters(model).policy == GatewayPolicy()


@pytest.mark.parametrize(
    ("pillar", "enabled"),
    [
        ({}, False),
        ({"policies": {"compute": {"drain": "none"}}}, False),
        ({"policies": {"gateway": {"drain": "ovn_failover"}}}, False),
        ({"policies": {"compute": {"drain": "live_migrate"}}}, True),
        ({"policies": {"compute": {"drain": "live_migrate"}}, "verification": {"enabled": False}}, False),
        ({"verification": {"enabled": True}}, True),
    ],
)
def test_the_cloud_is_tried_out_where_its_api_is_spoken_to_anyway(pillar, enabled):
    assert Model.model_validate(pillar).verifies is enabled


def test_the_risks_of_a_name_that_is_neither_node_nor_role_are_refused():
    with pytest.raises(RolloutError) as error:
        risk_report.report(Model(), {"compute": ["cmp1"]}, "cmp9")
    assert error.value.reason == "NO_NODES"


def test_the_risks_of_own_roles_are_those_of_the_role_that_they_are_like(monkeypatch):
    def no_service(cloud, node):
        raise RolloutError("DRAIN_FAILED", f"{node} has no nova-compute")

    asked = []
    monkeypatch.setattr(
        risk_report, "Cloud", lambda name: type("", (), {"require_reachable": lambda _: None})()
    )
    monkeypatch.setattr(risk_report.nova, "service_of", no_service)
    monkeypatch.setattr(risk_report.neutron, "agents", lambda *about: [])
    monkeypatch.setattr(risk_report.neutron, "agent_of", lambda cloud, node, kind: asked.append(node))
    own = {"target": "x", "plane": "data_plane"}
    roles = {"edge": own | {"like": "compute"}, "network": own | {"like": "gateway"}, "monitoring": own}
    model = Model.model_validate({"roles": roles})
    nodes = {"edge": ["edge1"], "network": ["net1"], "monitoring": ["mon1"], "compute": ["cmp1"]}
    assert list(risk_report.of_nodes(model, nodes)["failures"]) == ["edge1", "cmp1"]
    assert asked == ["net1"]


def test_the_risk_table_has_a_line_for_each_server_router_and_risk():
    server = {"server": "web", "host": "cmp1", "status": "ACTIVE", "memory_mib": 64, "will": "stays"}
    router = {"router": "r1", "host": "gtw1", "ha": False, "will": "moves to gtw2"}
    text = tables.text(
        {
            "risks": "cmp1",
            "servers": [{**server, "risks": {"locked": "is locked"}}],
            "routers": [router],
            "failures": {"cmp2": "has no nova-compute"},
        }
    )
    assert "web     cmp1  ACTIVE  64 MiB  stays" in text
    assert "r1      gtw1  no  moves to gtw2" in text
    assert "web: locked: is locked" in text
    assert "cmp2: has no nova-compute" in text
    nothing = {"risks": "cmp1", "servers": [], "routers": [], "failures": {}}
    assert tables.text(nothing) == "nothing runs on cmp1"
