"""A preflight of real nodes by a real master: one question to all, and an exit status."""

from __future__ import annotations

import json

from openstack_rollout.on_salt import wiring
from tests.integration.simulated_cloud import NODES


def looked(cloud, *arguments):
    done = cloud.run("rollout.preflight", *arguments, "--out=json")
    return done.returncode, json.loads(done.stdout)


def test_real_nodes_tell_whether_they_are_ready(cloud):
    cloud.fresh()
    status, found = looked(cloud)
    conditions = found["conditions"]
    assert found["preflight"]["verdict"] in ("ok", "warn"), found
    assert status == 0
    assert conditions["nodes"]["verdict"] == conditions["clocks"]["verdict"] == "ok" or "clock" in str(
        conditions["clocks"]["seen"]
    )
    assert not [line for line in conditions["readiness"]["seen"] if "did not tell" in line], conditions
    assert [cloud.at(name) for name in NODES] == [{}] * 3


def test_a_condition_that_refuses_is_exit_status_1(cloud):
    cloud.fresh(cmp1={"broken_facts": True})
    status, found = looked(cloud)
    assert (status, found["preflight"]["verdict"]) == (1, "refuse")
    assert "cmp1" in found["conditions"]["nodes"]["nodes"]
    text = cloud.run("rollout.preflight").stdout
    assert text.rstrip().endswith("refuse: a run would be refused")


def test_what_may_not_be_accepted_is_wrong_use(cloud):
    cloud.fresh()
    for words, line in (
        ("accept=failed_unit", "did you mean failed_units?"),
        ("accept=clusters", "clusters may never be accepted"),
    ):
        for command in (("rollout.preflight", words), ("rollout.run", words), ("rollout.run", "ovn", words)):
            done = cloud.run(*command)
            assert line in done.stdout and "Traceback" not in done.stdout, done.stdout
            assert done.returncode in (1, 2)


def test_what_is_accepted_is_in_the_record_of_the_run(cloud):
    cloud.fresh()
    done = cloud.run("state.orchestrate", "orch.ovn", "pillar={accept: 'failed_units,clocks'}")
    assert done.returncode == 0, done.stdout
    run = wiring.journal(cloud.master.config).latest()
    assert list(run.accepted) == ["failed_units", "clocks"]
    assert run.accepted["clocks"].by.user and run.begun[0].at <= run.finished
