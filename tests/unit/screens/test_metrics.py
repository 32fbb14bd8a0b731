"""Metrics: what both parsers of Prometheus read of them, and that their names and labels stay few."""

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.figures import MOST_RELEASES, NODE_STATES, figures
from openstack_rollout.screens import metrics
from tests.unit.simulated_fleet import DRAIN, Cloud, Master


@pytest.fixture
def master(tmp_path):
    return Master(Cloud(controller=1, gateway=1, compute=4), tmp_path)


def text_of(master):
    return metrics.render(figures(master.journal, lambda run: run, master.cloud.now), master.cloud.now)


def read(master):
    """(name, labels) → value, as both parsers have it."""
    text = text_of(master)
    found = []
    for read in (openmetrics_parser.text_string_to_metric_families, parser.text_string_to_metric_families):
        samples = [sample for family in read(text) for sample in family.samples]
        found.append({(one.name, *sorted(one.labels.items())): one.value for one in samples})
        assert len(found[-1]) == len(samples)
    assert found[0] == found[1] and text.endswith("# EOF\n")
    return found[0]


def value(found, name, **labels):
    return found.get((f"openstack_rollout_{name}", *sorted(labels.items())))


def test_before_the_first_run(master):
    found = read(master)
    assert {value(found, "run_state", state=state) for state in metrics.STATES} == {0}
    assert value(found, "metrics_timestamp_seconds") == master.cloud.now


def test_a_run_that_paused(master):
    master.cloud.policy("compute", drain=DRAIN)
    master.cloud.nodes["compute1"].faults["ovs/apply"] = "OVS_FAILED"
    with pytest.raises(RolloutError):
        master.update()
    found = read(master)
    assert [state for state in metrics.STATES if value(found, "run_state", state=state)] == ["paused"]
    assert value(found, "run_reason", reason="OVS_FAILED") == 1
    assert value(found, "stage_state", stage="ovs", state="paused") == 1
    assert value(found, "nodes", role="compute", state="failed") == 1
    assert value(found, "failures", role="compute", reason="OVS_FAILED") == 1
    assert value(found, "drained_nodes", role="compute") == 1
    assert value(found, "deployed_nodes", role="compute", release="none") == 4
    assert value(found, "last_event_timestamp_seconds") == pytest.approx(master.cloud.now, abs=5)
    assert value(found, "step_duration_seconds_count", stage="ovn", step="apply", role="compute") == 4
    assert value(found, "step_duration_seconds_sum", stage="ovn", step="apply", role="compute") == 120
    info = {"run": master.run.id, "orchestration": "orch.update", "target": "1.0.1", "rollback": ""}
    assert value(found, "run_info", **info) == 1


def test_a_run_that_completed(master):
    master.update()
    found = read(master)
    assert value(found, "run_state", state="completed") == 1
    assert value(found, "run_end_timestamp_seconds") == pytest.approx(master.cloud.now, abs=5)
    assert value(found, "deployed_nodes", role="compute", release="1.0.1") == 4
    assert value(found, "run_remaining_seconds") is None and value(found, "run_reason", reason="") is None


def test_a_run_under_way_says_what_is_left(master):
    seen = []

    def look():
        if master.run and master.run.planned:
            seen.append(read(master))

    master.before_poll = look
    master.cloud.policy("compute", batch=4)
    master.update()
    left = [value(found, "run_remaining_seconds") for found in seen]
    assert left[0] > left[-1] > 0
    assert any(value(found, "nodes", role="compute", state="in_flight") for found in seen)


def test_every_metric_is_exported_at_some_time_and_no_other(master):
    names = set()
    master.before_poll = lambda: names.update(one[0] for one in read(master)) if master.run else None
    master.cloud.policy("compute", drain=DRAIN, max_failures=1)
    master.cloud.nodes["compute1"].faults["system/apply"] = "PACKAGE_FAILED"
    with pytest.raises(RolloutError):
        master.update()
    names |= {one[0] for one in read(master)}
    summaries = {"step_duration_seconds"}
    wanted = {one for one in metrics.METRICS if one not in summaries}
    wanted |= {f"{one}_{part}" for one in summaries for part in ("sum", "count")}
    assert {name.removeprefix("openstack_rollout_") for name in names} == wanted


def test_no_node_is_a_label_and_releases_and_reasons_are_bounded(tmp_path):
    master = Master(Cloud(compute=40), tmp_path)
    master.update()
    run = master.run
    for number, (name, record) in enumerate(master.journal.nodes(run.id).items()):
        record.after.release = f"9.{number}"
        record.history[0].outcome = record.history[0].reason = f"MADE_UP_{number}"
        master.journal.save_node(run.id, name, record)
    found = read(master)
    assert not [one for one in found if "compute1" in str(one)]
    releases = [one for one in found if one[0].endswith("deployed_nodes")]
    assert len(releases) == MOST_RELEASES + 1
    assert sum(found[one] for one in releases) == 40
    assert value(found, "failures", role="compute", reason="unknown") == 40


def test_the_state_of_a_node_is_one_of_few(master):
    master.cloud.policy("compute", max_failures=1, on_failure="quarantine")
    master.cloud.nodes["compute1"].faults["ovs/apply"] = "OVS_FAILED"
    master.update()
    found = read(master)
    states = {dict(one[1:])["state"] for one in found if one[0] == "openstack_rollout_nodes"}
    assert states == {"done", "quarantined"} and states <= set(NODE_STATES)
