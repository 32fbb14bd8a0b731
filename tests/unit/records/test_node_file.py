"""The file of a run's nodes: what is written is read, whatever became of the end of the file."""

import errno
import functools
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import salt.cache
import salt.config

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.journal import RUNS, Journal
from openstack_rollout.records.planned import Plan, PlannedStage
from openstack_rollout.records.run_record import MOST_STEPS, NodeRecord, NodeState, Silenced, Step
from openstack_rollout.records.snapshot import Image, Left, Snapshot
from openstack_rollout.rollout.account import account
from tests.unit.simulated_fleet import Cloud, Master, refusal


@functools.cache
def cache_in(folder):
    return CacheStore(salt.cache.factory({**salt.config.master_config(None), "cachedir": str(folder)}))


def journal_in(folder):
    """A journal of a process that has read nothing yet."""
    return Journal(cache_in(folder), lambda: 1_000_000.0, cache_in(folder).folder)


@pytest.fixture
def journal(tmp_path):
    return journal_in(tmp_path)


def create(journal):
    return journal.create("1.0.1", "orch.update", ["ovn"], {"pid": 1})


def file_of(tmp_path, run):
    return tmp_path / RUNS / run.id / "nodes.log"


def step(number, outcome="done"):
    return Step("ovn", "apply", float(number), number + 1.0, outcome)


WHOLE = NodeRecord(
    "compute",
    "az1",
    *("services", "", "apply", "job1"),
    state=NodeState.IN_FLIGHT,
    history=[step(1), step(2, "OVN_FAILED: x")],
    tries={"ovn//apply": 1},
    before=Snapshot(1.0, "1.0.0", {"nova": Image("1.0.0", "a" * 64)}, {"bash": ["5.2"]}, [Left("reboot")]),
    silences=[Silenced("compute:down", "s1", 1.0)],
)


def test_what_was_written_is_read_by_this_process_and_by_others(journal, tmp_path):
    run = create(journal)
    record = replace(deepcopy(WHOLE), history=[])
    journal.save_node(run.id, "cmp1", record)
    journal.save_node(run.id, "cmp2", WHOLE)
    record.history += WHOLE.history
    record.step, record.jid, record.slow = "verify", "job2", 3.5
    record.after = replace(WHOLE.before, release="1.0.1")
    record.silences[0].ended = 5.0  # changed in place
    journal.save_node(run.id, "cmp1", record)
    for one in (journal, journal_in(tmp_path)):
        assert one.nodes(run.id) == {"cmp1": record, "cmp2": WHOLE}
        assert one.node(run.id, "cmp1") == record and one.node(run.id, "cmp3") is None


def test_nobody_changes_what_was_written_by_what_he_was_given(journal):
    run = create(journal)
    journal.save_node(run.id, "cmp1", replace(WHOLE))
    journal.node(run.id, "cmp1").step = "verify"
    assert journal.node(run.id, "cmp1") == WHOLE


def test_steps_that_are_forgotten_in_the_record_are_forgotten_in_the_file(journal, tmp_path):
    run, record = create(journal), NodeRecord()
    for number in range(MOST_STEPS + 20):
        record.add(step(number, "done" if number % 3 else "OVN_FAILED: x"))
        journal.save_node(run.id, "cmp1", record)
    assert journal_in(tmp_path).nodes(run.id) == {"cmp1": record}


def test_a_line_that_is_cut_off_anywhere_is_as_before_it_and_goes_with_the_next(journal, tmp_path):
    """For every byte of the last line; also where the rest of it is zeros, as a power cut may leave it."""
    run, record = create(journal), replace(WHOLE, history=[step(1)])
    for node in ("cmp1", "cmp2"):
        journal.save_node(run.id, node, record)
    path = file_of(tmp_path, run)
    before, had = path.stat().st_size, journal_in(tmp_path).nodes(run.id)
    record.history.append(step(2))
    record.step = "verify"
    journal.save_node(run.id, "cmp1", record)
    whole = path.read_bytes()
    assert journal_in(tmp_path).nodes(run.id) == {**had, "cmp1": record}
    other = replace(WHOLE, role="gateway")
    for end in range(before, len(whole)):
        for rest in (b"", b"\0" * (len(whole) - end)):
            path.write_bytes(whole[:end] + rest)
            found = journal_in(tmp_path)
            assert found.nodes(run.id) == had, end
            found.save_node(run.id, "gtw1", other)
            assert journal_in(tmp_path).nodes(run.id) == {**had, "gtw1": other}, end


def test_an_engine_that_is_killed_leaves_what_it_had_written(journal, tmp_path):
    run = create(journal)
    text = f"""
import os
from pathlib import Path
from tests.unit.records.test_node_file import journal_in, NodeRecord, step
journal, record = journal_in({str(tmp_path)!r}), NodeRecord("compute")
for number in range(50):
    record.history.append(step(number))
    journal.save_node({run.id!r}, "cmp1", record)
os.kill(os.getpid(), 9)
"""
    paths = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    died = subprocess.run([sys.executable, "-c", text], check=False, env=paths)
    assert died.returncode == -9
    assert len(journal.node(run.id, "cmp1").history) == 50


def test_a_full_disk_is_named_and_leaves_the_file_as_it_was(journal, tmp_path, monkeypatch):
    run, record = create(journal), replace(WHOLE, history=[])
    journal.save_node(run.id, "cmp1", record)
    write = os.write

    def half(file, line):
        write(file, line[: len(line) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    record.history.append(step(1))
    with pytest.raises(RolloutError, match=r"JOURNAL_FAILED.*No space left"):
        journal.save_node(run.id, "cmp1", record)
    monkeypatch.setattr(os, "write", write)
    assert journal_in(tmp_path).nodes(run.id)["cmp1"].history == []
    journal.save_node(run.id, "cmp1", record)
    assert journal_in(tmp_path).nodes(run.id)["cmp1"].history == [step(1)]


def test_a_disk_without_a_free_block_is_full_though_a_line_would_fit(journal, tmp_path, monkeypatch):
    run = create(journal)
    journal.save_node(run.id, "cmp1", WHOLE)
    monkeypatch.setattr(os, "fstatvfs", lambda file: SimpleNamespace(f_blocks=100, f_bfree=0))
    with pytest.raises(RolloutError, match=r"JOURNAL_FAILED.*No space left"):
        journal.save_node(run.id, "cmp2", WHOLE)
    monkeypatch.undo()
    assert set(journal_in(tmp_path).nodes(run.id)) == {"cmp1"}


def test_a_journal_of_a_key_for_each_node_is_read_and_gone_on_with(journal, tmp_path):
    run = create(journal)
    older = Journal(journal._store._inner)
    for node in ("cmp1", "cmp2"):
        older.save_node(run.id, node, WHOLE)
    assert journal.nodes(run.id) == {"cmp1": WHOLE, "cmp2": WHOLE} and journal.node(run.id, "cmp2") == WHOLE
    record = journal.node(run.id, "cmp1")
    record.history.append(step(3))
    journal.save_node(run.id, "cmp1", record)
    assert journal_in(tmp_path).nodes(run.id) == {"cmp1": record, "cmp2": WHOLE}


def test_a_plan_is_kept_apart_and_one_inside_of_its_run_is_read(journal, tmp_path):
    run = create(journal)
    store = journal._store
    run.plan, run.planned = Plan("1.0.1", ("cmp1",), (PlannedStage("ovn", done=("cmp1",)),)), 5.0
    journal.save(run)
    assert "cmp1" not in str(store.fetch(RUNS, run.id))
    assert journal.latest() == run == journal_in(tmp_path).latest()
    run.plan, run.planned = Plan("1.0.1"), 6.0
    journal.save(run)
    assert journal_in(tmp_path).latest().plan == run.plan == journal.latest().plan
    store.store(RUNS, run.id, {**store.fetch(RUNS, run.id), "plan": run.plan.plain()})
    assert journal_in(tmp_path).latest() == run


def test_the_file_is_small_again_when_it_is_opened(journal, tmp_path):
    run, record = create(journal), NodeRecord("compute")
    for number in range(1200):
        record.step = f"step{number}"
        journal.save_node(run.id, "cmp1", record)
    path = file_of(tmp_path, run)
    assert path.read_bytes().count(b"\n") == 1200
    again = journal_in(tmp_path)
    (found,) = again.nodes(run.id).values()
    found.step = "last"
    again.save_node(run.id, "cmp1", found)
    assert path.read_bytes().count(b"\n") == 2
    assert journal_in(tmp_path).nodes(run.id) == {"cmp1": replace(record, step="last")}
    record.step = "of one who did not know"  # the file is another now
    journal.save_node(run.id, "cmp1", record)
    assert journal_in(tmp_path).nodes(run.id) == {"cmp1": record}


def test_the_engine_that_writes_the_file_makes_it_small_when_the_next_stage_reads_it(journal, tmp_path):
    run = create(journal)
    first, second = replace(WHOLE, history=[]), NodeRecord("gateway")
    journal.save_node(run.id, "gtw1", second)
    for number in range(1200):
        first.history.append(step(number))
        journal.save_node(run.id, "cmp1", first)
        del first.history[:-3]
    assert file_of(tmp_path, run).read_bytes().count(b"\n") == 1201
    found = journal.nodes(run.id)
    assert found == {"cmp1": first, "gtw1": second} == journal_in(tmp_path).nodes(run.id)
    assert file_of(tmp_path, run).read_bytes().count(b"\n") == 2
    found["cmp1"].step = "verify"
    journal.save_node(run.id, "cmp1", found["cmp1"])
    assert journal_in(tmp_path).nodes(run.id) == found == journal.nodes(run.id)
    assert file_of(tmp_path, run).read_bytes().count(b"\n") == 3


def test_a_line_that_is_damaged_is_named_and_dropped_alone(journal, tmp_path):
    run = create(journal)
    for node in ("cmp1", "cmp2", "cmp3"):
        journal.save_node(run.id, node, WHOLE)
    path = file_of(tmp_path, run)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b"apply", b"appl!"), lines[2]]))
    for read in (
        lambda: journal_in(tmp_path).nodes(run.id),
        lambda: journal_in(tmp_path).node(run.id, "cmp1"),
    ):
        with pytest.raises(RolloutError, match=r"JOURNAL_DAMAGED: .*nodes\.log: 1 of its lines are damaged"):
            read()
    assert journal_in(tmp_path).repair() == [f"a line of nodes in run {run.id}"]
    assert set(journal_in(tmp_path).nodes(run.id)) == {"cmp1", "cmp3"}
    assert journal_in(tmp_path).repair() == []


def test_nothing_is_left_of_a_run_that_is_forgotten(journal, tmp_path):
    run = create(journal)
    run.plan = Plan("1.0.1")
    journal.save(run)
    journal.save_node(run.id, "cmp1", WHOLE)
    journal.forget(run.id)
    assert [one for one in (tmp_path / RUNS).rglob("*") if run.id in str(one)] == []
    assert journal.nodes(run.id) == {} and journal.run_ids() == []


def test_an_update_that_failed_goes_on_with_another_process_as_by_keys(tmp_path):
    """In files, and by a key for each node: the same nodes, the same steps."""
    told = []
    for folder in (tmp_path / "a", None):
        cloud = Cloud(controller=1, compute=4)
        cloud.policy("compute", batch=2, max_failures=0)
        master = Master(cloud, tmp_path)
        cloud.nodes["compute3"].faults["services/apply"] = "CONTAINER_EXITED"
        for faults in ("there", "mended"):
            if folder:
                cache = cache_in(folder)
                master.journal = Journal(cache, cloud.clock, cache.folder)
            if faults == "there":
                assert refusal(master.update).reason == "CONTAINER_EXITED"
                cloud.nodes["compute3"].faults.clear()
            else:
                assert master.update()["state"] == "completed"
        found = account(
            Journal(cache_in(folder), cloud.clock, cache_in(folder).folder) if folder else master.journal
        )
        told.append(
            {name: (one["state"], one["steps"], one["versions"]) for name, one in found["nodes"].items()}
        )
    assert told[0] == told[1] and len(told[0]) == 5


def test_a_driver_without_files_has_a_key_for_each_node(tmp_path):
    cache = CacheStore(salt.cache.factory({**salt.config.master_config(None), "cache": "redis"}))
    assert cache.folder is None
