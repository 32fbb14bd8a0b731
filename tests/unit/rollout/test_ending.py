"""What is written down of a run that stops: why, and whether it goes on by itself."""

from dataclasses import replace

import pytest

from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import control, reopening
from openstack_rollout.rollout.openings import Openings
from tests.unit.rollout.test_limit import done
from tests.unit.simulated_fleet import Cloud, Master, refusal

HOUR = 3600


@pytest.fixture
def cloud():
    found = Cloud(controller=1, gateway=1, compute=3)
    done(found, "ovn", "control_plane", "services")
    return found


@pytest.fixture
def master(cloud, tmp_path):
    return Master(cloud, tmp_path)


def closes_early(cloud, master, there=lambda: None):
    """A window that is too short for compute3 as soon as compute1 applies a stage. there: called then."""
    hours = {"from": "13:00", "to": "14:30", "prefetch": "any_time"}
    cloud.policy("compute", batch=2, batch_undisturbing=2, window=hours)
    cloud.now = 13 * HOUR

    def look():
        if "compute1" in cloud.statuses("apply", stage="ovs") and not cloud.stepped:
            cloud.stepped = 14.4 * HOUR - cloud.now
        there()

    master.before_poll = look


def test_a_run_waits_for_its_window_also_where_a_node_rests_at_a_breakpoint(cloud, master):
    closes_early(cloud, master)
    error = refusal(lambda: master.update(break_={"after_apply": "compute1"}))
    assert error.reason == "WINDOW_CLOSED" and error.message.endswith("resting at a breakpoint: compute1")
    assert master.run.closed.node == "compute3" and master.run.closed.opens % 86400 == 13 * HOUR
    openings = Openings(cloud.model, clock=cloud.clock)
    assert not reopening.may_go_on(master.run, openings, cloud.clock()), "it would begin again and again"


@pytest.mark.parametrize("by", ["pause", "Ctrl-C"])
def test_a_pause_that_is_asked_for_while_the_last_nodes_finish_is_not_forgotten(
    cloud, master, monkeypatch, by
):
    typed = []
    ports = master.ports
    monkeypatch.setattr(master, "ports", lambda: replace(ports(), interrupted=lambda: bool(typed)))

    def ask():
        if "compute1" in cloud.statuses("verify", "succeeded", stage="ovs") and not typed:
            typed.append(by)
            if by == "pause":
                control.pause(master.journal, master.lock)

    closes_early(cloud, master, ask)
    cloud.nodes["compute2"].seconds = 40.0
    error = refusal(master.update)
    assert (master.run.state, master.run.reason) == (RunState.PAUSED, "PAUSED_BY_OPERATOR")
    assert (error.reason, error.message) == (master.run.reason, master.run.message)
    assert reopening.waiting(master.journal) is None and "compute3" in master.run.message


def test_an_end_that_is_asked_for_meanwhile_is_told_as_that_too(cloud, master):
    asked = []

    def ask():
        if "compute1" in cloud.statuses("verify", "succeeded", stage="ovs") and not asked:
            asked.append(control.abort(master.journal, master.lock))

    closes_early(cloud, master, ask)
    cloud.nodes["compute2"].seconds = 40.0
    error = refusal(master.update)
    assert (master.run.state, master.run.reason) == (
        RunState.ABORTED,
        "ABORTED",
    ) and master.run.closed is None
    assert error.reason == "ABORTED" and "compute3" in error.message
