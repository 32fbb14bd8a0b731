"""What serves data and no drain takes: refused before anything moves, or one of a kind at a time."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import KeepsApart
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
    assert occupancy.one_of_a_kind(members, found, "system", drains, list(nodes)) == {
        "nfs": ("sto1", "sto2"), "unknown_service": ("sto3", "sto4"),
    }  # fmt: skip
    assert occupancy.one_of_a_kind(members, found, "services", drains, list(nodes)) == {}


UNKNOWN = {"unknown_service": ["somedb of somedb.service on tcp 8086 with /var/lib/some/data.db"]}


def test_services_of_unknown_kinds_are_refused_and_are_of_one_kind_on_whatever_nodes():
    nodes = {"sto1": UNKNOWN, "sto2": {}, "sto3": {"nfs": ["nfsd"], "unknown_service": ["other"]}}
    with pytest.raises(RolloutError, match=r"unknown service \(somedb of somedb.service on tcp 8086"):
        refuse(*cloud({"sto1": UNKNOWN}))
    _, members, found, drains = cloud(nodes, {"reboot_occupied": True})
    kinds = occupancy.one_of_a_kind(members, found, "system", drains, list(nodes))
    assert kinds == {"unknown_service": ("sto1", "sto2", "sto3")}
    (why,) = occupancy.why_apart(kinds, found)
    assert why.reason == "NODE_OCCUPIED" and why.nodes == ("sto1", "sto2", "sto3")
    assert "go one at a time: sto1 has unknown service (somedb of somedb.service" in why.message
    nothing = {"sto1": {}, "sto2": {}}
    _, members, found, drains = cloud(nothing)
    (why,) = occupancy.why_apart({"unknown_service": ("sto1", "sto2")}, found)
    assert "nothing is found" in why.message


def test_nodes_that_serve_one_kind_have_it_in_common():
    keeping = occupancy.OneOfAKind({"nfs": ("sto1", "sto2"), "unknown_service": ("sto2", "sto3")})
    assert isinstance(keeping, KeepsApart)
    of = keeping.apart(["sto1", "sto2", "sto3", "sto4"])
    assert of["sto1"] & of["sto2"] and of["sto2"] & of["sto3"]
    assert not of["sto1"] & of["sto3"] and of["sto4"] == frozenset()
