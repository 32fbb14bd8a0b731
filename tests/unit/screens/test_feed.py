import io
import json

import jsonschema
import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import events
from openstack_rollout.records.stored import plain
from openstack_rollout.screens.feed import Feed, Stream
from tests.unit.simulated_fleet import Cloud, Master


def streamed(master, fired, state="running"):
    """The lines of a stream over some events."""
    records = {node: plain(record) for node, record in master.journal.nodes(master.run.id).items()}
    out = io.StringIO()
    feed = Feed({**plain(master.run), "state": state}, records)
    with Stream(feed, out) as stream:
        for data in fired:
            stream.show(feed.take(data))
    return feed, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def master(tmp_path):
    master = Master(Cloud(controller=1, compute=2), tmp_path)
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    return master


def test_it_is_the_run_then_its_events_then_its_end(master):
    fired = [data for _, data in master.cloud.events]
    feed, (first, *between, last) = streamed(master, fired)
    assert first["watched"]["id"] == master.run.id
    assert first["watched"]["nodes"]["compute1"]["reason"] == "CONTAINER_EXITED"
    assert between == json.loads(json.dumps(fired)) and feed.ended
    assert (last["ended"]["state"], last["ended"]["reason"]) == ("paused", "CONTAINER_EXITED")
    validator = jsonschema.Draft202012Validator(events.json_schema())
    for line in between:
        validator.validate(line)


def test_other_runs_and_words_are_passed_over(master):
    fired = [{**data, "run": "another"} for _, data in master.cloud.events]
    feed, lines = streamed(master, fired)
    assert [list(line) for line in lines] == [["watched"], ["ended"]] and not feed.ended
    stream = Stream(feed, out := io.StringIO())
    stream.show("run r1: its process is gone")
    assert out.getvalue() == ""


def test_what_a_gate_waits_for_is_not_what_the_run_is_at(master):
    feed, _ = streamed(master, [])
    feed.take({"run": master.run.id, "node": "-", "step": "gate", "reason": "WORK_IN_HAND", "message": "x"})
    assert feed.run["reason"] == "CONTAINER_EXITED"
