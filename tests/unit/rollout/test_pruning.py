"""What nodes are told to keep once an update is accepted: what runs, the way back, what is kept by name."""

from __future__ import annotations

import time

from openstack_rollout.declared.surplus import Pruned
from openstack_rollout.records.lock import me
from openstack_rollout.records.run_record import Called, Caller
from openstack_rollout.rollout import acceptance, history, pruning
from openstack_rollout.screens import history as screen
from openstack_rollout.screens import pruning as pruned_screen
from tests.unit.rolling_back import later
from tests.unit.simulated_fleet import Cloud, Master, digest, refusal

ALICE = Called(Caller("alice", "pts/1"), 5.0)


class Nodes:
    """Stands in for what nodes are asked; each answers as it was told to."""

    def __init__(self):
        self.asked = {}
        self.silent = set()

    def __call__(self, nodes, asked):
        self.asked |= dict.fromkeys(nodes, asked)
        silent = {node: ("NODE_SILENT", "no answer") for node in nodes if node in self.silent}
        told = {
            node: Pruned(schema=1, images=["old"], freed=2**20, left={"x": "a container is of it"})
            for node in nodes
            if node not in silent
        }
        return told, silent

    def keeps(self, node):
        """The versions of which a node keeps the image of the stage ovn."""
        kept = self.asked[node]["keep"]
        return {
            version
            for version in ("0.9.0", "1.0.0", "1.0.1", "1.0.2")
            if any(one.endswith(digest("ovn", version)) for one in kept)
        }


CLOUD = {"controller": 1, "compute": 2}


def update(master, cloud, version, **given):
    later(cloud)
    cloud.openstack["target_version"] = version
    master.update(**given)
    return master.run.id


def prune(master, nodes, test=False):
    return pruning.prune(master.ports(), nodes, test=test)


def test_nothing_is_removed_before_the_last_run_that_moved_nodes_is_accepted(master, cloud):
    nodes = Nodes()
    assert refusal(lambda: prune(master, nodes)).reason == "NO_RUN"
    first = update(master, cloud, "1.0.1")
    acceptance.accept(master.journal, None, ALICE)
    second = update(master, cloud, "1.0.2")
    for test in (True, False):
        error = refusal(lambda test=test: prune(master, nodes, test))
        assert error.reason == "NOT_ACCEPTED" and second in error.message and first not in error.message
    assert nodes.asked == {} and master.lock.holder() is None
    idle = update(master, cloud, "1.0.2")
    assert refusal(lambda: prune(master, nodes)).reason == "NOT_ACCEPTED", (
        "one that moves nothing changes nothing"
    )
    acceptance.accept(master.journal, idle, ALICE)
    assert prune(master, nodes)["run"] == second, "what is accepted later is so for what was before"


def test_a_node_keeps_what_it_runs_and_what_it_would_go_back_to(tmp_path):
    cloud = Cloud(controller=1, compute=1, storage=1)
    master = Master(cloud, tmp_path)
    update(master, cloud, "1.0.1")
    update(master, cloud, "1.0.2", limit="compute* or controller*")
    acceptance.accept(master.journal, None, ALICE)
    nodes = Nodes()
    told = prune(master, nodes)
    assert told["freed"] == 3 * 2**20 and told["kept"] == ["1.0.2"] and not told["untouched"]
    assert nodes.keeps("compute1") == nodes.keeps("controller1") == {"1.0.1", "1.0.2"}
    assert nodes.keeps("storage1") == {"1.0.0", "1.0.1", "1.0.2"}, "it was left out: its own way back counts"
    assert nodes.asked["compute1"]["packages"]["bash"] == ["1.0.1", "1.0.2"]
    assert "registry.example/ovn" in nodes.asked["compute1"]["known"]
    assert nodes.asked["compute1"]["test"] is False and master.lock.holder() is None


def test_releases_that_are_kept_by_name_and_the_next_one_stay(master, cloud):
    update(master, cloud, "1.0.1")
    update(master, cloud, "1.0.2")
    acceptance.accept(master.journal, None, ALICE)
    nodes = Nodes()
    prune(master, nodes, test=True)
    assert nodes.keeps("compute1") == {"1.0.1", "1.0.2"} and nodes.asked["compute1"]["test"] is True
    cloud.openstack["prune"] = {"keep": ["1.0.0"]}
    prune(master, nodes)
    assert nodes.keeps("compute1") == {"1.0.0", "1.0.1", "1.0.2"}


def test_images_of_a_release_that_is_no_longer_declared_are_the_releases_still(master, cloud):
    cloud.openstack["releases"]["1.0.0"]["images"]["ovn_image"] = (
        f"registry.example/old/ovn@{digest('ovn', '1.0.0')}"
    )
    update(master, cloud, "1.0.1")
    update(master, cloud, "1.0.2")
    del cloud.openstack["releases"]["1.0.0"]
    acceptance.accept(master.journal, None, ALICE)
    nodes = Nodes()
    prune(master, nodes)
    assert "registry.example/old/ovn" in nodes.asked["compute1"]["known"]
    assert nodes.keeps("compute1") == {"1.0.1", "1.0.2"}


def test_a_former_image_that_only_docker_calls_so_hinders_nothing(master, cloud):
    """Docker leaves out its own registry; such a name is of nobody's repository that a release could name."""
    run = update(master, cloud, "1.0.1")
    former = master.journal.way_back.former(run, "compute1")
    short = f"kolla/ovn@{digest('ovn', '1.0.0')}"
    former.images["ovn"] = short
    master.journal.way_back.forget(run)
    master.journal.way_back.save_formers(run, {"compute1": former}, [run])
    acceptance.accept(master.journal, None, ALICE)
    nodes = Nodes()
    assert not prune(master, nodes)["untouched"]
    assert short in nodes.asked["compute1"]["keep"]


def test_after_a_rollback_the_way_on_is_kept(master, cloud):
    update(master, cloud, "1.0.2")
    later(cloud)
    master.roll_back()
    assert refusal(lambda: prune(master, Nodes())).reason == "NOT_ACCEPTED"
    acceptance.accept(master.journal, None, ALICE)
    nodes = Nodes()
    prune(master, nodes)
    assert nodes.keeps("compute1") == {"1.0.0", "1.0.2"}


def test_where_nothing_is_known_of_the_way_back_the_release_before_is_kept(master, cloud):
    run = update(master, cloud, "1.0.1")
    update(master, cloud, "1.0.2")
    acceptance.accept(master.journal, None, ALICE)
    for one in (run, master.run.id):
        master.journal.way_back.forget(one)
    nodes = Nodes()
    prune(master, nodes)
    assert nodes.keeps("compute1") == {"1.0.1", "1.0.2"}


def test_a_node_between_releases_or_silent_is_left_alone_and_named(master, cloud):
    update(master, cloud, "1.0.1")
    acceptance.accept(master.journal, None, ALICE)
    cloud.nodes["compute1"].at["ovn"] = "1.0.0"
    cloud.nodes["compute2"].silent = True
    nodes = Nodes()
    told = prune(master, nodes)
    assert list(told["untouched"]) == ["compute1", "compute2"] and list(nodes.asked) == ["controller1"]
    assert "between releases" in told["untouched"]["compute1"]
    assert "NODE_SILENT" in told["untouched"]["compute2"]
    text = pruned_screen.text(told)
    assert (
        "controller1  1       0         1.0 MiB" in text and "compute2: nothing was done: NODE_SILENT" in text
    )
    assert "left alone: x: a container is of it (controller1)" in text


def test_a_node_that_falls_silent_meanwhile_is_named(master, cloud):
    update(master, cloud, "1.0.1")
    acceptance.accept(master.journal, None, ALICE)
    nodes = Nodes()
    nodes.silent = {"compute2"}
    told = prune(master, nodes)
    assert set(told["pruned_nodes"]) == {"controller1", "compute1"}
    assert told["untouched"] == {"compute2": "NODE_SILENT: no answer"}


def test_only_what_is_completed_can_be_accepted_and_twice_changes_nothing(master, cloud):
    assert refusal(lambda: acceptance.accept(master.journal, None, ALICE)).reason == "NO_RUN"
    cloud.nodes["compute2"].faults["services/apply"] = "SERVICE_FAILED"
    refusal(master.update)
    assert refusal(lambda: acceptance.accept(master.journal, None, ALICE)).reason == "RUN_UNFINISHED"
    assert refusal(lambda: prune(master, Nodes())).reason == "RUN_UNFINISHED"
    cloud.nodes["compute2"].faults.clear()
    master.update()
    told = acceptance.accept(master.journal, master.run.id, ALICE)
    assert told["approved"] == {"user": "alice", "terminal": "pts/1", "schedule": "", "at": 5.0}
    again = acceptance.accept(master.journal, None, Called(Caller("bob"), time.time()))
    assert again == told and master.run.approved == ALICE
    listed = history.history(master.journal)
    assert listed["history"][0]["approved"]["user"] == "alice" and "completed (accepted)" in screen.text(
        listed
    )
    assert refusal(lambda: acceptance.accept(master.journal, "nothing", ALICE)).reason == "NO_RUN"


def test_one_that_was_ended_cannot_be_accepted(master, cloud):
    run = master.journal.create("1.0.1", "orch.update", ["ovn"], me())
    run.state = type(run.state)("aborted")
    master.journal.save(run)
    assert refusal(lambda: acceptance.accept(master.journal, None, ALICE)).reason == "WRONG_ARGUMENT"


def test_a_journal_from_before_acceptance_is_read(master, cloud):
    update(master, cloud, "1.0.1")
    bank, key = "openstack/rollout/runs", master.run.id
    record = dict(master.store.fetch(bank, key))
    del record["approved"]
    master.store.store(bank, key, record)
    assert master.run.approved is None
    assert refusal(lambda: prune(master, Nodes())).reason == "NOT_ACCEPTED"


def test_old_runs_are_told_without_being_forgotten(master, cloud):
    first, second = update(master, cloud, "1.0.1"), update(master, cloud, "1.0.2")
    assert history.pruned(master.journal, 1, None, 0, test=True) == {"pruned": [first], "kept": 1}
    assert master.journal.run_ids() == [first, second]
