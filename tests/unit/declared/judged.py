"""A node, as the master judges it by what it tells: what the tests of that have in common."""

from __future__ import annotations

from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.facts import read
from tests.unit.cloud_pillar import NEW, facts_at, model, node, valid

COMPUTE = node("compute")


def told(version=NEW, where=COMPUTE, openstack=None, **changes):
    """What a node tells that is at a release; a test breaks it before it is read."""
    return facts_at(valid() if openstack is None else openstack, version, where, **changes)


def compared(facts, where=COMPUTE, openstack=None):
    return Comparison(model(openstack)).compare(read("node1", facts), where.roles, where.zone)


def deployed(facts, where=COMPUTE, openstack=None):
    return Comparison(model(openstack)).deployed(read("node1", facts), where)


HALF = {"doubles": {"openstack-selinux": ["1", "2"], "bash": ["5", "6"]}, "half": {"kernel-core": "5"}}


def about(found, name="nova_compute_init"):
    return [one for some in found.stages.values() for one in some if one.subject == name]


def found_cloud():
    """The valid pillar, every service found."""
    openstack = valid()
    openstack["service_defaults"]["definition"] = "found"
    return openstack
