"""No router is left without an agent, whoever dies or refuses, and whatever an operator does meanwhile.

Neutron is simulated: it is brought into states that a real one cannot be brought into at will. The same code
runs on a real one in the lab.
"""

import copy
import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.neutron import DHCP, L3, Agent, Router
from openstack_rollout.declared.model import Model
from openstack_rollout.drains import agents, dhcp, ha_routers, routers
from openstack_rollout.drains.agents import MARK
from openstack_rollout.drains.move_routers import MoveRouters
from openstack_rollout.errors import RolloutError
from tests.unit.clocks import time_with

from .conftest import Record


class Refused(Exception):
    status_code = 409


class Dead(BaseException):
    """What ends a master."""


class Neutron:
    """agents by id, routers by agent, networks by agent."""

    def __init__(self, monkeypatch):
        beats = itertools.count()
        self.agents = {}
        for host in ("gtw1", "gtw2", "gtw3"):
            for binary, kind in ((L3, "l3"), (DHCP, "dhcp")):
                agent = Agent(f"{kind}-{host}", host, binary, "az1", "legacy", True, True, "", "")
                self.agents[agent.id] = agent
        self.routers = {name: Router(name, name, False, False, True) for name in ("r1", "r2")}
        self.on = {"l3-gtw1": ["r1", "r2"], "l3-gtw2": [], "l3-gtw3": []}
        self.networks = {"dhcp-gtw1": ["n1"], "dhcp-gtw2": [], "dhcp-gtw3": []}
        self.refuses = set()  # agents that take no router
        self.down = set()  # agents on which no port becomes ACTIVE
        self.dies_after = None
        self.fails_over = True
        self.active = {}  # router with HA -> the agents on which it is active
        calls = {
            "agents": lambda cloud, binary: [
                replace(one, heartbeat=str(next(beats)))
                for one in self.agents.values()
                if one.binary == binary
            ],
            "set_agent": lambda cloud, agent, up, description: self.set_agent(agent.id, up, description),
            "routers_on": lambda cloud, agent: [self.routers[name] for name in self.on[agent]],
            "agents_hosting": lambda cloud, router: self.hosting(router),
            "move_router": lambda cloud, source, target, router: self.move(source, target, router),
            "schedule_router": lambda cloud, agent, router: self.schedule(agent, router),
            "ports_of": lambda cloud, routers: {router: self.ports(router) for router in routers},
            "networks_on": lambda cloud, agent: {name: (name, ()) for name in self.networks[agent]},
            "agents_serving": lambda cloud, network: [
                self.agents[agent] for agent, names in self.networks.items() if network in names
            ],
            "add_network": lambda cloud, agent, network: self.networks[agent].append(network),
            "remove_network": lambda cloud, agent, network: self.networks[agent].remove(network),
            "dhcp_ports": lambda cloud, network: [
                SimpleNamespace(binding_host_id=self.agents[agent].host, status="ACTIVE")
                for agent, names in self.networks.items()
                if network in names
            ],
        }
        for name, call in calls.items():
            monkeypatch.setattr(neutron, name, call)
        monkeypatch.setattr("openstack_rollout.cloud.api.Cloud.require_reachable", lambda cloud: None)
        seconds = itertools.count()
        clock = time_with(monotonic=lambda: next(seconds) * 20, sleep=lambda _: None)
        for module in (agents, ha_routers, routers, dhcp):
            monkeypatch.setattr(module, "time", clock)

    def set_agent(self, agent, up, description):
        self.agents[agent] = replace(self.agents[agent], admin_up=up, description=description)
        for router, active in self.active.items():
            standbys = [one for one, names in self.on.items() if router in names and one != agent]
            if not up and self.fails_over and agent in active and standbys:
                self.active[router] = [standbys[0]]

    def hosting(self, router):
        found = [self.agents[agent] for agent, names in self.on.items() if router in names]
        active = self.active.get(router)
        return [(one, "" if active is None else "active" if one.id in active else "standby") for one in found]

    def move(self, source, target, router):
        self.unschedule(source, router)
        self.schedule(target, router)

    def unschedule(self, agent, router):
        self.on[agent].remove(router)
        self.die("unscheduled")

    def schedule(self, agent, router):
        if agent in self.refuses:
            raise Refused(f"{agent} does not take it")
        assert not any(router in names for names in self.on.values()), "a router on two agents"
        self.on[agent].append(router)
        self.die("scheduled")

    def ports(self, router):
        agents = [one.id for one, _ in self.hosting(router)]
        status = "DOWN" if not agents or agents[0] in self.down else "ACTIVE"
        host = self.agents[agents[0]].host if agents else ""
        return [SimpleNamespace(id=f"port-{router}", status=status, binding_host_id=host)]

    def die(self, moment):
        if self.dies_after == moment:
            self.dies_after = None
            raise Dead


@pytest.fixture
def cloud(monkeypatch):
    return Neutron(monkeypatch)


def drains(**policy):
    return MoveRouters(Model.model_validate({"policies": {"gateway": policy}}))


def test_routers_and_networks_leave_spread_and_come_back(cloud, record):
    drain = drains()
    assert drain.drain("gtw1", record) == "2 routers moved, 1 DHCP networks moved"
    assert cloud.on == {"l3-gtw1": [], "l3-gtw2": ["r1"], "l3-gtw3": ["r2"]}
    assert cloud.networks["dhcp-gtw1"] == []
    for agent in ("l3-gtw1", "dhcp-gtw1"):
        assert (cloud.agents[agent].admin_up, cloud.agents[agent].description) == (False, MARK)
    assert drain.drain("gtw1", record) == "2 routers moved, 0 DHCP networks moved"
    assert drain.restore("gtw1", record) == "2 routers are back, 1 DHCP networks are back"
    assert cloud.on == {"l3-gtw1": ["r1", "r2"], "l3-gtw2": [], "l3-gtw3": []}
    assert cloud.networks["dhcp-gtw1"] == ["n1"]
    assert (cloud.agents["l3-gtw1"].admin_up, cloud.agents["l3-gtw1"].description) == (True, "")


@pytest.mark.parametrize("moment", ["unscheduled", "scheduled"])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_master_that_dies_between_two_requests_leaves_no_router_unscheduled(cloud, record, moment, goes_on):
    cloud.dies_after = moment
    with pytest.raises(Dead):
        drains(routers_at_once=1).drain("gtw1", record)
    record.data = copy.deepcopy(record.saved)
    if goes_on:
        assert drains().drain("gtw1", record).startswith("2 routers moved")
        assert cloud.on["l3-gtw1"] == []
    drains().restore("gtw1", record)
    assert sorted(cloud.on["l3-gtw1"]) == ["r1", "r2"]


@pytest.mark.parametrize("moment", ["unscheduled", "scheduled"])
def test_nor_does_one_that_dies_on_the_way_back(cloud, record, moment):
    drains().drain("gtw1", record)
    cloud.dies_after = moment
    with pytest.raises(Dead):
        drains().restore("gtw1", record)
    record.data = copy.deepcopy(record.saved)
    drains().restore("gtw1", record)
    assert sorted(cloud.on["l3-gtw1"]) == ["r1", "r2"]


def test_a_router_that_one_agent_refuses_goes_to_the_next(cloud, record):
    cloud.refuses = {"l3-gtw2"}
    drains().drain("gtw1", record)
    assert sorted(cloud.on["l3-gtw3"]) == ["r1", "r2"]


def test_a_router_that_all_refuse_goes_back_to_its_source(cloud, record):
    cloud.refuses = {"l3-gtw2", "l3-gtw3"}
    with pytest.raises(RolloutError) as error:
        drains().drain("gtw1", record)
    assert error.value.reason == "DRAIN_FAILED" and "r1" in error.value.message
    assert sorted(cloud.on["l3-gtw1"]) == ["r1", "r2"]


def test_a_router_that_does_not_become_active_goes_back_to_its_source(cloud, record):
    cloud.down = {"l3-gtw2"}
    with pytest.raises(RolloutError) as error:
        drains().drain("gtw1", record)
    assert "router r1: not active on gtw2" in error.value.message
    assert "r1" in cloud.on["l3-gtw1"] and cloud.on["l3-gtw2"] == []
    assert drains().restore("gtw1", record).startswith("1 routers are back")
    assert sorted(cloud.on["l3-gtw1"]) == ["r1", "r2"]


def test_what_did_not_work_before_is_not_waited_for(cloud, record):
    cloud.down = {"l3-gtw1", "l3-gtw2", "l3-gtw3"}
    assert drains().drain("gtw1", record).startswith("2 routers moved")


def test_a_router_that_an_operator_moved_stays_there(cloud, record):
    drains().drain("gtw1", record)
    cloud.on["l3-gtw2"].remove("r1")
    cloud.on["l3-gtw3"].append("r1")
    assert drains().restore("gtw1", record).startswith("1 routers are back")
    assert cloud.on == {"l3-gtw1": ["r2"], "l3-gtw2": [], "l3-gtw3": ["r1"]}


def test_an_agent_that_its_operator_had_set_down_stays_down_with_its_routers(cloud, record):
    cloud.set_agent("l3-gtw1", False, "cable")
    assert "left down" in drains().drain("gtw1", record)
    drains().restore("gtw1", record)
    assert (cloud.agents["l3-gtw1"].admin_up, cloud.agents["l3-gtw1"].description) == (False, "cable")
    assert cloud.on["l3-gtw1"] == ["r1", "r2"]


def test_an_agents_own_description_is_kept(cloud, record):
    cloud.set_agent("l3-gtw1", True, "rack 7")
    drains().drain("gtw1", record)
    drains().restore("gtw1", record)
    assert cloud.agents["l3-gtw1"].description == "rack 7"


@pytest.fixture
def with_ha(cloud):
    """r1 has HA, is active on gtw1 and standby on gtw2."""
    cloud.routers["r1"] = replace(cloud.routers["r1"], ha=True)
    cloud.on["l3-gtw2"].append("r1")
    cloud.active["r1"] = ["l3-gtw1"]
    return cloud


def refused(call, *arguments):
    with pytest.raises(RolloutError) as error:
        call(*arguments)
    return error.value


def test_a_router_with_ha_stays_and_has_to_be_active_elsewhere(with_ha, record):
    assert "1 with HA failed over" in drains().drain("gtw1", record)
    assert "r1" in with_ha.on["l3-gtw1"] and with_ha.active["r1"] == ["l3-gtw2"]
    drains().restore("gtw1", record)
    with_ha.active["r1"], with_ha.fails_over = ["l3-gtw1"], False
    assert "r1 (gtw1 away, gtw2 standby)" in refused(drains().drain, "gtw1", Record()).message


def test_a_router_with_ha_and_no_other_agent_stays_where_it_is(cloud, record):
    cloud.routers["r1"] = replace(cloud.routers["r1"], ha=True)
    assert "no other agent that is alive hosts it" in refused(drains().drain, "gtw1", record).message
    assert cloud.agents["l3-gtw1"].admin_up


@pytest.mark.parametrize("active", [[], ["l3-gtw1", "l3-gtw2"]])
def test_a_router_with_ha_that_is_not_active_exactly_once_stays_where_it_is(with_ha, record, active):
    with_ha.active["r1"] = active
    error = refused(drains().drain, "gtw1", record)
    assert error.reason == "DRAIN_FAILED" and "r1 (gtw1 " in error.message
    assert with_ha.agents["l3-gtw1"].admin_up and with_ha.on["l3-gtw1"] == ["r1", "r2"]


def test_a_router_with_ha_that_is_active_twice_afterwards_is_told(with_ha, record):
    drains().drain("gtw1", record)
    with_ha.active["r1"] = ["l3-gtw1", "l3-gtw2"]
    error = refused(drains().restore, "gtw1", record)
    assert error.reason == "RESTORE_FAILED" and "r1 (gtw1 active, gtw2 active)" in error.message


def test_a_router_with_ha_that_is_switched_off_holds_nothing_up(with_ha, record):
    with_ha.routers["r1"] = replace(with_ha.routers["r1"], enabled=False)
    with_ha.active["r1"] = []
    assert "HA" not in drains().drain("gtw1", record)
    drains().restore("gtw1", record)
    assert with_ha.agents["l3-gtw1"].admin_up


def test_gateways_without_a_spare_are_refused_and_one_stays_in_any_case(cloud):
    drain = drains()
    drain.refuse(["gtw1", "gtw2", "gtw3"])
    assert drain.capacity(["gtw1", "gtw2", "gtw3"]) == 2
    for host in ("gtw2", "gtw3"):
        cloud.set_agent(f"l3-{host}", False, "by its operator")
    with pytest.raises(RolloutError) as error:
        drain.refuse(["gtw1"])
    assert error.value.reason == "NO_SPARE"
    assert drain.capacity(["gtw1"]) == 0


def test_a_node_without_an_agent_is_named(cloud):
    with pytest.raises(RolloutError) as error:
        drains().refuse(["gtw9"])
    assert "gtw9" in error.value.message
