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
