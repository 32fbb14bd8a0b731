"""Kinds of drain, and the record of what was taken away."""

import pytest

from openstack_rollout import drain
from openstack_rollout.catalog import ROLES
from openstack_rollout.drain import Drains, NodeRecord
from openstack_rollout.errors import RolloutError
from openstack_rollout.journal import Journal
from tests.unit.simulated_fleet import MemoryStore

PLACE = {"node": "cmp1", "role": "compute", "kind": "sample", "run": "r1", "stage": "ovs"}


class Sample:
    stages = frozenset({"ovs"})

    def __init__(self, openstack, role, opts):
        self.made_of = openstack, role, opts


def journal():
    return Journal(MemoryStore(), lambda: 7.0)


def test_a_role_is_drained_before_the_stages_of_its_kind_only():
    openstack = {"policies": {"compute": {"drain": "sample"}, "gateway": {"batch": 1}}}
    drains = Drains(openstack, {"user": "salt"}, {"sample": Sample})
    made = drains.before("ovs", "compute")
    assert made.made_of == (openstack, "compute", {"user": "salt"})
    assert drains.before("ovs", "compute") is made
    assert drains.before("services", "compute") is None
    assert drains.before("ovs", "gateway") is None and drains.before("ovs", "storage") is None


def test_a_kind_that_is_gone_is_refused_by_its_key():
    with pytest.raises(RolloutError, match="openstack:policies:compute:drain: sample"):
        Drains({}).make("sample", "compute")


def test_every_kind_is_some_roles_word():
    words = {word for role in ROLES for word in drain.words(role)}
    assert words == {"none", *drain.KINDS}


def test_a_record_survives_and_goes_on():
    book = journal()
    first = NodeRecord.begin(book, PLACE, lambda: 10.0)
    first.data["servers"] = ["a"]
    first.save()
    again = NodeRecord.begin(book, {**PLACE, "run": "r2"}, lambda: 20.0)
    assert again.data == {"servers": ["a"]}
    assert (again.entry["run"], again.entry["since"], again.entry["updated"]) == ("r1", 10.0, 20.0)
    again.data = {}
    again.note("drained", "nothing left")
    assert book.all_drained()["cmp1"]["state"] == "drained" and book.drained("cmp1")["data"] == {}
    again.close()
    assert NodeRecord.of(book, "cmp1") is None and book.all_drained() == {}
