"""Gates of a monitoring: asked before a run, before nodes go, and during a soak."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from openstack_rollout.declared.gates import Gate
from openstack_rollout.errors import RolloutError
from openstack_rollout.monitoring.contract import Alert, NoAnswer, Sample
from openstack_rollout.records.run_record import RunState
from openstack_rollout.rollout import analysis, rollback_plan
from openstack_rollout.rollout.analysis import Analysis, Watch, judge
from openstack_rollout.rollout.asking import Given
from tests.unit.rolling_back import later
from tests.unit.simulated_fleet import Cloud, Master, refusal

QUERY = {"query": "errors:rate5m", "at_most": 0.01}
ALERTS = {"alerts": ['severity="critical"']}
FIRING = Alert({"alertname": "NovaDown", "instance": "cmp9", "severity": "critical"}, "2026-11-30T01:00:00Z")


class Monitoring:
    """A monitoring in memory. values: of the query's series. firing: alerts. error: raised."""

    def __init__(self):
        self.values = [0.0]
        self.firing = []
        self.error = None
        self.asked = 0
        self.watchdog = True

    def series(self, query):
        self._count()
        return [Sample({"instance": f"node{number}"}, value) for number, value in enumerate(self.values)]

    def alerts(self, matches, silenced, inhibited):
        self._count()
        if any(one.value == "Watchdog" for one in matches):
            return [FIRING] if self.watchdog else []
        return self.firing

    def _count(self):
        self.asked += 1
        if self.error:
            raise self.error


class Watched(Master):
    """A master whose gates ask a Monitoring."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.monitoring = Monitoring()
        cloud.openstack["monitoring"] = {
            "prometheus": {"address": "http://prometheus.example"},
            "alertmanager": {"address": "http://alertmanager.example"},
        }

    def ports(self):
        return replace(super().ports(), monitor=lambda declared: self.monitoring)


CLOUD = {"compute": 4}


@pytest.fixture
def master(cloud, tmp_path):
    return Watched(cloud, tmp_path)


def started(cloud):
    return cloud.statuses("apply", stage="ovn")


@pytest.mark.parametrize(("policy", "times"), [({}, 1 + 2 * 4 + 2), ({"batch_undisturbing": 1}, 1 + 4 * 4)])
def test_gates_that_hold_let_the_update_go_on_and_are_asked_before_every_wave(cloud, master, policy, times):
    cloud.policy("compute", gates={"errors": {**QUERY, "interval": 1}}, **policy)
    assert master.update()["state"] == "completed"
    # Before the run; each stage takes four nodes, one by one, or together where nothing is disturbed.
    assert master.monitoring.asked >= times


def test_no_gate_asks_nothing(cloud, master):
    master.monitoring.error = AssertionError("nobody asks")
    assert master.update()["state"] == "completed"
    assert master.monitoring.asked == 0


@pytest.mark.parametrize(
    ("gate", "breaks", "reason"),
    [
        (ALERTS, {"firing": [FIRING]}, "ALERT_FIRING"),
        (QUERY, {"values": [0.0, 0.5]}, "ANALYSIS_FAILED"),
        (QUERY, {"values": []}, "ANALYSIS_INCONCLUSIVE"),
        (QUERY, {"values": [0.0, float("nan")]}, "ANALYSIS_INCONCLUSIVE"),
        (QUERY, {"error": NoAnswer("Prometheus: HTTP 400", passes=False)}, "ANALYSIS_INCONCLUSIVE"),
        (QUERY, {"error": ZeroDivisionError("a bug")}, "ANALYSIS_INCONCLUSIVE"),
    ],
)
def test_a_gate_that_does_not_hold_opens_no_run(cloud, master, gate, breaks, reason):
    cloud.policy("compute", gates={"calm": gate})
    vars(master.monitoring).update(breaks)
    error = refusal(master.update)
    assert error.reason == reason and "compute:calm" in error.message
    assert master.run is None and cloud.applied == []
    vars(master.monitoring).update(values=[0.0], firing=[], error=None)
    assert master.update()["state"] == "completed"


def test_an_alert_in_mid_role_stops_new_nodes_and_the_run_goes_on_when_it_is_over(cloud, master):
    cloud.policy("compute", batch=2, gates={"calm": ALERTS})
    master.before_poll = lambda: len(started(cloud)) >= 2 and master.monitoring.firing.append(FIRING)
    error = refusal(master.update)
    assert error.reason == "ALERT_FIRING"
    assert "NovaDown" in error.message and "cmp9" in error.message and "compute:calm" in error.message
    assert master.run.state is RunState.PAUSED and master.run.reason == "ALERT_FIRING"
    # Those in flight finished, and nobody else began.
    assert sorted(started(cloud)) == ["compute1", "compute2"]
    assert {node for _, node in cloud.applied} == {"compute1", "compute2"}
    assert refusal(master.update).reason == "ALERT_FIRING"  # it still fires
    assert sorted(started(cloud)) == ["compute1", "compute2"]
    master.before_poll = lambda: None
    master.monitoring.firing.clear()
    assert master.update()["state"] == "completed"
    assert len(started(cloud)) == 4


def test_a_query_without_data_in_mid_role_pauses_after_its_timeout(cloud, master):
    cloud.policy("compute", gates={"errors": {**QUERY, "timeout": 120, "interval": 30}})
    lost = []

    def lose():
        if started(cloud) and not lost:
            lost.append(cloud.now)
            master.monitoring.values = []

    master.before_poll = lose
    error = refusal(master.update)
    assert error.reason == "ANALYSIS_INCONCLUSIVE" and "no data" in error.message
    assert started(cloud) == ["compute1"]
    assert cloud.now - lost[0] >= 120
    told = [data for tag, data in cloud.events if tag.endswith("/gate") and data["status"] == "waiting"]
    assert [one["reason"] for one in told] == ["ANALYSIS_INCONCLUSIVE"]  # once, while it waited


def test_data_that_comes_back_in_time_goes_on_by_itself(cloud, master):
    cloud.policy("compute", gates={"errors": {**QUERY, "timeout": 120, "interval": 30}})

    def flicker():
        missing = 1_000_050 < cloud.now < 1_000_120
        master.monitoring.values = [] if missing else [0.0]

    master.before_poll = flicker
    assert master.update()["state"] == "completed"


def test_a_soak_ends_by_a_gate_that_fails_and_is_taken_again(cloud, master):
    cloud.policy("compute", canary=1, soak=600, gates={"calm": {**ALERTS, "interval": 10}})
    began = []

    def alarm():
        if cloud.statuses("verify", "succeeded", "ovn"):
            began.append(cloud.now)
            master.monitoring.firing = [FIRING] if cloud.now - began[0] > 100 else []

    master.before_poll = alarm
    error = refusal(master.update)
    assert error.reason == "ALERT_FIRING" and started(cloud) == ["compute1"]
    assert cloud.now - began[0] < 130  # not at the end of the soak
    assert not master.run.of_stage("ovn").trials["compute"].soaked
    master.before_poll = lambda: None
    master.monitoring.firing = []
    before = cloud.now
    assert master.update()["state"] == "completed"
    assert cloud.now - before > 600


def test_only_gates_of_roles_that_the_run_touches_are_asked(tmp_path):
    cloud = Cloud(compute=1, gateway=1)
    master = Watched(cloud, tmp_path)
    cloud.policy("compute", gates={"calm": ALERTS})
    master.monitoring.firing = [FIRING]
    master.rollout().begin("orch.ovn", ["ovn"], Given(limit="gateway*"))
    assert master.run.state is RunState.RUNNING and master.monitoring.asked == 0


# ---- one gate ---------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_the_undone_run_set_off_does_not_hold_up_its_way_back(cloud, master):
    cloud.policy("compute", batch=2, canary=1, soak=30, gates={"calm": ALERTS, "errors": QUERY})
    master.before_poll = lambda: len(started(cloud)) >= 2 and master.monitoring.firing.append(FIRING)
    assert refusal(master.update).reason == "ALERT_FIRING"
    master.before_poll = lambda: None
    master.monitoring.values = []
    later(cloud)
    assert rollback_plan.planned(master.ports())["refused"] is None
    assert master.roll_back()["state"] == "completed"
    assert {one for node in cloud.nodes.values() for one in node.at.values()} == {"1.0.0"}
    told = master.run.conditions["gates"]
    assert told["verdict"] == "warn" and "NovaDown" in " ".join(told["seen"])
    assert any(line.startswith("ANALYSIS_INCONCLUSIVE") for line in told["seen"])


def gate(told, clock, **settings):
    """An Analysis that is told one thing after the other: True, False, None for what tells nothing."""
    answers = iter(told)

    def ask():
        found = next(answers)
        if found is None:
            return NoAnswer("no data")
        return None if found else RolloutError("ANALYSIS_FAILED", "too high")

    return Analysis("gate", Gate.model_validate({**QUERY, **settings}), ask, clock)


def looked(one, clock, times, lasting=False, step=15):
    found = []
    for _ in range(times):
        found.append(one.passes(lasting))
        clock.now += step
    return found


def test_success_is_wanted_several_times_in_a_row():
    clock = Clock()
    one = gate([True, None, True, True], clock, consecutive_success=2)
    assert looked(one, clock, 4) == [False, False, False, True]


def test_failures_are_borne_up_to_the_limit():
    clock = Clock()
    one = gate([False, True], clock, failure_limit=1)
    assert looked(one, clock, 2) == [False, True]
    one = gate([False, False], Clock(), failure_limit=1)
    one.passes()
    one._monotonic.now += 15
    assert refusal(one.passes).reason == "ANALYSIS_FAILED"


def test_what_was_known_is_forgotten_for_the_next_nodes_but_not_during_a_soak():
    clock = Clock()
    one = gate([False, True, False, True], clock, failure_limit=1)
    assert looked(one, clock, 4) == [False, True, False, True]
    clock = Clock()
    one = gate([False, True, False], clock, failure_limit=1)
    assert looked(one, clock, 2, lasting=True) == [False, True]
    assert refusal(lambda: one.passes(lasting=True)).reason == "ANALYSIS_FAILED"


def test_an_answer_is_good_for_an_interval_and_no_longer():
    clock = Clock()
    one = gate([True, False], clock)
    assert one.passes()
    clock.now = 14.9
    assert one.passes()
    clock.now = 15.0
    assert refusal(one.passes).reason == "ANALYSIS_FAILED"


def test_who_never_answers_tells_nothing_and_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(analysis, "WAIT", 0.01)
    clock, forever = Clock(), threading.Event()
    one = Analysis("gate", Gate.model_validate(QUERY), forever.wait, clock)
    assert looked(one, clock, 4) == [False] * 4
    assert refusal(one.passes).reason == "ANALYSIS_INCONCLUSIVE"
    forever.set()


def test_gates_that_hang_are_waited_for_together_so_that_a_pause_takes_effect(monkeypatch):
    monkeypatch.setattr(analysis, "WAIT", 0.2)
    forever = threading.Event()
    many = [Analysis("gate", Gate.model_validate(QUERY), forever.wait, Clock()) for _ in range(20)]
    began = time.monotonic()
    assert not Watch(many).holds()
    assert time.monotonic() - began < 2  # one after the other, it would be four seconds
    forever.set()


def test_what_cannot_pass_by_itself_is_not_waited_for():
    clock = Clock()
    one = Analysis("g", Gate.model_validate(QUERY), lambda: NoAnswer("HTTP 401", passes=False), clock)
    assert refusal(one.passes).reason == "ANALYSIS_INCONCLUSIVE"


def test_all_gates_have_to_hold_and_the_one_that_does_not_is_told_once():
    clock, told = Clock(), []
    good, bad = gate([True] * 9, clock), gate([None] * 9, clock)
    bad.where = "another gate"
    watch = Watch([good, bad], told.append)
    assert watch(["a"], ["b", "c"]) == 1
    clock.now += 15
    assert watch(["a"], ["b", "c"]) == 1
    assert [one.reason for one in told] == ["ANALYSIS_INCONCLUSIVE"]
    assert Watch([gate([True], clock)])(["a"], ["b", "c"]) == 3


@pytest.mark.parametrize(
    ("bounds", "values", "reason"),
    [
        ({"at_most": 1}, [1.0], None),
        ({"at_most": 1}, [1.1], "ANALYSIS_FAILED"),
        ({"at_most": 1}, [float("inf")], "ANALYSIS_FAILED"),
        ({"at_least": 1}, [float("-inf")], "ANALYSIS_FAILED"),
        ({"at_least": 1, "at_most": 2}, [1.0, 1.5, 2.0], None),
        ({"at_least": 1, "at_most": 2}, [1.0, 0.5], "ANALYSIS_FAILED"),
        ({"at_least": 1}, [float("nan"), 0.0], "ANALYSIS_FAILED"),  # what is known to be bad is bad
        ({"at_least": 1}, [float("nan"), 2.0], "ANALYSIS_INCONCLUSIVE"),
    ],
)
def test_every_series_counts(bounds, values, reason):
    monitoring = Monitoring()
    monitoring.values = values
    found = judge("gate compute:x", Gate.model_validate({"query": "up", **bounds}), lambda: monitoring)
    assert (found and found.reason) == reason


def test_an_alertmanager_that_hears_of_nothing_tells_nothing():
    monitoring = Monitoring()
    one = Gate.model_validate({**ALERTS, "watchdog": ['alertname="Watchdog"']})
    assert judge("gate", one, lambda: monitoring) is None
    monitoring.watchdog = False
    assert judge("gate", one, lambda: monitoring).reason == "ANALYSIS_INCONCLUSIVE"
    monitoring.firing = [FIRING]  # heard of by somebody else
    assert judge("gate", one, lambda: monitoring).reason == "ALERT_FIRING"
