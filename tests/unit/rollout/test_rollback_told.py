"""A rollback is told as one wherever a run is told of: events, people, metrics, a stream, every report."""

import io
import json

import pytest

from openstack_rollout.records import events
from openstack_rollout.records.stored import plain
from openstack_rollout.rollout import happenings
from openstack_rollout.rollout.account import account
from openstack_rollout.rollout.figures import figures
from openstack_rollout.screens import account as screen
from openstack_rollout.screens import html, markdown, metrics, tables
from openstack_rollout.screens.feed import Feed, Stream
from openstack_rollout.screens.watch import Board
from tests.unit.rolling_back import REVERSED, later
from tests.unit.simulated_fleet import Master, refusal

CLOUD = {"controller": 2, "gateway": 1, "compute": 3}


@pytest.fixture
def master(cloud, tmp_path):
    """A cloud whose last run was updated; what was fired is forgotten."""
    found = Master(cloud, tmp_path)
    found.update()
    later(cloud)
    cloud.events.clear()
    return found


def people(cloud):
    return [one for _, data in cloud.events if (one := happenings.of(data, "cloud1"))]


def versions(node):
    return {one["subject"]: (one["have"], one["want"]) for one in node["versions"]}


def test_every_event_says_what_is_undone_and_has_the_form(cloud, master):
    undone = master.run.id
    master.roll_back()
    for tag, data in cloud.events:
        event = events.FORM.validate_python(json.loads(json.dumps(data)))
        assert (event.tag, event.rollback) == (tag, undone)
    kinds = {(data["step"], data["status"]) for _, data in cloud.events if data["node"] == "-"}
    assert {("run", "started"), ("run", "succeeded"), ("stage", "started")} <= kinds
    stages = [data["stage"] for _, data in cloud.events if data["step"] == "stage"]
    assert list(dict.fromkeys(stages)) == REVERSED


def test_people_are_told_that_it_is_one_and_what_to_do_at_its_end(cloud, master):
    undone = master.run.id
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.roll_back)
    called = f"rollback {master.run.id} of run {undone}"
    assert [(one.kind, one.title) for one in people(cloud)] == [
        ("failure", f"cloud1: compute2 failed in {called} (services, apply)"),
        ("pause", f"cloud1: {called} pauses"),
    ]
    cloud.nodes["compute2"].faults.clear()
    cloud.events.clear()
    master.roll_back()
    (end,) = people(cloud)
    assert end.title == f"cloud1: {called} ended: completed"
    assert end.lines == (
        f"nodes are what they were before run {undone}, and are held there:"
        " set openstack:target_version to 1.0.0",
    )


def test_who_is_set_aside_is_not_said_to_be_back(cloud, master):
    undone = master.run.id
    cloud.policy("compute", max_failures=1, on_failure="quarantine")
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    told = master.roll_back()
    assert told["state"] == "completed_with_open_ends"
    assert told["next"] == master.run.message
    assert master.run.message == (
        f"without compute2: set aside; nodes are what they were before run {undone}, and are held there:"
        " set openstack:target_version to 1.0.0"
    )


def test_metrics_have_the_run_that_is_undone_as_a_label(cloud, master):
    undone = master.run.id
    now = cloud.now
    assert 'rollback=""' in metrics.render(figures(master.journal, lambda run: run, now), now)
    master.roll_back()
    text = metrics.render(figures(master.journal, lambda run: run, cloud.now), cloud.now)
    (line,) = [one for one in text.splitlines() if one.startswith("openstack_rollout_run_info{")]
    assert f'rollback="{undone}"' in line and 'orchestration="orch.rollback"' in line
    assert 'openstack_rollout_deployed_nodes{release="1.0.0",role="compute"} 3.0' in text


def test_a_stream_and_the_table_of_watch_name_it(cloud, master):
    undone = master.run.id
    master.roll_back()
    run = {**plain(master.run), "state": "running"}
    records = {node: plain(record) for node, record in master.journal.nodes(master.run.id).items()}
    board, feed, out = Board(run, records), Feed(run, records), io.StringIO()
    with Stream(feed, out) as stream:
        for _, data in cloud.events:
            board.take(data)
            stream.show(feed.take(data))
    first, *_, last = map(json.loads, out.getvalue().splitlines())
    assert first["watched"]["rollback"] == last["ended"]["rollback"] == undone
    assert tables.title_of(board.run) == f"orch.rollback of run {undone}"
    assert board.columns == ["prefetch", *REVERSED]
    assert board.cells["compute1"] == dict.fromkeys(["prefetch", "system", "ovs", "services", "ovn"], "done")


def test_its_report_has_what_nodes_were_between_and_what_they_are_again(cloud, master):
    undone = master.run.id
    forward = account(master.journal)["nodes"]["compute1"]
    master.roll_back()
    data = account(master.journal)
    node = data["nodes"]["compute1"]
    assert (node["before"]["release"], node["after"]["release"]) == ("1.0.1", "1.0.0")
    assert versions(node) == {name: (now, was) for name, (was, now) in versions(forward).items()}
    assert list(data["stages"]) == ["prefetch", *REVERSED]
    assert (data["run"]["rollback"], data["run"]["undone"]) == (undone, [])
    facts = dict(screen.facts(data))
    assert facts["Undoes"] == f"run {undone}" and facts["Target declared"] == "1.0.1"
    assert "Release" not in facts and facts["Nodes limited to"] == "none: all that the undone run moved"
    title = f"orch.rollback of run {undone}"
    for text in (html.render(data, cloud.now), markdown.render(data, cloud.now).replace("\\", "")):
        assert title in text and "set openstack:target_version to 1.0.0" in text
    assert title in tables.report(data) and "set openstack:target_version to 1.0.0" in tables.report(data)


def test_its_report_tells_of_what_went_back_alone(cloud, master):
    master.roll_back(limit="compute1", stages=("services", "ovs"))
    data = account(master.journal)
    assert list(data["nodes"]) == ["compute1"]
    assert versions(data["nodes"]["compute1"]) == {
        "services": ("1.0.1 (1.0.1)", "1.0.0 (1.0.0)"),
        "openvswitch": ("1.0.1", "1.0.0"),
    }
    assert data["nodes"]["compute1"]["after"]["release"] is None


def test_the_report_of_a_run_says_that_it_was_undone(cloud, master):
    undone = master.run.id
    assert account(master.journal)["run"]["undone"] == []
    master.roll_back(limit="compute1", stages=("services", "ovs"))
    first = master.run.id
    later(cloud)
    master.roll_back()
    data = account(master.journal, undone)
    ids = [first, master.run.id]
    assert data["run"]["undone"] == [
        {"run": ids[0], "limit": "compute1", "state": "completed"},
        {"run": ids[1], "limit": "", "state": "completed"},
    ]
    lines = [f"run {ids[0]}, limited to compute1, completed", f"run {ids[1]}, completed"]
    assert dict(screen.facts(data))["Undone by"] == "; ".join(lines)
    assert f"undone by {'; '.join(lines)}" in tables.report(data)


def test_a_later_run_that_cannot_be_read_hides_no_report(cloud, master):
    undone = master.run.id
    master.roll_back()
    master.store.store("openstack/rollout/runs", master.run.id, {"version": 1})
    assert account(master.journal, undone)["run"]["undone"] == []
