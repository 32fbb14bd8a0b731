"""Nodes that serve data which no drain takes, by kind: refused, or one at a time whatever their batch."""

from __future__ import annotations

from openstack_rollout.rollout import dry_run
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import Cloud, Master, refusal

UNKNOWN = {"unknown_service": ["somedb of somedb.service on tcp 8086 with /var/lib/some/data.db"]}


class Serving(Cloud):
    """A cloud whose computes serve something. serves: node -> its kinds of data."""

    def __init__(self, serves, **policy):
        super().__init__(controller=1, compute=4)
        self.serves = serves
        self.policy("compute", batch=3, **policy)

    def facts_of(self, name):
        return super().facts_of(name) | {"stateful": self.serves.get(name, {})}


def together(cloud, stage):
    """The sets of nodes that were in flight together in a stage."""
    return {
        frozenset(data["in_flight"])
        for data in cloud.flown()
        if data.get("stage") == stage and data.get("role") == "compute" and "in_flight" in data
    }


def test_nodes_with_services_that_nobody_knows_go_one_at_a_time_and_it_is_told_why(tmp_path):
    cloud = Serving({"compute1": UNKNOWN, "compute2": UNKNOWN, "compute4": UNKNOWN})
    master = Master(cloud, tmp_path)
    text = tables.text(dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {}))
    system = text[text.index("\nsystem") :]
    assert "batch 3, one at a time of compute1, compute2, compute4 (unknown service)" in system
    assert "wave 1: compute1, compute3:" in system and "wave 2: compute2:" in system
    assert master.update()["state"] == "completed"
    serving = {"compute1", "compute2", "compute4"}
    assert max(len(serving & flying) for flying in together(cloud, "system")) == 1
    assert max(map(len, together(cloud, "system"))) == 2  # beside one that serves nothing
    assert max(map(len, together(cloud, "services"))) == 3  # nothing of it is disturbed there
    told = [data for tag, data in cloud.events if tag.endswith("/system/-/gate")]
    assert [(one["status"], one["reason"]) for one in told] == [("waiting", "NODE_OCCUPIED")]
    assert "compute1, compute2, compute4 go one at a time" in told[0]["message"]
    assert "somedb of somedb.service on tcp 8086 with /var/lib/some/data.db" in told[0]["message"]


def test_where_nodes_may_be_rebooted_they_are_refused_until_the_operator_accepts_it(tmp_path):
    cloud = Serving({"compute1": UNKNOWN, "compute2": UNKNOWN})
    cloud.openstack["system"] = {"reboot": "when_required"}
    error = refusal(Master(cloud, tmp_path).update)
    assert error.reason == "NODE_OCCUPIED" and "somedb" in error.message and cloud.applied == []
    accepted = Serving(cloud.serves, reboot_occupied=True)
    accepted.openstack["system"] = {"reboot": "when_required"}
    assert Master(accepted, tmp_path / "again").update()["state"] == "completed"
    assert not any({"compute1", "compute2"} <= flying for flying in together(accepted, "system"))


def test_one_node_of_a_kind_waits_for_none_and_a_batch_of_one_tells_nothing(tmp_path):
    cloud = Serving({"compute1": UNKNOWN, "compute2": {"nfs": ["nfsd"]}})
    assert Master(cloud, tmp_path).update()["state"] == "completed"
    assert max(map(len, together(cloud, "system"))) == 3
    single = Serving({"compute1": UNKNOWN, "compute2": UNKNOWN})
    single.policy("compute", batch=1)
    assert Master(single, tmp_path / "again").update()["state"] == "completed"
    assert [tag for tag, _ in (*cloud.events, *single.events) if tag.endswith("/gate")] == []
