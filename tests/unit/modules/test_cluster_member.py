"""cluster_member: a node's clusters together, before it is taken and after it came back."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load
from tests.unit.modules.guards import impatient

GUARDED = {"rabbitmq": "rabbitmq_cluster", "mariadb": "galera", "keystone": "pacemaker"}


class Node:
    """A controller's guards: what each says of its cluster, and what was asked."""

    def __init__(self):
        self.asked, self.risks, self.lacks = [], {}, {"mariadb": [], "rabbitmq": []}
        self.pacemaker = {"lacks": []}
        self.refuses = set()
        self.begun, self.undone, self.stopped, self.applies = set(), [], set(), False
        self.marks, self.looks = {}, 0

    def may_stop(self, container, patience):
        self.asked.append((container, patience))
        if container in self.risks:
            raise NodeError("QUORUM_AT_RISK", self.risks[container])
        if container == "pacemaker":
            return self.pacemaker
        return None if self.lacks[container] is None else {"whole": True}

    def progress(self, container):
        marks = self.marks.get(container)
        return marks and {"what": "it is fed", "mark": [marks.pop(0)], "copies": True}

    def status(self, container):
        self.looks += 1
        lacks = self.lacks[container]
        if isinstance(lacks, str):
            raise CommandExecutionError(lacks)
        return None if lacks is None else {"lacks": lacks}

    def pending(self, container):
        return {"begun": 1} if container in self.begun else None

    def undo(self, container, token):
        self.undone.append((container, token))
        self.begun.discard(container)
        self.risks.pop(container, None)

    def before_stop(self, container):
        self.begun.add(container)
        if container in self.refuses:
            raise NodeError("QUORUM_AT_RISK", f"{container} cannot be drained")

    def module(self):
        functions = {f"{guard}.{name}": getattr(self, name)
                     for guard in ("galera", "rabbitmq_cluster", "pacemaker")
                     for name in ("may_stop", "status", "pending", "undo", "before_stop",
                                  "progress")}  # fmt: skip
        functions |= {
            "openstack_node.guarded": lambda: GUARDED,
            "saltutil.is_running": lambda pattern: [{"fun": "state.sls"}] if self.applies else [],
            "podman.containers": dict,
            "podman.process": lambda name: name not in self.stopped,
            "pacemaker.status": lambda: self.pacemaker,
        }
        found = load("modules", "cluster_member", salt=functions, grains={"id": "ctl1"})
        found.waiting = impatient()
        return found


def test_every_cluster_is_asked_and_what_is_none_is_not():
    node = Node()
    assert node.module().may_stop(5) == ["rabbitmq", "mariadb", "pacemaker"]
    assert node.asked == [("rabbitmq", 5), ("mariadb", 5), ("pacemaker", 5)]


def test_one_cluster_that_is_not_whole_keeps_the_node():
    node = Node()
    node.risks["mariadb"] = "10.88.0.13 does not answer"
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: 10\.88\.0\.13 does not answer"):
        node.module().may_stop(0)


def test_a_pacemaker_that_is_not_whole_keeps_the_node_and_none_does_not():
    node = Node()
    node.risks["pacemaker"] = "Pacemaker: node ctl3 is offline"
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: Pacemaker: node ctl3 is offline"):
        node.module().may_stop(0)
    node.risks, node.pacemaker = {}, None
    assert node.module().may_stop(0) == ["rabbitmq", "mariadb"]


def test_what_a_change_that_died_has_left_is_put_right_first():
    node = Node()
    node.begun, node.risks["mariadb"] = {"mariadb", "keystone"}, "10.88.0.11: it is Donor/Desynced"
    assert node.module().may_stop(0) == ["rabbitmq", "mariadb", "pacemaker"]
    assert node.undone == [("mariadb", None), ("keystone", None)]


def test_clients_leave_a_node_that_goes_down_and_may_come_back_with_it():
    node = Node()
    node.module().may_stop(0, leave=True)
    assert node.begun == {"rabbitmq", "mariadb"} and node.undone == []
    node.module().is_back(30)
    assert node.begun == set()


def test_clients_that_cannot_leave_one_member_stay_with_all():
    node = Node()
    node.refuses = {"mariadb"}
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: mariadb cannot be drained"):
        node.module().may_stop(0, leave=True)
    assert node.begun == set() and dict(node.undone) == {"rabbitmq": None, "mariadb": None}


def test_a_change_that_is_under_way_is_left_alone_and_so_is_a_container_that_is_stopped():
    node = Node()
    node.begun, node.applies = {"mariadb"}, True
    assert node.module().put_right() == []
    node.applies, node.stopped = False, {"mariadb"}
    assert node.module().put_right() == [] and node.undone == [] and node.begun == {"mariadb"}


@pytest.mark.parametrize("lacks", [["ctl1: it is Joining, not Synced"], "mariadb cannot be asked"])
def test_a_node_is_back_only_in_all_of_its_clusters(lacks):
    node = Node()
    node.lacks["mariadb"] = lacks
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_NOT_RESTORED: ctl1 is not back .*mariadb: "):
        node.module().is_back(30)
    node.lacks |= {"mariadb": [], "rabbitmq": None}
    assert node.module().is_back(30) == ["rabbitmq", "mariadb", "pacemaker"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pacemaker": {"lacks": ["node ctl1 is offline"]}}, "pacemaker: node ctl1 is offline"),
        ({"pacemaker": None}, "pacemaker: is no member of a cluster any more"),
        ({"lacks": {"mariadb": None}}, "mariadb: is no member of a cluster any more"),
    ],
)
def test_a_node_that_was_a_member_is_back_when_it_is_one_again(change, told):
    node = Node()
    members = ["mariadb", "pacemaker"]
    assert node.module().is_back(30, members) == members
    for name, value in change.items():
        setattr(node, name, value)
    with pytest.raises(CommandExecutionError, match=rf"^QUORUM_NOT_RESTORED: ctl1 is not back .*: {told}$"):
        node.module().is_back(30, members)


def test_what_was_no_cluster_before_is_not_waited_for():
    node = Node()
    node.lacks["rabbitmq"] = node.pacemaker = None
    assert node.module().may_stop(0) == ["mariadb"]
    node.lacks["rabbitmq"] = "it cannot be asked"
    assert node.module().is_back(30, ["mariadb"]) == ["mariadb"]


def test_members_that_move_are_waited_for_and_one_that_copies_is_named():
    node = Node()
    node.lacks["mariadb"] = "its database does not answer"
    node.marks = {"mariadb": [*range(1, 9), *[8] * 99]}
    with pytest.raises(NodeError) as stalled:
        node.module().is_back(20, ["mariadb", "rabbitmq"])
    assert stalled.value.reason == "COPY_STALLED" and node.looks > 2 * 40
    node.looks, node.marks = 0, {}
    with pytest.raises(NodeError) as broken:
        node.module().is_back(20, ["mariadb", "rabbitmq"])
    assert broken.value.reason == "QUORUM_NOT_RESTORED" and node.looks <= 2 * 20
