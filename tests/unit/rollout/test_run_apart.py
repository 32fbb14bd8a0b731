"""Nodes whose workloads belong together are never in flight at once: in the plan, and as it is in mid-run."""

import pytest

from openstack_rollout.drains.contract import KeepsApart
from openstack_rollout.drains.several import SeveralDrains
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import dry_run
from openstack_rollout.rollout.drain_steps import LiveApart
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, SimulatedDrain, refusal


class Grouped(SimulatedDrain):
    """Workloads that belong to groups. groups: node -> those of its workloads."""

    def __init__(self, cloud, groups):
        super().__init__(cloud)
        self.groups = groups
        self.unknown = None
        self.asked = []

    def capacity(self, nodes):
        self.asked.append(set(nodes))
        return super().capacity(nodes)

    def apart(self, nodes):
        if self.unknown:
            raise self.unknown
        return {node: frozenset(self.groups.get(node, ())) for node in nodes}


@pytest.fixture
def cloud():
    cloud = Cloud(controller=1, gateway=1, compute=4)
    cloud.policy("compute", drain=DRAIN, batch=4)
    return cloud


def master(cloud, folder, groups):
    made = Master(cloud, folder)
    made.drain = Grouped(cloud, groups)
    return made


def flights(cloud, stage="ovs"):
    return {
        frozenset(data["in_flight"])
        for data in cloud.flown()
        if data.get("stage") == stage and data.get("role") == "compute" and "in_flight" in data
    }


def test_members_of_a_group_go_one_after_the_other(cloud, tmp_path):
    one = master(cloud, tmp_path, {"compute1": ["g"], "compute2": ["g"], "compute4": ["h"]})
    data = dry_run.dry_run(cloud.model, one.ports(), lambda nodes, stage: {})
    stage = next(found for found in data["stages"] if found["stage"] == "ovs")
    computes = next(role for role in stage["rounds"][0]["roles"] if role["role"] == "compute")
    waves = [[node["id"] for node in wave["nodes"]] for wave in computes["waves"]]
    assert waves == [["compute1", "compute3", "compute4"], ["compute2"]]
    assert one.update()["state"] == "completed"
    assert max(map(len, flights(cloud))) == 3
    assert not any({"compute1", "compute2"} <= some for some in [*flights(cloud), *one.drain.asked])
    assert any({"compute1", "compute2"} <= some for some in flights(cloud, "services"))  # not drained there


def test_what_moves_in_mid_run_counts_where_it_is_then(cloud, tmp_path):
    """A workload that left compute1 for compute3 keeps compute3 back as long as it may still come home."""
    cloud.policy("compute", drain=DRAIN, batch=2)
    groups = {"compute1": ["g"]}
    one = master(cloud, tmp_path, groups)

    def moves(step, node):
        if (step, node) == ("drain", "compute1"):
            groups.pop("compute1", None)
            groups["compute3"] = ["g"]

    one.drain.pause = moves
    assert one.update()["state"] == "completed"
    assert not any({"compute1", "compute3"} <= some for some in flights(cloud))


def test_what_moves_is_seen_as_soon_when_the_clock_is_set_meanwhile(tmp_path):
    cloud = Cloud(controller=1, gateway=1, compute=2)
    cloud.policy("compute", drain=DRAIN, batch=2)
    groups = {"compute1": ["g"], "compute2": ["g"]}
    one = master(cloud, tmp_path, groups)

    def moves():
        if "compute1" in cloud.statuses("drain", stage="ovs"):
            cloud.stepped = -3600
            groups.pop("compute2", None)

    one.before_poll = moves
    assert one.update()["state"] == "completed"
    assert frozenset({"compute1", "compute2"}) in flights(cloud)


def test_what_a_node_had_when_it_started_counts_until_it_is_back():
    class Telling:
        told = {"a": {"g"}, "b": set(), "c": {"g"}}  # noqa: RUF012

        def apart(self, nodes):
            return {node: frozenset(self.told[node]) for node in nodes}

    now = [0.0]
    drain = Telling()
    live = LiveApart([drain], lambda: now[0])
    assert live([], ["a", "b", "c"])["a"] == {"g"}
    drain.told = {"a": set(), "b": {"h"}, "c": {"g"}}
    now[0] = 60.0
    assert live(["a"], ["b", "c"]) == {"a": {"g"}, "b": {"h"}, "c": {"g"}}
    assert live([], ["b", "c"]) == {"b": {"h"}, "c": {"g"}}


def test_what_cannot_be_found_out_starts_no_node(cloud, tmp_path):
    one = master(cloud, tmp_path, {})
    one.drain.unknown = RolloutError("API_UNREACHABLE", "the cloud is away")
    assert refusal(one.update).reason == "API_UNREACHABLE"
    assert [entry for entry in one.drain.log if entry[0] == "drain"] == []
    one.drain.unknown = None
    assert one.update()["state"] == "completed"


def test_a_node_of_several_roles_has_what_all_of_its_drains_tell(cloud):
    plain, first = SimulatedDrain(cloud), Grouped(cloud, {"compute1": ["g"]})
    both = SeveralDrains({"x": plain, "y": first, "z": Grouped(cloud, {"compute1": ["h"]})})
    assert isinstance(both, KeepsApart) and not isinstance(plain, KeepsApart)
    assert both.apart(["compute1", "compute2"]) == {"compute1": {"g", "h"}, "compute2": frozenset()}
