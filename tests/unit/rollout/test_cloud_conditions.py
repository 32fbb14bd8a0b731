"""The conditions that OpenStack is asked about, before a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import preflight_command
from openstack_rollout.rollout.ports import Standing
from tests.unit.simulated_fleet import Cloud, Master, refusal


class Standings(Master):
    """A master that knows how services stand, and in which groups servers are."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.standing = []
        self.groups = {}
        self.asked = 0

    def ports(self):
        def ask(model, nodes):
            self.asked += 1
            return [one for one in self.standing if one.node in nodes]

        return replace(super().ports(), standing=ask, server_groups=lambda model, nodes: self.groups)


@pytest.fixture
def cloud():
    cloud = Cloud(controller=3, compute=4)
    cloud.policy("compute", drain="live_migrate", batch=2)
    return cloud


@pytest.fixture
def master(cloud, tmp_path):
    return Standings(cloud, tmp_path)


def found(master, name):
    one = preflight_command.report(master.ports())["conditions"][name]
    return one["verdict"], one["seen"][0] if one["seen"] else ""


def test_a_hypervisor_that_is_down_and_will_be_drained_refuses(master, cloud):
    master.standing = [Standing("compute2", "nova-compute", up=False, enabled=True)]
    assert found(master, "hypervisors") == ("refuse", "compute2: nova-compute is down")
    assert refusal(master.update).reason == "PREFLIGHT_REFUSED"
    cloud.policy("compute", drain="none")
    cloud.policy("gateway", drain="move_routers")  # somebody speaks to OpenStack
    assert found(master, "hypervisors") == ("warn", "compute2: nova-compute is down")


def test_one_that_the_run_itself_brought_down_does_not_keep_it_from_going_on(master, cloud):
    cloud.nodes["compute1"].faults["services/apply"] = "SERVICE_FAILED"
    refusal(master.update)
    master.standing = [Standing("compute1", "nova-compute", up=False, enabled=True)]
    assert found(master, "hypervisors")[0] == "warn"
    cloud.nodes["compute1"].faults.clear()
    assert master.update()["state"] == "completed"


def test_an_agent_that_is_down_is_warned_of(master):
    master.standing = [Standing("compute1", "neutron-openvswitch-agent", up=False, enabled=True)]
    assert found(master, "openstack_agents") == ("warn", "compute1: neutron-openvswitch-agent is down")


def test_what_an_operator_has_disabled_is_warned_of(master):
    master.standing = [Standing("compute1", "nova-compute", up=True, enabled=False, reason="bad disk")]
    assert found(master, "set_by_hand") == ("warn", "compute1: nova-compute is disabled (bad disk)")


def test_openstack_is_not_asked_where_no_drain_speaks_to_it(master, cloud):
    cloud.policy("compute", drain="none")
    preflight_command.report(master.ports())
    assert master.asked == 0


@pytest.mark.parametrize(("spare", "verdict"), [(0, "warn"), (1, "warn"), (2, "ok"), (99, "ok")])
def test_what_a_drain_can_spare_is_compared_with_what_goes_together(master, cloud, spare, verdict):
    master.drain.spare = spare
    said, line = found(master, "capacity")
    assert said == verdict
    if spare == 0:
        assert line.startswith("compute: no other node can take the workloads of compute1 now")
        assert refusal(master.update).reason == "NO_SPARE" and master.run.state == "paused"
    if spare == 1:
        assert line == "compute: 1 of 2 nodes that would go together can be spared now"


def test_a_drain_that_cannot_tell_what_it_can_spare_refuses(master):
    def fails(nodes):
        raise RolloutError("API_UNREACHABLE", "cloud openstack: compute services: no route")

    master.drain.capacity = fails
    assert found(master, "capacity")[0] == "refuse"


def test_an_api_that_does_not_answer_is_asked_once(master):
    def fails(model, nodes):
        master.asked += 1
        raise RolloutError("API_UNREACHABLE", "cloud openstack: compute services: no route")

    told = preflight_command.report(replace(master.ports(), standing=fails))["conditions"]
    assert (told["hypervisors"]["verdict"], master.asked) == ("refuse", 1)
    assert told["capacity"]["seen"] == ["is not looked at while hypervisors refuses"]
    assert told["set_by_hand"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("batch", "reboot", "verdict"), [(1, "always", "ok"), (2, "never", "warn"), (2, "always", "refuse")]
)
def test_hosts_of_one_server_group_that_would_go_together(master, cloud, batch, reboot, verdict):
    cloud.policy("compute", drain="none", batch=batch)
    cloud.openstack["verification"] = {"enabled": True}
    cloud.openstack["system"] = {"reboot": reboot}
    master.groups = {"compute1": {"db"}, "compute2": {"db"}, "compute3": {"web"}, "compute4": set()}
    said, line = found(master, "server_groups")
    assert said == verdict
    if verdict != "ok":
        assert line.endswith("compute1, compute2 go together, and have servers of the group db")
