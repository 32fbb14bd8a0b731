"""Reboots: only where one is needed and allowed; back means a new boot, healthy, clock and mounts sane."""

from __future__ import annotations

import threading

import pytest

from openstack_rollout.declared import words
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.drains.contract import Answer
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.reboots import Reboots
from tests.unit import cloud_pillar
from tests.unit.clocks import time_with
from tests.unit.declared.test_next_boot import READY

UNTARGETED = {**cloud_pillar.valid(), "target_version": ""}


class Machine:
    """A node that is away for a while after its reboot is ordered; stands in for SaltAsk and the clock."""

    def __init__(self, evidence=("kernel: 1 runs, 2 is installed",), away=30.0, after=None):
        self.now = 1000.0
        self.stepped = 0.0  # seconds by which the master's clock is set while the node is away
        self.evidence = list(evidence)
        self.left = []
        self.away = away
        self.after = after or {}
        self.down_until = None
        self.workloads = []
        self.stateful = {}
        self.broken = {}
        self.asked = []
        self.members = []
        self.boot = None
        self.risk = ""
        self.stopping = False

    def ask(self, nodes, function, keywords=None, timeout=15):
        self.asked.append(function)
        self.node = nodes[0]
        self.now += 1
        if self.down_until and self.now < self.down_until:
            return {nodes[0]: Answer(None, "no answer", "NODE_SILENT")}
        if self.risk and function == "cluster_member.may_stop":
            return {nodes[0]: Answer(None, self.risk, "QUORUM_AT_RISK")}
        return {nodes[0]: Answer(getattr(self, function.replace(".", "_"))(**(keywords or {})))}

    def sleep(self, seconds):
        self.now += seconds

    def masters_time(self):
        return self.now + (self.stepped if self.down_until else 0)

    def test_ping(self):
        return True

    def reboot_needed_evidence(self):
        return self.evidence

    def reboot_needed_remember_left(self, before):
        assert before == self.evidence
        return self.left

    def node_workloads_found(self):
        return self.workloads

    def node_workloads_stateful(self, fresh):
        assert fresh  # what an operator has edited since counts
        return self.stateful

    def node_reboot_start(self, boot_id, why):
        assert boot_id == "first" and why == self.evidence
        self.down_until = self.now + self.away
        return True

    def node_reboot_state(self):
        state = {"boot_id": "first", "time": self.now + 7, "settled": True, "failed": [], "unmounted": []}
        state["stopping"] = self.stopping
        if self.down_until:
            state |= {"boot_id": "second"} | self.after
            state["time"] += self.after.get("jump", 0)
        return state

    def openstack_node_facts(self, fresh):
        assert fresh, "the share is that of the boot before"
        where = cloud_pillar.node("compute")
        found = cloud_pillar.facts_at(UNTARGETED, cloud_pillar.NEW, where, self.node, next_boot=self.boot)
        return found | (self.broken if self.down_until else {})

    def cluster_member_may_stop(self, leave):
        assert leave, "clients go elsewhere before the node does"
        return self.members

    def cluster_member_put_right(self):
        return []

    def cluster_member_is_back(self, members, timeout):
        assert members == self.members and timeout > 60
        return members

    def datapath_verify(self):
        return {"verified": True}


def reboots(machine, policy="when_required", refuse_lost=lambda: None, **more):
    system = {"reboot": policy, "reboot_timeout": 100}
    model = cloud_pillar.model({**UNTARGETED, "system": system, **more})
    clock = time_with(time=machine.masters_time, monotonic=lambda: machine.now, sleep=machine.sleep)
    return Reboots(model, ask=machine, clock=clock, refuse_lost=refuse_lost)


def test_a_node_that_needs_one_is_rebooted_and_waited_for():
    machine = Machine()
    line = reboots(machine).reboot("cmp1", "compute", True)
    assert line.startswith("rebooted in ") and "kernel: 1 runs" in line
    assert (
        machine.asked[-2:] == ["datapath.verify", "reboot_needed.remember_left"]
        and "node_workloads.found" not in machine.asked
    )


def test_a_node_that_needs_none_is_left_alone_unless_the_policy_says_always():
    assert reboots(Machine(evidence=())).reboot("cmp1", "compute", True) == "no reboot is needed"
    assert reboots(Machine(evidence=()), "always").reboot("cmp1", "compute", True).startswith("rebooted")


@pytest.mark.parametrize("reason", ["LOCK_LOST", "JOURNAL_FAILED"])
def test_who_may_have_lost_the_lock_meanwhile_reboots_nothing(reason):
    machine = Machine()

    def lost():
        assert machine.asked[-1] == "node_reboot.state", "nothing takes time between that and the reboot"
        raise RolloutError(reason, "another process has it")

    with pytest.raises(RolloutError) as refused:
        reboots(machine, refuse_lost=lost).reboot("cmp1", "compute", True)
    assert refused.value.reason == reason and machine.down_until is None


def test_a_reboot_that_did_not_help_is_no_success():
    machine = Machine()
    machine.left = list(machine.evidence)
    with pytest.raises(
        RolloutError, match=r"^REBOOT_WITHOUT_EFFECT: cmp1: rebooted in .*still kernel: 1 runs"
    ):
        reboots(machine).reboot("cmp1", "compute", True)


def test_a_node_that_was_not_drained_must_be_empty_or_named_by_the_policy():
    machine = Machine()
    machine.workloads = ["2 logical ports (a, b)"]
    with pytest.raises(RolloutError) as refused:
        reboots(machine).reboot("cmp1", "compute", False)
    assert refused.value.reason == "NODE_OCCUPIED" and "logical ports" in refused.value.message
    assert machine.down_until is None
    accepting = {"policies": {"compute": {"reboot_occupied": True}}}
    assert reboots(machine, **accepting).reboot("cmp1", "compute", False).startswith("rebooted")
    assert reboots(Machine()).reboot("cmp1", "compute", False).startswith("rebooted")


def test_a_node_that_would_boot_something_else_stays_up():
    machine = Machine()
    machine.boot = READY | {"release": "5.14.0-1.el9.x86_64"}
    for refused in (
        lambda: reboots(machine).refuse_unready("cmp1"),
        lambda: reboots(machine).reboot("cmp1", "compute", True),
        lambda: reboots(machine, "always").reboot("cmp1", "compute", True),
    ):
        with pytest.raises(RolloutError) as failed:
            refused()
        assert failed.value.reason == "BOOT_NOT_READY" and failed.value.nodes == ("cmp1",)
    assert machine.down_until is None and "cluster_member.may_stop" not in machine.asked


@pytest.mark.parametrize("change", [{}, {"unknown": "no boot loader", "loader": "", "release": ""}])
def test_a_boot_that_is_ready_or_cannot_be_told_refuses_nothing(change):
    machine = Machine()
    machine.boot = READY | change
    reboots(machine).refuse_unready("cmp1")
    assert reboots(machine).reboot("cmp1", "compute", True).startswith("rebooted")


def test_what_serves_data_stays_up_unless_its_own_drain_took_it_or_the_policy_accepts_it():
    machine = Machine()
    machine.stateful = {"ceph": ["ceph-osd"]}
    for drained, taken in ((False, ()), (True, ["live_migrate"])):
        with pytest.raises(RolloutError, match="ceph") as refused:
            reboots(machine).reboot("cmp1", "compute", drained, taken)
        assert refused.value.reason == "NODE_OCCUPIED" and machine.down_until is None
    assert reboots(machine).reboot("cmp1", "compute", True, ["live_migrate", "ceph"]).startswith("rebooted")
    machine = Machine()
    machine.stateful = {"nfs": ["nfsd"]}
    accepting = {"policies": {"compute": {"reboot_occupied": True}}}
    assert reboots(machine, **accepting).reboot("cmp1", "compute", False).startswith("rebooted")


def test_a_member_of_clusters_goes_when_they_agree_and_is_back_when_they_are_whole():
    machine = Machine()
    machine.members = ["mariadb", "pacemaker"]
    assert reboots(machine).reboot("ctl1", "controller", True).startswith("rebooted")
    begun = machine.asked.index("node_reboot.start")
    assert machine.asked.index("cluster_member.may_stop") < begun
    assert machine.asked[-2] == "cluster_member.is_back"


def test_a_member_that_its_cluster_cannot_spare_stays_up():
    machine = Machine()
    machine.risk = "mariadb: ctl3 is away"
    with pytest.raises(RolloutError, match=r"^QUORUM_AT_RISK: ctl1: .*ctl3 is away"):
        reboots(machine).reboot("ctl1", "controller", True)
    assert machine.down_until is None


def test_a_member_that_never_went_down_is_put_right():
    machine = Machine()
    machine.node_reboot_start = lambda boot_id, why: refuse()

    def refuse():
        raise RolloutError("NODE_ERROR", "ctl1: the reboot was not scheduled")

    with pytest.raises(RolloutError, match=r"^NODE_ERROR"):
        reboots(machine).reboot("ctl1", "controller", True)
    assert machine.asked[-1] == "cluster_member.put_right"


@pytest.mark.parametrize("role", ["controller", "database"])
def test_of_the_control_plane_one_is_away_at_a_time_whatever_the_batch(role):
    machines = {"ctl1": Machine(), "ctl2": Machine()}
    order = []
    inside = threading.Event()
    go_on = threading.Event()

    def away(nodes, function, keywords=None, timeout=15):
        if function in ("cluster_member.may_stop", "cluster_member.is_back"):
            order.append((nodes[0], function.partition(".")[2]))
        if (nodes[0], function) == ("ctl1", "cluster_member.may_stop"):
            inside.set()
            assert go_on.wait(10)
        machines[nodes[0]].now = one.now
        answer = machines[nodes[0]].ask(nodes, function, keywords, timeout)
        one.now = machines[nodes[0]].now
        return answer

    one = Machine()
    one.ask = away
    own = {"database": {"target": "db*", "plane": "control_plane"}}
    both = reboots(one, roles=cloud_pillar.valid()["roles"] | own)
    for machine in machines.values():
        machine.members = ["mariadb"]
    first = threading.Thread(target=both.reboot, args=("ctl1", role, True))
    first.start()
    assert inside.wait(10)
    second = threading.Thread(target=both.reboot, args=("ctl2", role, True))
    second.start()
    second.join(0.2)
    assert order == [("ctl1", "may_stop")]
    go_on.set()
    first.join(10)
    second.join(10)
    assert order == [(node, asked) for node in machines for asked in ("may_stop", "is_back")]


@pytest.mark.parametrize(
    ("after", "missing"),
    [
        ({"boot_id": "first"}, "still runs the boot from before"),
        ({"settled": False}, "systemd is still starting units"),
        ({"failed": ["x.service"]}, "failed units: x.service"),
        ({"unmounted": ["/srv"]}, "not mounted: /srv"),
        ({"jump": 3600}, "its clock is +"),
    ],
)
def test_a_node_that_is_not_back_whole_in_time_is_told_with_what_is_missing(after, missing):
    assert missing in not_back(Machine(after=after))


@pytest.mark.parametrize("seconds", [-3600, -10, 10, 3600])
def test_a_master_whose_clock_is_set_meanwhile_waits_as_long_and_blames_no_node(seconds):
    machine = Machine()
    machine.stepped = seconds
    assert reboots(machine).reboot("cmp1", "compute", True).startswith("rebooted in ")
    machine = Machine(away=10_000)
    machine.stepped, began = seconds, machine.now
    assert "not back after 100 s: no answer" in not_back(machine)
    assert 100 < machine.now - began < 120


def test_a_node_whose_container_does_not_run_is_not_back():
    machine = Machine()
    machine.broken = {"containers": {}, "managed": ["nova_compute"]}
    stopped = words.difference(Difference("", Kind.NOT_RUNNING, "nova_compute"))
    assert not_back(machine) == f"cmp1: not back after 100 s: {stopped}"


@pytest.mark.parametrize(
    "broken", [{"containers": []}, {"roles": ["ruler"]}, {"schema": 0}, {"health": []}, {"id": "cmp2"}]
)
def test_a_node_that_tells_nonsense_is_not_back(broken):
    machine = Machine()
    machine.broken = broken
    assert not_back(machine).startswith("cmp1: not back after 100 s: cmp1: ")


def not_back(machine):
    with pytest.raises(RolloutError) as failed:
        reboots(machine).reboot("cmp1", "compute", True)
    assert failed.value.reason == "REBOOT_TIMEOUT" and failed.value.nodes == ("cmp1",)
    return failed.value.message


def test_a_node_that_never_answers_again_is_told_so():
    with pytest.raises(RolloutError) as failed:
        reboots(Machine(away=10_000)).reboot("cmp1", "compute", True)
    assert str(failed.value).startswith("REBOOT_TIMEOUT: cmp1: not back after 100 s: no answer")


def test_a_node_that_an_earlier_engine_rebooted_is_waited_for():
    machine = Machine()
    machine.down_until = machine.now + 20
    reboots(machine).wait_for_boot("cmp1")
    assert machine.now >= 1020


def test_a_node_that_does_not_answer_is_refused_as_silent():
    machine = Machine()
    reboots(machine).refuse_silent("cmp1")
    machine.down_until = machine.now + 20
    with pytest.raises(RolloutError, match="NODE_SILENT: cmp1: no answer"):
        reboots(machine).refuse_silent("cmp1")


@pytest.mark.parametrize(
    ("away", "stopping", "rebooted"),
    [(30, False, True), (500, False, False), (None, False, False), (None, True, False)],
)
def test_a_node_that_may_have_been_rebooted_is_waited_for(away, stopping, rebooted):
    machine = Machine()
    machine.stopping = stopping
    if away:
        machine.down_until = machine.now + away
    begun = machine.now
    assert reboots(machine).rebooted_since("cmp1", "first", 60) is rebooted
    waited = machine.now - begun
    assert waited < 5 if not away and not stopping else 25 < waited < 75


def test_a_question_that_a_reboot_lost_is_asked_again():
    machine = Machine()
    machine.down_until = machine.now
    asked = machine.ask

    def lost(nodes, *arguments, **keywords):
        machine.ask = asked
        return {nodes[0]: Answer(None, "lost its job", "NODE_ERROR")}

    machine.ask = lost
    assert reboots(machine).rebooted_since("cmp1", "first", 60)
