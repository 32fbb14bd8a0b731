import itertools
import json
import re
from dataclasses import replace

import pytest
import salt.cache

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.records.drain_record import DrainRecord
from openstack_rollout.records.journal import BANK, DRAINS, REQUESTS, RUNS, Journal
from openstack_rollout.records.run_record import MOST_STEPS, NodeRecord, NodeState, RunState, Step
from openstack_rollout.records.way_back import KEPT, Back, Former, InForce
from tests.unit.simulated_fleet import MemoryStore


@pytest.fixture
def journal():
    return Journal(MemoryStore(), lambda: 1_000_000.0)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def dated():
    """A journal, and its clock."""
    clock = Clock()
    return Journal(MemoryStore(), clock), clock


DAY = 86_400
DONE = NodeRecord("compute", state=NodeState.DONE)


def create(journal):
    return journal.create("1.0.1", "orch.update", ["ovn"], {"pid": 1})


def test_a_new_run_is_the_unfinished_one(journal):
    run = create(journal)
    assert run.id.startswith("19700112-134640-")
    assert journal.unfinished().id == journal.latest().id == run.id


def test_a_closed_run_is_not_unfinished(journal):
    run = create(journal)
    for state in (RunState.COMPLETED, RunState.INCOMPLETE, RunState.ABORTED):
        journal.save(replace(run, state=state))
        assert journal.unfinished() is None
    journal.save(replace(run, state=RunState.PAUSED))
    assert journal.unfinished().id == run.id


def test_nodes_belong_to_their_run(journal):
    one, two = create(journal), create(journal)
    journal.save_node(one.id, "cmp1", DONE)
    assert journal.nodes(one.id) == {"cmp1": DONE}
    assert journal.nodes(two.id) == {} and journal.node(two.id, "cmp1") is None


def test_forgetting_the_runs_as_the_remedy_says_keeps_what_is_drained(tmp_path):
    """In Salt's own cache, where flushing a bank takes all below it."""
    cache = salt.cache.Cache({"cache": "localfs", "cachedir": str(tmp_path)}, cachedir=str(tmp_path))
    journal = Journal(cache)
    run = create(journal)
    journal.save_node(run.id, "cmp1", DONE)
    drained = DrainRecord("gtw1", "gateway", "ovn_failover", run=run.id, stage="ovs", since=1.0)
    journal.save_drained(drained)
    (bank,) = re.findall(r"cache\.flush (\S+)\.$", REASONS["JOURNAL_VERSION"])
    cache.flush(bank)
    assert journal.latest() is None and journal.nodes(run.id) == {}
    assert journal.all_drained() == {"gtw1": drained}


def test_requests_do_not_touch_the_run(journal):
    run = create(journal)
    journal.ask(run.id, "pause")
    assert journal.requested(run.id) == "pause"
    assert journal.run(run.id) == run
    journal.clear_request(run.id)
    assert journal.requested(run.id) is None


def opened(journal, clock, *days):
    """Runs that were opened on these days, by their ids."""
    found = []
    for day in days:
        clock.now = day * DAY
        run = create(journal)
        journal.save_node(run.id, "cmp1", DONE)
        journal.ask(run.id, "pause")
        journal.skip(run.id, "cmp2")
        journal.confirm(run.id, ["ovn"])
        found.append(run.id)
    return found


@pytest.mark.parametrize(
    ("keep", "before", "stay"),
    [
        (3, None, [2, 3, 4]),
        (1, None, [4]),
        (0, None, [4]),
        (99, None, [0, 1, 2, 3, 4]),
        (99, 25 * DAY, [2, 3, 4]),
        (2, 25 * DAY, [3, 4]),
        (99, 99 * DAY, [4]),
    ],
)
def test_old_runs_are_forgotten_by_count_and_by_age(dated, keep, before, stay):
    journal, clock = dated
    runs = opened(journal, clock, 10, 20, 30, 40, 50)
    gone = journal.prune(keep, before)
    assert journal.run_ids() == [runs[number] for number in stay]
    assert gone == [one for one in runs if one not in journal.run_ids()]
    assert journal.latest().id == runs[-1]


def test_nothing_of_a_forgotten_run_is_left(dated):
    journal, clock = dated
    first, _ = opened(journal, clock, 10, 20)
    journal.prune(1)
    assert first not in json.dumps(journal._store._inner.banks)


def test_a_run_that_left_a_node_drained_stays(dated):
    journal, clock = dated
    first, second, third = opened(journal, clock, 10, 20, 30)
    journal.save_drained(DrainRecord("cmp1", "compute", "live_migrate", first, "ovs"))
    assert journal.prune(1, 99 * DAY) == [second] and journal.run_ids() == [first, third]


def test_a_run_whose_record_cannot_be_read_is_forgotten_all_the_same(dated):
    journal, clock = dated
    first, second = opened(journal, clock, 10, 20)
    journal._store.store(RUNS, first, {"version": 99})
    assert journal.prune(1) == [first] and journal.run_ids() == [second]


def test_the_steps_that_are_kept_of_a_node_are_bounded_and_what_was_done_stays():
    record = NodeRecord()
    record.add(Step("ovn", "apply", 0.0, 1.0, "done"))
    for number in range(3 * MOST_STEPS):
        record.add(Step("services", "apply", number, number + 1.0, "SERVICE_FAILED: x"))
    record.add(Step("services", "apply", 0.0, 1.0, "done"))
    assert len(record.history) == MOST_STEPS
    assert [one.stage for one in record.history if one.outcome == "done"] == ["ovn", "services"]
    for number in range(2 * MOST_STEPS):
        record.add(Step("ovs", "apply", number, number + 1.0, "done"))
    assert len(record.history) == MOST_STEPS and record.history[-1].started == 2 * MOST_STEPS - 1


def test_tracked_custom_images(journal):
    assert journal.tracked_custom_images() == {}
    journal.track_custom_images("1.0.0", {"glance_api_image": "registry/glance:fix"})
    assert journal.tracked_custom_images()["version"] == "1.0.0"


def test_what_tags_of_custom_images_were():
    store = MemoryStore()
    journal = Journal(store)
    journal.record_tags({})
    assert journal.tags() == {} and store.list(BANK) == [], "nothing is written where nobody has tags"
    journal.record_tags({"r.example/x:1": "sha256:a"})
    assert Journal(store).tags() == {"r.example/x:1": "sha256:a"}
    store.store(BANK, "tags", {"digests": 5})
    assert damaged(journal.tags).startswith("openstack/rollout/tags in the master's cache is damaged")
    assert journal.repair() == ["what the tags of custom images were"]
    assert journal.tags() == {}


def test_a_record_of_another_version_is_refused_in_one_line():
    store = MemoryStore()
    journal = Journal(store, lambda: 1_000_000.0)
    run = create(journal)
    kept = store.fetch(RUNS, run.id)
    for change, told in (
        ({"version": 99}, "is kept as version 99, this program reads 1"),
        ({"version": None}, "is kept as version none"),
    ):
        store.store(RUNS, run.id, {**kept, **change})
        with pytest.raises(RolloutError, match="JOURNAL_VERSION") as error:
            journal.latest()
        assert told in error.value.message and "\n" not in error.value.message
        with pytest.raises(RolloutError, match="JOURNAL_VERSION"):
            journal.repair()
    store.store(DRAINS, "cmp1", {"node": "cmp1", "data": {}})
    with pytest.raises(RolloutError, match="JOURNAL_VERSION: the drain of cmp1"):
        journal.all_drained()


def test_what_is_damaged_is_dropped_and_nothing_else():
    store = MemoryStore()
    journal = Journal(store, lambda: 1_000_000.0)
    first, run = create(journal), create(journal)
    for node in ("cmp1", "cmp2"):
        journal.save_node(run.id, node, DONE)
        journal.save_drained(DrainRecord(node, "compute", "live_migrate", run=run.id, stage="ovs", since=1.0))
    store.store(RUNS, run.id, {**store.fetch(RUNS, run.id), "state": "sleeping"})
    store.store(f"{RUNS}/{first.id}/nodes", "cmp3", "garbage")
    store.store(DRAINS, "cmp2", ["garbage"])
    with pytest.raises(RolloutError, match=r"JOURNAL_DAMAGED: .*is damaged at state"):
        journal.latest()
    assert sorted(journal.repair()) == sorted(
        [f"cmp3 in run {first.id}", f"run {run.id}", "the drain of cmp2"]
    )
    assert journal.run_ids() == [first.id] and set(journal.all_drained()) == {"cmp1"}
    assert journal.latest() is None and journal.repair() == []


def damaged(read):
    """The line for people when a read is refused."""
    with pytest.raises(RolloutError) as refused:
        read()
    assert refused.value.reason == "JOURNAL_DAMAGED" and "\n" not in refused.value.message
    return refused.value.message


@pytest.mark.parametrize(
    "left", [5, "x", ["pause"], 0, "", [], False, {"action": "stop", "at": 1.0}, {"at": 1.0}]
)
def test_a_request_that_is_none_is_named_and_repaired(left):
    store = MemoryStore()
    journal = Journal(store)
    run = create(journal)
    store.store(REQUESTS, run.id, left)
    for read in (journal.requested, journal.clear_request):
        told = damaged(lambda read=read: read(run.id))
        assert told.startswith(f"openstack/rollout/requests/{run.id} in the master's cache is damaged")
    assert journal.repair() == [f"the request to run {run.id}"]
    assert journal.requested(run.id) is None and journal.latest() == run


@pytest.mark.parametrize("left", [{"id": "x"}, ["x"], 5, 0, "", [], False])
def test_a_name_of_the_last_run_that_is_none_is_named_and_repaired(left):
    store = MemoryStore()
    journal = Journal(store)
    run = create(journal)
    store.store(BANK, "current", left)
    assert damaged(journal.latest).startswith("openstack/rollout/current in the master's cache is damaged: ")
    assert journal.repair() == ["which run was the last one"]
    assert journal.latest() is None and journal.run_ids() == [run.id]


@pytest.mark.parametrize(
    "left", ["x", 5, 0, "", [], False, {"version": "1"}, {"version": "1", "custom_images": {"x": [1]}}]
)
def test_custom_images_that_are_none_are_named_and_repaired(left):
    store = MemoryStore()
    journal = Journal(store)
    store.store(BANK, "custom_images", left)
    told = damaged(journal.tracked_custom_images)
    assert told.startswith("openstack/rollout/custom_images in the master's cache is damaged")
    assert journal.repair() == ["the custom images of the last update"]
    assert journal.tracked_custom_images() == {}


@pytest.mark.parametrize("left", [[], 0, False, "", None])
def test_only_a_key_that_is_not_there_is_absent(left):
    store = MemoryStore()
    journal = Journal(store)
    run = create(journal)
    for bank, key in ((RUNS, run.id), (f"{RUNS}/{run.id}/nodes", "cmp1"), (DRAINS, "cmp1")):
        store.store(bank, key, left)
    reads = (journal.unfinished, lambda: journal.nodes(run.id), journal.all_drained)
    assert [damaged(read) for read in reads] == [
        f"{what} is no record" for what in (f"run {run.id}", f"cmp1 in run {run.id}", "the drain of cmp1")
    ]
    assert sorted(journal.repair()) == sorted([f"run {run.id}", f"cmp1 in run {run.id}", "the drain of cmp1"])
    assert journal.unfinished() is None and journal.all_drained() == {} and journal.repair() == []


def runs(journal, number, since=1_000_000):
    """So many runs of which it is known what nodes were before."""
    now = itertools.count(since, 60)
    journal._clock = lambda: float(next(now))
    found = []
    for _ in range(number):
        found.append(create(journal).id)
        journal.way_back.save_formers(found[-1], {"cmp1": Former("1.0.0")}, journal.run_ids())
    return found


def test_what_a_node_was_before_a_run_is_written_once(journal):
    run = create(journal)
    journal.way_back.save_formers(
        run.id, {"cmp1": Former("1.0.0", {"nova": "x@sha256:1"})}, journal.run_ids()
    )
    journal.way_back.save_formers(
        run.id, {"cmp1": Former("1.0.1"), "cmp2": Former("1.0.1")}, journal.run_ids()
    )
    found = journal.way_back.formers(run.id)
    assert found["cmp1"].deployed == "1.0.0" and found["cmp1"].images == {"nova": "x@sha256:1"}
    assert found["cmp2"].deployed == "1.0.1" and journal.way_back.former(run.id, "cmp3") is None


def test_it_is_kept_of_the_last_runs_and_of_the_one_that_is_undone(journal):
    first, second, *_ = known = runs(journal, 3)
    journal.way_back.put_in_force(InForce(first, "r", "1.0.1"))
    known += runs(journal, KEPT + 1, since=2_000_000)
    kept = [one for one in known if journal.way_back.formers(one)]
    assert kept == [first, *known[-KEPT:]] and second not in kept


def test_a_rollback_in_force_has_its_nodes_alone(journal):
    assert journal.way_back.in_force() is None and journal.way_back.backs() == {}
    journal.way_back.save_backs({"cmp1": Back("r1", ["ovs"]), "cmp2": Back("r1", ["ovs"])})
    journal.way_back.put_in_force(InForce("r1", "r2", "1.0.1", "1.0.0"))
    assert journal.way_back.in_force().release == "1.0.0" and journal.way_back.back("cmp1").stages == ["ovs"]
    journal.way_back.save_backs({"cmp3": Back("r1", ["ovn"])})
    assert list(journal.way_back.backs()) == ["cmp3"]
    journal.way_back.end()
    assert journal.way_back.in_force() is None and journal.way_back.back("cmp3") is None


@pytest.mark.parametrize(
    ("bank", "key", "read"),
    [
        (BANK, "rollback", lambda journal: journal.way_back.in_force()),
        (f"{BANK}/backs", "cmp1", lambda journal: journal.way_back.back("cmp1")),
    ],
)
def test_a_rollback_that_cannot_be_read_is_named_and_repaired(bank, key, read):
    store = MemoryStore()
    journal = Journal(store)
    store.store(bank, key, {"version": 1, "of": 5})
    damaged(lambda: read(journal))
    assert len(journal.repair()) == 1
    assert read(journal) is None
