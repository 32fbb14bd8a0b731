"""Kinds of drain, and the record of what was taken away from a node."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from openstack_rollout import drains as package
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import NO_DRAIN
from openstack_rollout.drains.kinds import Drains, find
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import DrainRecord, DrainState, OpenDrain
from openstack_rollout.records.journal import Journal
from openstack_rollout.vocabulary import ROLES
from tests.unit.simulated_fleet import MemoryStore

PLACE = DrainRecord(node="cmp1", role="compute", kind="live_migrate", run="r1", stage="ovs")


class Sample:
    stages = frozenset({"ovs"})

    def __init__(self, model, role, opts):
        self.made_of = model, role, opts


def journal():
    return Journal(MemoryStore(), lambda: 7.0)


def test_a_role_is_drained_before_the_stages_of_its_kind_only():
    policies = {"compute": {"drain": "live_migrate"}, "gateway": {"batch": 1}}
    model = Model.model_validate({"policies": policies})
    drains = Drains(model, {"user": "salt"}, {"live_migrate": Sample})
    made = drains.before("ovs", "compute")
    assert made.made_of == (model, "compute", {"user": "salt"})
    assert drains.before("ovs", "compute") is made
    assert drains.before("services", "compute") is None
    assert drains.before("ovs", "gateway") is None and drains.before("ovs", "storage") is None


def test_what_drains_a_node_of_several_roles():
    policies = {role: {"drain": "live_migrate"} for role in ("compute", "edge")} | {
        "controller": {"drain": "standby"}
    }
    roles = {"edge": {"target": "x", "plane": "data_plane", "like": "compute"}}
    model = Model.model_validate({"policies": policies, "roles": roles})
    drains = Drains(model, None, {"live_migrate": Sample, "standby": Sample})
    assert drains.of_node(["compute", "edge"], "ovs") == ("live_migrate", "compute")
    assert drains.of_node(["controller", "edge"], "ovs") == ("standby+live_migrate", "controller+edge")
    assert drains.of_node(["controller", "edge"], "ovn") == ("none", "")
    assert drains.of_node(["gateway", "storage"]) == ("none", "")
    made = drains.make("standby+live_migrate", "controller+edge")
    assert made.stages == {"ovs"}


def test_whether_a_drain_left_nothing_on_a_node():
    policies = {"compute": {"drain": "live_migrate"}}
    drains = Drains(Model.model_validate({"policies": policies}), None)
    assert drains.covers("live_migrate", ["compute"]) and drains.covers(
        "live_migrate", ["compute", "storage"]
    )
    assert not drains.covers("live_migrate", ["gateway", "compute"])
    assert drains.covers("an_earlier_kind", ["compute"])  # the record's is what counts, as ever


def test_a_kind_that_is_gone_is_refused_by_its_key():
    with pytest.raises(RolloutError, match="openstack:policies:compute:drain: sample"):
        Drains(Model(), None).make("sample", "compute")


def test_every_kind_is_what_some_roles_policy_may_say_and_the_other_way_round():
    policies = (Model().policies.of(role) for role in ROLES)
    words = [get_args(type(policy).model_fields["drain"].annotation) for policy in policies]
    files = (Path(place).stem for place in Path(package.__path__[0]).glob("*.py"))
    assert {word for role in words for word in role} == {NO_DRAIN, *filter(find, files)}
    assert all(NO_DRAIN in role for role in words)


def test_a_record_survives_and_goes_on():
    book = journal()
    first = OpenDrain.begin(book, PLACE, lambda: 10.0)
    first.data["servers"] = ["a"]
    first.save()
    again = OpenDrain.begin(book, replace(PLACE, run="r2"), lambda: 20.0)
    assert again.data == {"servers": ["a"]}
    assert (again.record.run, again.record.since, again.record.updated) == ("r1", 10.0, 20.0)
    again.data = {}
    again.note(DrainState.DRAINED, "no server runs on it")
    assert book.all_drained()["cmp1"].state == DrainState.DRAINED and book.drained("cmp1").data == {}
    again.close()
    assert OpenDrain.of(book, "cmp1") is None and book.all_drained() == {}
