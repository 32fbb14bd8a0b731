"""workload.drain and workload.restore, as an operator calls them."""

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND
from openstack_rollout.rollout import by_hand
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, refusal


@pytest.fixture
def master(tmp_path):
    cloud = Cloud(controller=1, compute=3)
    cloud.policy("compute", drain=DRAIN)
    for node in cloud.nodes.values():
        node.at["services"] = cloud.target
    return Master(cloud, tmp_path)


def test_drained_until_restored(master):
    assert by_hand.drain(master.ports(), "compute2") == "2 moved"
    assert master.drain.lives["compute2"] == [] and master.journal.drained("compute2").run == BY_HAND
    assert by_hand.drain(master.ports(), "compute2") == "2 moved"
    assert by_hand.restore(master.ports(), "compute2") == "2 back"
    assert master.drain.lives["compute2"] == ["compute2-a", "compute2-b"]
    assert master.journal.all_drained() == {} and master.lock.holder() is None


def test_the_room_left_by_others_counts(master):
    master.drain.spare = 1
    by_hand.drain(master.ports(), "compute1")
    error = refusal(lambda: by_hand.drain(master.ports(), "compute2"))
    assert error.reason == "NO_SPARE" and "while compute1 is drained" in error.message
    assert master.drain.lives["compute2"] != [] and list(master.journal.all_drained()) == ["compute1"]


@pytest.mark.parametrize(
    ("act", "node", "reason"),
    [
        (by_hand.drain, "nothing9", "NO_NODES"),
        (by_hand.drain, "controller1", "INVALID_PILLAR"),
        (by_hand.restore, "compute3", "WRONG_ARGUMENT"),
    ],
)
def test_what_cannot_be_is_refused(master, act, node, reason):
    error = refusal(lambda: act(master.ports(), node))
    assert error.reason == reason and node in error.message
    assert master.drain.log == [] and master.lock.holder() is None


def test_a_refused_drain_touches_nothing(master):
    master.drain.unable = RolloutError("NO_SPARE", "no other compute is up")
    assert refusal(lambda: by_hand.drain(master.ports(), "compute1")).reason == "NO_SPARE"
    assert ("drain", "compute1") not in master.drain.log and master.journal.all_drained() == {}


def test_not_beside_a_run(master):
    master.lock.refuse_others = lambda: (_ for _ in ()).throw(RolloutError("RUN_IN_PROGRESS", "run r1"))
    assert refusal(lambda: by_hand.drain(master.ports(), "compute1")).reason == "RUN_IN_PROGRESS"
    assert master.drain.log == []
