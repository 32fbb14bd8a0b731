"""neutron.agents: also where the networks are not of Neutron's own agents, as with OpenContrail."""

from __future__ import annotations

from types import SimpleNamespace

import openstack.exceptions
import pytest

from openstack_rollout.cloud import agents, neutron


def row(binary, host="gtw1", **more):
    told = {"availability_zone": None, "configuration": None, "is_admin_state_up": True, "is_alive": True}
    told |= {"id": f"{binary}-{host}", "description": None, "last_heartbeat_at": "12:00:00"}
    return SimpleNamespace(binary=binary, host=host, **told | more)


class Cloud:
    """A Neutron that answers with rows, whatever it is asked for, or with an error."""

    def __init__(self, answer):
        def asked(binary):
            if isinstance(answer, Exception):
                raise answer
            return iter(answer)

        self.api = SimpleNamespace(network=SimpleNamespace(agents=asked))

    def retry(self, what, call):
        return call()

    allowed = retry

    def has_service(self, service):
        return True


def test_agents_of_other_names_are_none_of_those_asked_for():
    cloud = Cloud([row("contrail-vrouter-agent"), row(neutron.L3), row(None, None)])
    assert [one.id for one in neutron.agents(cloud, neutron.L3)] == ["neutron-l3-agent-gtw1"]
    assert neutron.agent_of(cloud, "gtw1", neutron.DHCP) is None
    assert agents.heartbeats(cloud, "gtw1", [neutron.DHCP]) == {neutron.DHCP: {}}


def test_a_neutron_that_knows_no_agents_has_none():
    cloud = Cloud(openstack.exceptions.NotFoundException("The resource could not be found", http_status=404))
    assert neutron.agents(cloud, neutron.L3) == []
    assert agents.heartbeats(cloud, "gtw1", [neutron.L3]) == {neutron.L3: {}}


def test_what_else_it_refuses_is_told():
    cloud = Cloud(openstack.exceptions.HttpException("Conflict", http_status=409))
    with pytest.raises(openstack.exceptions.HttpException):
        neutron.agents(cloud, neutron.L3)
