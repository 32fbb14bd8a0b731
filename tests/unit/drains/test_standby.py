"""The drain of controllers: whole clusters first, then standby, and back in every cluster."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Answer
from openstack_rollout.drains.standby import Standby, require_whole_clusters
from openstack_rollout.errors import RolloutError


class Record:
    def __init__(self):
        self.data, self.saved = {}, []

    def save(self):
        self.saved.append(dict(self.data))


class Nodes:
    """In place of SaltAsk: what was asked, and what controllers answer."""

    def __init__(self, **answers):
        self.asked = []
        self.answers = {
            "cluster_member.may_stop": Answer(["mariadb"]),
            "pacemaker.standby": Answer({"node": "ctl1", "was": False, "left": ["vip"]}),
            "pacemaker.unstandby": Answer({"node": "ctl1", "was": False}),
            "cluster_member.is_back": Answer(["mariadb"]),
        } | {name.replace("__", "."): answer for name, answer in answers.items()}

    def ask(self, nodes, function, keywords=None, timeout=15):
        self.asked.append(function)
        return dict.fromkeys(nodes, self.answers[function])


def standby(nodes):
    return Standby(Model(), "controller", ask=nodes)


def test_clusters_are_whole_before_a_node_goes_to_standby_and_are_whole_after_it_came_back():
    nodes, record = Nodes(), Record()
    assert standby(nodes).drain("ctl1", record) == "in standby; resources moved away: vip"
    assert record.saved == [{"standby": True}]
    assert standby(nodes).restore("ctl1", record) == "back in the clusters of mariadb"
    assert nodes.asked == [
        "cluster_member.may_stop", "pacemaker.standby", "pacemaker.unstandby", "cluster_member.is_back",
    ]  # fmt: skip


def test_a_drain_that_goes_on_does_not_ask_for_a_cluster_that_it_left():
    nodes, record = Nodes(cluster_member__may_stop=Answer(None, "ctl1", "QUORUM_AT_RISK")), Record()
    record.data["standby"] = True
    assert "in standby" in standby(nodes).drain("ctl1", record)


def test_a_cluster_that_is_not_whole_keeps_its_node():
    nodes, record = (
        Nodes(cluster_member__may_stop=Answer(None, "mariadb: ctl3 is away", "QUORUM_AT_RISK")),
        Record(),
    )
    for call in (
        lambda: standby(nodes).drain("ctl1", record),
        lambda: require_whole_clusters(nodes, ["ctl1", "ctl2"]),
    ):
        with pytest.raises(RolloutError, match=r"^QUORUM_AT_RISK: ctl1: mariadb: ctl3 is away"):
            call()
    assert record.saved == [] and set(nodes.asked) == {"cluster_member.may_stop"}


def test_an_operators_standby_is_left():
    was = {"node": "ctl1", "was": True, "left": []}
    nodes, record = Nodes(pacemaker__standby=Answer(was), pacemaker__unstandby=Answer(was)), Record()
    assert standby(nodes).drain("ctl1", record) == "left in standby: an operator had put it there"
    assert standby(nodes).restore("ctl1", record).endswith("; left in standby: an operator had put it there")


def test_a_resource_that_stays_and_a_silent_node_have_their_words():
    stuck = Nodes(pacemaker__standby=Answer(None, "vip does not leave ctl1", "RESOURCE_STUCK"))
    with pytest.raises(RolloutError, match=r"^RESOURCE_STUCK: ctl1: vip does not leave"):
        standby(stuck).drain("ctl1", Record())
    silent = Nodes(cluster_member__may_stop=Answer(None, "no answer", "NODE_SILENT"))
    with pytest.raises(RolloutError, match=r"^NODE_SILENT: ctl1"):
        standby(silent).drain("ctl1", Record())


def test_an_error_without_a_reason_of_its_own_has_the_drains():
    nodes = Nodes(pacemaker__standby=Answer(None, "RESOURCE_STUCK: is a word in a text, and no reason"))
    with pytest.raises(RolloutError, match=r"^DRAIN_FAILED: ctl1: RESOURCE_STUCK: is a word"):
        standby(nodes).drain("ctl1", Record())


def test_never_two_at_once_and_nothing_of_what_was_not_done():
    assert standby(Nodes()).capacity(["ctl1", "ctl2"]) == 1
    nodes = Nodes()
    assert standby(nodes).restore("ctl1", Record()) == "nothing to restore" and nodes.asked == []
