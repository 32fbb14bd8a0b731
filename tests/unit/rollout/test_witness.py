"""Who is asked again, and who is not: what was measured seconds ago counts where nothing happened since."""

from __future__ import annotations

from collections import Counter

import pytest

from openstack_rollout.rollout.witness import RECENT
from tests.unit.simulated_fleet import refusal

HOOK = {"name": "note", "command": ["/usr/local/bin/note"]}
STAGES = ("ovn", "control_plane", "services", "ovs", "system")

CLOUD = {"controller": 1, "compute": 2, "seconds": 5.0}


class Asked:
    """How often nodes are asked in each part of an update."""

    def __init__(self, master, between=lambda part: None):
        self.parts = {}
        self._cloud = master.cloud
        self._part("begin", master.rollout().begin)
        for stage in STAGES:
            between(stage)
            self._part(stage, lambda stage=stage: master.rollout().stage(stage))
        between("finish")
        self._part("finish", master.rollout().finish)

    def _part(self, name, call):
        self._cloud.questioned.clear()
        call()
        self.parts[name] = Counter(self._cloud.questioned)

    @property
    def each(self):
        """Node → how often it was asked in all."""
        return dict(sum(self.parts.values(), Counter()))


def at_target(cloud, *but):
    for node in cloud.nodes.values():
        node.at = {stage: "1.0.0" if stage in but else "1.0.1" for stage in node.at}


def test_a_run_that_has_nothing_to_do_measures_once(cloud, master):
    at_target(cloud)
    assert Asked(master).each == {"controller1": 1, "compute1": 1, "compute2": 1}
    assert master.run.state == "completed"


def test_a_run_that_has_nothing_to_do_measures_again_after_half_a_minute(cloud, master):
    at_target(cloud)

    def wait(part):
        if part == "finish":
            cloud.now += RECENT + 1

    assert set(Asked(master, wait).each.values()) == {2}


def test_stages_that_have_nothing_to_do_ask_nobody(cloud, master):
    at_target(cloud, "services")
    asked = Asked(master)
    assert set(asked.parts["ovn"]) == {"compute1", "compute2"}  # prefetch was there
    assert not asked.parts["control_plane"] and not asked.parts["services"]
    assert not asked.parts["ovs"] and not asked.parts["system"]  # each was verified, or asked, seconds ago
    assert set(asked.parts["finish"]) == {"compute1", "compute2"}  # the others are as they began


def test_a_verify_counts_for_the_start_of_the_next_stage(cloud, master):
    asked = Asked(master)
    assert set(asked.parts["begin"].values()) == {1}
    assert max(asked.each.values()) == 3  # as it begins, after prefetch, and at its end
    assert cloud.statuses("verify") and master.run.state == "completed"


def test_what_is_older_than_half_a_minute_is_asked_again(cloud, master):
    cloud.seconds = 40.0
    asked = Asked(master)
    # compute1 was verified before compute2 was applied, for 40 s.
    assert asked.parts["ovs"]["compute1"] == 1 and not asked.parts["ovs"]["compute2"]


def test_what_a_run_changed_is_measured_once_more_at_its_end(cloud, master):
    at_target(cloud, "system")
    cloud.nodes["controller1"].at["system"] = "1.0.1"

    def dies(part):
        if part == "finish":
            cloud.nodes["compute1"].at["system"] = "1.0.0"

    error = refusal(lambda: Asked(master, dies))
    assert error.reason == "NOT_AT_RELEASE" and "compute1" in error.message
    assert set(cloud.questioned) == {"compute1", "compute2"}


@pytest.mark.parametrize("moment", ["after_verify", "before_apply"])
def test_nothing_counts_across_a_hook_that_follows(cloud, master, moment):
    cloud.openstack["hooks"] = {"services": {moment: [HOOK]}}
    asked = Asked(master).parts["ovs"]
    computes = {"compute1": 1, "compute2": 1} if moment == "after_verify" else {}
    assert {node: times for node, times in asked.items() if node != "controller1"} == computes


def test_nothing_counts_across_an_edit(cloud, master):
    at_target(cloud)

    def edit(part):
        if part == "finish":
            cloud.openstack["packages"] = {"essential": ["bash"]}

    assert set(Asked(master, edit).each.values()) == {2}


def test_nothing_counts_across_a_confirmation(cloud, master):
    cloud.policy("compute", confirm="stage")
    confirmed = []

    def yes():
        run = master.run
        for key in run.questions if run else ():
            if key not in confirmed:
                confirmed.append(key)
                master.journal.confirm(run.id, [key])

    master.before_poll = yes
    asked = Asked(master)
    assert confirmed and asked.parts["ovs"]["controller1"] == 1 and not asked.parts["ovs"]["compute2"]


def test_a_node_that_failed_is_asked_again(cloud, master):
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute1"].faults["services/verify"] = "NODE_ERROR"
    error = refusal(lambda: Asked(master))
    assert error.reason == "FAILURE_BUDGET" and "compute1" in cloud.questioned


def test_another_process_measures_everything(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(lambda: Asked(master))
    cloud.nodes["compute2"].faults.clear()
    asked = Asked(master)
    assert set(asked.parts["begin"].values()) == {1} and len(asked.parts["begin"]) == 3
