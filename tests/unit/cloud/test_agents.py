"""agents: a heartbeat counts that is another one than was known before, whatever the clocks say."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from openstack_rollout.cloud import agents
from openstack_rollout.errors import RolloutError


class Cloud:
    """APIs that tell of agents: (binary, host) → what each look sees of it, the last one again and again."""

    def __init__(self, **seen):
        self.seen = {key: list(some) for key, some in seen.items()}
        self.looks, self.forced, self.lacks = 0, set(), set()
        told = {"compute": self.services, "block_storage": self.services, "network": self.agents}
        self.api = SimpleNamespace(
            **{name: SimpleNamespace(services=ask, agents=ask) for name, ask in told.items()}
        )

    def has_service(self, service):
        return service not in self.lacks

    def allowed(self, what, call):
        self.looks += 1
        return call()

    def _rows(self, binary):
        for key, some in self.seen.items():
            name, _, host = key.partition(" ")
            if name == binary:
                yield host, (some.pop(0) if len(some) > 1 else some[0])

    def services(self, binary):
        for host, (alive, at) in self._rows(binary):
            forced = {"is_forced_down": host in self.forced} if binary.startswith("nova-") else {}
            yield SimpleNamespace(host=host, state="up" if alive else "down", updated_at=at, **forced)

    def agents(self, binary):
        for host, (alive, at) in self._rows(binary):
            yield SimpleNamespace(binary=binary, host=host, is_alive=alive, last_heartbeat_at=at)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(agents.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(agents.time, "sleep", lambda seconds: None)


def wait(seen, *binaries, node="cmp1"):
    return agents.wait_until_renewed(Cloud(**seen), node, binaries, 20)


@pytest.mark.parametrize("binary", ["nova-compute", "neutron-l3-agent", "cinder-backup"])
def test_an_agent_has_to_tell_of_itself_after_the_question(binary):
    seen = {f"{binary} cmp1.example": [(True, "12:00:00"), (True, "12:00:00"), (True, "09:00:30")]}
    assert wait(seen, binary) == f"{binary}: alive"
    with pytest.raises(RolloutError, match=rf"cmp1: .*{binary} \(last at 12:00:00\)") as refused:
        wait({f"{binary} cmp1": [(True, "12:00:00")]}, binary)
    assert refused.value.reason == "SERVICE_FAILED" and refused.value.nodes == ("cmp1",)


def test_a_heartbeat_of_one_that_counts_as_dead_proves_nothing_yet():
    with pytest.raises(RolloutError):
        wait({"nova-compute cmp1": [(False, "1"), (False, "2")]}, "nova-compute")
    assert wait({"nova-compute cmp1": [(False, "1"), (False, "2"), (True, "3")]}, "nova-compute")


def test_one_that_was_forced_down_is_alive_while_it_tells_of_itself():
    cloud = Cloud(**{"nova-compute cmp1": [(False, "1"), (False, "2")]})
    cloud.forced = {"cmp1"}
    assert agents.wait_until_renewed(cloud, "cmp1", ["nova-compute"], 20) == "nova-compute: alive"


def test_a_user_who_may_not_ask_for_agents_is_named_by_the_pillars_key(answering_api, answering_cloud):
    answering_api.forbids = ("/os-services",)
    with pytest.raises(RolloutError, match="openstack:cloud: agents cinder-volume: test: ") as refused:
        agents.heartbeats(answering_cloud, "ctl1", ["cinder-volume"])
    assert refused.value.reason == "INVALID_PILLAR"


def test_agents_of_other_hosts_and_those_that_nobody_knows_are_not_waited_for():
    assert wait({"nova-compute cmp2": [(True, "1")]}, "nova-compute") == "OpenStack knows no agent of it"
    assert wait({}, "manila-share") == "OpenStack knows no agent of it"


def test_each_back_end_that_is_alive_has_to_come_back_and_one_that_was_given_up_does_not():
    gone = {"cinder-volume ctl1@old": [(False, "1")]}
    both = {
        "cinder-volume ctl1@a": [(True, "1"), (True, "2")],
        "cinder-volume ctl1@b": [(True, "1"), (True, "1"), (True, "2")],
    }
    assert wait(gone | both, "cinder-volume", node="ctl1") == "cinder-volume: alive"
    stuck = {"cinder-volume ctl1@b": [(True, "1")]}
    with pytest.raises(RolloutError):
        wait(gone | both | stuck, "cinder-volume", node="ctl1")
    with pytest.raises(RolloutError):
        wait(gone, "cinder-volume", node="ctl1")


def test_several_kinds_are_asked_together():
    seen = {
        "nova-compute cmp1": [(True, "1"), (True, "2")],
        "neutron-l3-agent cmp1": [(True, "1"), (True, "2")],
    }
    assert wait(seen, "nova-compute", "neutron-l3-agent") == "neutron-l3-agent, nova-compute: alive"


def test_a_service_that_the_catalogue_lacks_has_no_agents():
    """openstacksdk raises ServiceDisabledException where it is asked all the same."""
    cloud = Cloud(**{"cinder-volume cmp1": [(True, "12:00:00")]})
    cloud.lacks = {"block-storage"}
    cloud.api.block_storage = None
    assert agents.wait_until_renewed(cloud, "cmp1", ["cinder-volume"], 20) == "OpenStack knows no agent of it"
