"""What serves data and no drain takes: refused before anything moves, or one of a kind at a time."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import occupancy
from openstack_rollout.rollout.membership import Membership

OPEN = {"system": ["something"]}


class Drain:
    stages = frozenset({"system"})

    def __init__(self, *_):
        pass


def cloud(nodes, policy=None, reboot="when_required", stages=OPEN, roles=("storage",)):
    """nodes: node id → what serves data on it."""
    page = {
        "roles": dict.fromkeys(roles, "sto*"),
        "policies": {"storage": {"batch": 3} | (policy or {})},
        "system": {"reboot": reboot},
    }
    if "compute" in roles:
        page["policies"]["compute"] = {"drain": "live_migrate"}
    model = Model.model_validate(page)
    policies = {role: model.policies.of(role) for role in roles}
    members = Membership({role: list(nodes) for role in roles}, policies, None, {}, model.base)
    found = {
        node: Compared(node, tuple(roles), None, "", None, dict(stages), stateful=dict(one))
        for node, one in nodes.items()
    }
    kinds = {"ceph": Drain, "live_migrate": Drain}
    return model, members, found, Drains(model, None, kinds)


def refuse(model, members, found, drains):
    occupancy.refuse(model, members, found, ["ovn", "system"], drains)


CEPH = {"ceph": ["ceph-osd"]}
NODES = {"sto1": CEPH, "sto2": {"ceph": ["ceph-osd"], "nfs": ["nfsd"]}, "sto3": {}}


def test_what_no_drain_takes_is_refused_by_its_kind():
    with pytest.raises(RolloutError, match="ceph") as refused:
        refuse(*cloud(NODES))
    assert refused.value.reason == "NODE_OCCUPIED" and refused.value.nodes == ("sto1", "sto2")


def test_a_drain_takes_its_own_kind_and_no_other():
    with pytest.raises(RolloutError, match="nfs") as refused:
        refuse(*cloud(NODES, {"drain": "ceph"}))
    assert refused.value.nodes == ("sto2",)


def test_a_compute_with_osds_needs_the_drains_of_both_its_roles():
    both = ("compute", "storage")
    with pytest.raises(RolloutError, match=r"^NODE_OCCUPIED: sto1"):
        refuse(*cloud({"sto1": CEPH}, roles=both))
    refuse(*cloud({"sto1": CEPH}, {"drain": "ceph"}, roles=both))


@pytest.mark.parametrize(
    "made",
    [{"policy": {"reboot_occupied": True}}, {"reboot": "never"}, {"stages": {"system": []}}, {"stages": {}}],
)
def test_nothing_is_refused_that_is_accepted_or_does_not_go_down(made):
    refuse(*cloud(NODES, **made))


def test_of_one_kind_one_at_a_time_and_what_is_unknown_is_a_kind():
    nodes = {"sto1": {"nfs": ["nfsd"]}, "sto2": {"nfs": ["nfsd"]}, "sto3": {}, "sto4": {}, "sto5": CEPH}
    _, members, found, drains = cloud(nodes, {"drain": "ceph"})
    assert occupancy.one_of_a_kind(members, found, "system", drains, list(nodes)) == [
        {"sto1", "sto2"}, {"sto3", "sto4"},
    ]  # fmt: skip
    assert occupancy.one_of_a_kind(members, found, "services", drains, list(nodes)) == []
