"""Backups before a run: who keeps what, when, and what becomes of a run without one."""

from dataclasses import replace

import pytest

from openstack_rollout.declared.backup import BackedUp
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import backup
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.membership import Membership
from tests.unit.rolling_back import Killed, later
from tests.unit.simulated_fleet import Master, refusal

PART = {"file": "x", "bytes": 3, "sha256": "0", "how": "tar", "proven": "3 files", "encrypted": False}


class Keeper(Master):
    """A master whose nodes keep backups, and fail by name (faults). asked: (function, node, arguments)."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.asked, self.faults, self.keeps, self.taken_at = [], {}, {}, []
        self.before_answer, self.mute = lambda: None, None
        cloud.openstack["service_types"]["control_plane"]["guard"] = "galera"
        cloud.openstack["backup"] = {"before": True, "of": ["galera", "files"], "keep": 2}

    def ports(self):
        return replace(super().ports(), backups=self.backups)

    def backups(self, function, asked, within, halted):
        found = {}
        for node, arguments in asked.items():
            self.asked.append((function, node, arguments))
            self.taken_at += [self.cloud.now] if function == "take" else []
            if function == "take" and node not in self.faults:
                self.keeps.setdefault(node, {}).setdefault(arguments["name"], {}).update(
                    dict.fromkeys(arguments["of"], PART)
                )
            told = {"schema": 1, "backups": self.keeps.get(node, {}), "said": "done"}
            if arguments.get("force"):
                told["clients"] = ["10.0.0.21"]
            if node not in self.faults and (function, node) != self.mute:
                found[node] = BackedUp.model_validate(told)
        self.before_answer()
        return found, {node: why for node, why in self.faults.items() if node in asked}


CLOUD = {"controller": 2, "gateway": 1, "compute": 2}


@pytest.fixture
def master(cloud, tmp_path):
    return Keeper(cloud, tmp_path)


def taken(master):
    return {node: arguments["of"] for function, node, arguments in master.asked if function == "take"}


def test_it_is_off_by_default_and_nobody_is_asked(cloud, master):
    del cloud.openstack["backup"]
    assert master.update()["state"] == "completed"
    assert master.asked == [] and master.run.backup == {}


@pytest.mark.parametrize("prefetch", ["inside", "any_time"])
def test_what_is_written_until_the_window_opens_is_in_it(cloud, master, prefetch):
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00", "prefetch": prefetch}
    cloud.now = 12 * 3600.0
    assert refusal(master.update).reason == "WINDOW_CLOSED" and taken(master) == {}
    cloud.now = 26 * 3600.0
    assert master.update()["state"] == "completed" and len(master.journal.run_ids()) == 1
    assert taken(master)["controller1"] == ["galera", "files"] and taken(master).keys() == cloud.nodes.keys()
    first = min(data["at"] for _, data in cloud.events if data["step"] == "apply")
    assert all(26 * 3600 <= at <= first for at in master.taken_at)


def test_no_node_goes_without_one_where_the_window_opens_right_after_it_was_asked(cloud, master, monkeypatch):
    cloud.openstack["window"] = {"from": "02:00", "to": "04:00", "prefetch": "any_time"}
    cloud.now = 12 * 3600.0
    before, asked = backup.before, []

    def then_it_opens(*arguments, **options):
        asked.append(options)
        before(*arguments, **options)
        cloud.now = 26 * 3600.0 if asked[1:] else cloud.now

    monkeypatch.setattr(backup, "before", then_it_opens)
    assert refusal(master.update).reason == "WINDOW_CLOSED" and asked[1:]
    assert "apply" not in {data["step"] for _, data in cloud.events} and taken(master) == {}


def test_one_controller_keeps_what_is_of_its_cluster_and_each_node_its_files_before_any_is_touched(
    cloud, master
):
    touched = []
    master.before_answer = lambda: touched.extend(cloud.statuses("prefetch") + cloud.statuses("apply"))
    assert master.update()["state"] == "completed"
    files = {node: ["files"] for node in cloud.nodes}
    assert taken(master) == {**files, "controller1": ["galera", "files"]} and touched == []
    assert master.run.backup == taken(master)
    (arguments,) = {repr(one[2]) for one in master.asked if one[1] == "compute1"}
    assert f"'name': '{master.run.id}'" in arguments and "'keep': 2" in arguments


def test_without_one_no_node_is_touched_and_the_run_goes_on_when_it_is_mended(cloud, master):
    master.faults["compute2"] = ("BACKUP_FAILED", "files: no space left on device")
    error = refusal(master.update)
    assert error.reason == "BACKUP_FAILED" and "compute2: files: no space left" in error.message
    assert error.nodes == ("compute2",) and cloud.applied == [] and cloud.statuses("prefetch") == []
    run = master.run
    assert (run.state, run.reason) == (RunState.PAUSED, "BACKUP_FAILED")
    master.faults.clear()
    assert master.update()["state"] == "completed" and master.run.id == run.id
    assert {arguments["name"] for _, _, arguments in master.asked} == {run.id}


def test_a_node_that_says_nothing_of_it_has_none(cloud, master):
    known = master.backups
    master.backups = lambda function, asked, *of: (
        {node: one for node, one in known(function, asked, *of)[0].items() if node != "gateway1"},
        {},
    )
    assert "gateway1: it took no backup" in refusal(master.update).message


@pytest.mark.parametrize("after", ["the answer", "the record"])
def test_a_run_that_was_killed_takes_none_of_what_it_has_moved(cloud, master, after):
    def kill():
        if after == "the answer" or master.run.backup:
            master.before_answer = master.before_poll = lambda: None
            raise Killed

    if after == "the answer":
        master.before_answer = kill
    else:
        master.before_poll = kill
    with pytest.raises(Killed):
        master.update()
    run = master.run
    assert bool(run.backup) == (after == "the record")
    first = len(master.asked)
    assert master.update()["state"] == "completed" and master.run.id == run.id
    assert (len(master.asked) > first) == (after == "the answer")


def test_it_is_none_of_before_where_the_run_has_moved_a_node(cloud, master):
    cloud.openstack["backup"]["before"] = False
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    cloud.nodes["compute2"].faults.clear()
    cloud.openstack["backup"]["before"] = True
    assert master.update()["state"] == "completed" and master.asked == []


def test_a_limited_run_keeps_the_files_of_its_nodes(cloud, master):
    cloud.openstack["backup"]["of"] = ["files"]
    master.rollout().begin("orch.ovn", ["ovn"], Given(limit="controller1"))
    assert taken(master) == {"controller1": ["files"]} == master.run.backup


def test_of_a_cluster_the_first_member_that_has_not_failed_keeps_it(cloud, master):
    cloud.policy("gateway", max_failures=1)
    cloud.policy("compute", max_failures=1)
    cloud.openstack["service_types"]["services"]["guard"] = "galera"
    cloud.openstack["backup"]["of"] = ["galera"]
    cloud.openstack["service_types"]["control_plane"].pop("guard")
    cloud.nodes["compute1"].silent = True
    master.rollout().begin()
    assert len(taken(master)) == 1 and "compute1" not in taken(master)


def test_a_rollback_takes_none(cloud, master):
    master.update()
    later(cloud)
    asked = len(master.asked)
    assert master.roll_back()["state"] == "completed" and len(master.asked) == asked


def test_a_part_comes_back_from_the_node_that_keeps_it(cloud, master):
    master.update()
    run, ports = master.run.id, master.ports()
    there, silent = backup.kept(ports, Membership.of(cloud.model, ports.fleet))
    assert set(there) == set(cloud.nodes) and silent == {}
    assert set(there["controller1"][run]) == {"galera", "files"}
    assert backup.restore(ports, run, "galera") == {
        **{"node": "controller1", "said": "done"},
        "clients": [],
    }
    assert master.asked[-1] == ("restore", "controller1", {"name": run, "part": "galera", "key_file": ""})
    forced = backup.restore(ports, run, "galera", force=True)
    assert forced["clients"] == ["10.0.0.21"] and master.asked[-1][2]["force"] is True
    several = refusal(lambda: backup.restore(ports, run, "files", paths=["/etc/x"]))
    assert several.reason == "WRONG_ARGUMENT" and "say which" in several.message
    backup.restore(ports, run, "files", "compute1", ["/etc/x"])
    wanted = {"name": run, "part": "files", "key_file": "", "paths": ["/etc/x"]}
    assert master.asked[-1] == ("restore", "compute1", wanted)
    for wrong in (("files", None, []), ("galera", None, ["/etc/x"])):
        assert refusal(lambda wrong=wrong: backup.restore(ports, run, *wrong)).reason == "WRONG_ARGUMENT"
    assert "no node keeps galera" in refusal(lambda: backup.restore(ports, "r0", "galera")).message
    master.faults["controller1"] = ("NODE_SILENT", "no answer")
    assert "no answer of controller1" in refusal(lambda: backup.restore(ports, run, "galera")).message


def test_a_node_that_says_nothing_of_a_restore_has_restored_nothing(cloud, master):
    master.update()
    master.mute = "restore", "controller1"
    error = refusal(lambda: backup.restore(master.ports(), master.run.id, "galera"))
    assert error.reason == "BACKUP_NOT_RESTORED" and error.nodes == ("controller1",)


def test_nodes_that_come_later_to_a_run_have_their_files_backed_up_before_they_are_touched(cloud, master):
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute2"].silent = True
    cloud.nodes["gateway1"].faults["services/apply"] = "CONTAINER_EXITED"
    assert refusal(master.update).reason == "CONTAINER_EXITED"
    run = master.run
    assert "compute2" not in run.backup
    cloud.nodes["compute2"].silent = False
    cloud.nodes["gateway1"].faults.clear()
    touched, asked = [], len(master.asked)
    master.before_answer = lambda: touched.extend(
        data["node"] for _, data in cloud.events if data["step"] == "apply" and data["node"] == "compute2"
    )
    assert master.update()["state"] == "completed" and master.run.id == run.id
    (one,) = master.asked[asked:]
    assert one[:2] == ("take", "compute2") and one[2]["of"] == ["files"] and one[2]["name"] == run.id
    assert touched == [] and master.run.backup == {**run.backup, "compute2": ["files"]}


def test_no_run_begins_while_a_part_comes_back(cloud, master):
    master.update()
    held = []
    master.before_answer = lambda: held.append(master.lock.mine() is not None)
    backup.restore(master.ports(), master.run.id, "galera")
    assert held[-1] and master.lock.holder() is None
    master.faults["controller1"] = ("NODE_SILENT", "no answer")
    refusal(lambda: backup.restore(master.ports(), master.run.id, "galera"))
    assert master.lock.holder() is None


def test_no_run_begins_while_one_is_taken_by_hand(cloud, master):
    """It would have nodes forget what is not written down yet."""
    held = []
    master.before_answer = lambda: held.append(master.lock.mine() is not None)
    found = backup.by_hand(master.ports(), ["galera"])
    assert found["name"].startswith("by-hand-") and list(found["nodes"]) == ["controller1"]
    assert held == [True] and master.lock.holder() is None
    master.faults["controller1"] = ("DISK_FULL", "no room")
    assert refusal(lambda: backup.by_hand(master.ports())).reason == "BACKUP_FAILED"
    assert master.lock.holder() is None
