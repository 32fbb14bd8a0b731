"""The rollout runner on a real master with real minions; what the stages do is simulated."""

from __future__ import annotations

import shutil
import time

import pytest

from tests.integration.simulated_cloud import NODES, PATIENCE, REPO, SimulatedCloud

REWORDED = """

_SENTENCES = dict.fromkeys(_SENTENCES, lambda one, _: "fnord")


def note(one):
    return "fnord"
"""


@pytest.fixture(scope="module")
def utils(request, tmp_path_factory):
    """The master's library; with --reworded a copy of it in which every sentence is the same."""
    if not request.config.getoption("--reworded"):
        return REPO / "_utils"
    copy = shutil.copytree(REPO / "_utils", tmp_path_factory.mktemp("reworded") / "_utils")
    words = copy / "openstack_rollout" / "declared" / "words.py"
    words.write_text(words.read_text() + REWORDED)
    return copy


@pytest.fixture(scope="module")
def cloud(salt_factories, tmp_path_factory, utils):
    cloud = SimulatedCloud(salt_factories, tmp_path_factory.mktemp("pillar"), utils)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


def test_an_update_in_order_one_node_at_a_time(cloud):
    cloud.fresh()
    assert cloud.json("rollout.status")["deployed"] == "1.0.0"
    watch = cloud.popen("rollout.watch", "timeout=120")
    with cloud.events() as events:
        done = cloud.run("state.orchestrate", "orch.update")
        events.drain()
    assert done.returncode == 0, done.stdout
    seen, _ = watch.communicate(timeout=PATIENCE)
    assert "services: cmp2: verify succeeded" in seen and seen.strip().endswith("completed")
    assert [set(cloud.at(name).values()) for name in NODES] == [{"1.0.1"}] * 3
    started = [
        (e["stage"], e["node"]) for e in events.seen if e["step"] == "apply" and e["status"] == "started"
    ]
    assert started == [
        *(("ovn", name) for name in NODES),
        ("control_plane", "ctl1"),
        *(("services", name) for name in NODES[1:]),
        *(("ovs", name) for name in NODES),
        *(("system", name) for name in NODES),
    ]
    together = {stage: 0 for stage in ("ovn", "control_plane", "services", "ovs", "system")}
    for e in events.seen:
        if e["step"] == "apply":
            together[e["stage"]] = max(together[e["stage"]], e["in_flight"])
    # Where nothing is disturbed both computes go together.
    assert together == {"ovn": 1, "control_plane": 1, "services": 1, "ovs": 2, "system": 2}
    for node in cloud.json("rollout.report")["nodes"].values():
        assert (node["before"]["release"], node["after"]["release"]) == ("1.0.0", "1.0.1")
        assert any(one["have"] != one["want"] for one in node["versions"])
    assert cloud.run("rollout.report", "format=markdown").stdout.startswith("# ✔ Completed")


def test_a_second_update_changes_nothing(cloud):
    done = cloud.run("rollout.run")
    assert done.returncode == 0, done.stdout
    status = cloud.json("rollout.status")
    assert status["deployed"] == "1.0.1" and status["run"]["state"] == "completed"
    assert {node["state"] for node in cloud.json("rollout.report")["nodes"].values()} == {"skipped"}


def test_what_an_update_would_do(cloud):
    cloud.fresh(target_version="1.0.1", policies={"compute": {"batch": 2, "silence": 8}})
    plan = cloud.json("rollout.plan")
    assert plan["refused"] is None and plan["failures"] == {}
    services = next(stage for stage in plan["stages"] if stage["stage"] == "services")
    compute = next(role for role in services["rounds"][0]["roles"] if role["role"] == "compute")
    assert [[node["id"] for node in wave["nodes"]] for wave in compute["waves"]] == [["cmp1", "cmp2"]]
    assert [change["changes"] for change in plan["nodes"]["cmp1"]["services"]] == [{"services": "1.0.1"}]
    assert cloud.at("cmp1") == {}
    assert "simulated services: services would go to 1.0.1" in cloud.run("rollout.plan").stdout


@pytest.mark.parametrize(
    ("pillar", "line"),
    [
        ({"target_version": "9.9"}, "UNKNOWN_TARGET: openstack:target_version: '9.9'"),
        ({"policies": {"compute": {"batch": 0}}}, "INVALID_PILLAR: openstack:policies:compute:batch: 0"),
        ({"policies": {"compute": {"batsh": 1}}}, "did you mean batch?"),
        ({"roles": {"compute": "nothing*"}}, "NO_NODES: openstack:roles:compute: 'nothing*'"),
    ],
)
def test_bad_input_is_refused_in_one_line(cloud, pillar, line):
    cloud.fresh(**pillar)
    refused = cloud.run("rollout.run")
    assert refused.returncode == 1
    assert len(refused.stdout.strip().splitlines()) == 1 and line in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr


def test_a_refusal_fails_the_orchestration_and_touches_nothing(cloud):
    cloud.fresh(target_version="9.9")
    refused = cloud.run("state.orchestrate", "orch.update")
    assert refused.returncode == 1
    assert (
        "UNKNOWN_TARGET: openstack:target_version: '9.9'" in refused.stdout
        and "Traceback" not in refused.stdout
    )
    assert cloud.run("rollout.report").stdout.startswith("NO_RUN: ")


def test_a_node_that_tells_nonsense_is_one_failed_node_and_no_more(cloud):
    forged = {"schema": 3, "id": "cmp1", "deployed": "99.0", "images": ["elsewhere.example/x@sha256:1"]}
    cloud.fresh(cmp1={"facts": forged}, policies={"compute": {"silence": 8, "max_failures": 1}})
    ended = cloud.run("rollout.run", "ovn")
    assert ended.returncode == 1 and "Traceback" not in ended.stdout + ended.stderr
    assert "FAILURE_BUDGET: " in ended.stdout and "without cmp1 (FACTS_INVALID)" in ended.stdout
    assert cloud.at("cmp2") == {"ovn": "1.0.1"} and cloud.at("ctl1") == {"ovn": "1.0.1"}
    status = cloud.json("rollout.status")
    assert status["nodes"]["cmp1"]["reason"] == "FACTS_INVALID"
    cloud.fresh(cmp1={"facts": forged})
    refused = cloud.run("rollout.run", "ovn")
    assert refused.returncode == 1 and refused.stdout.startswith("FACTS_INVALID: cmp1"), refused.stdout


def test_a_minion_restarted_in_the_middle_of_its_job_is_noticed_before_the_silence(cloud):
    cloud.fresh(cmp1={"seconds": {"ovn": 60}}, policies={"compute": {"silence": 20}})
    with cloud.events() as events:
        update = cloud.popen("state.orchestrate", "orch.ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        time.sleep(1)
        cloud.minions["cmp1"].terminate()
        cloud.minions["cmp1"].start()
        output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 1
    assert "NODE_ERROR: cmp1 failed at ovn/apply: lost its job" in output
    assert cloud.json("rollout.abort")["state"] == "aborted"


def test_pause_and_abort_reach_a_running_engine(cloud):
    cloud.fresh(cmp1={"seconds": {"ovn": 4}}, cmp2={"seconds": {"ovn": 4}})
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        assert cloud.json("rollout.pause")["in_flight"] == ["cmp1"]
        output, _ = update.communicate(timeout=PATIENCE)
        assert update.returncode == 1 and output.strip().startswith("PAUSED_BY_OPERATOR: ")
        assert cloud.at("cmp1")["ovn"] == "1.0.1" and "ovn" not in cloud.at("cmp2")
        update = cloud.popen("rollout.resume")
        events.until(update, stage="ovn", node="cmp2", step="apply", status="started")
        assert cloud.json("rollout.abort")["state"] == "aborting"
        output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 1 and output.strip().startswith("ABORTED: ")
    assert cloud.at("cmp2")["ovn"] == "1.0.1"
    assert cloud.json("rollout.status")["run"]["state"] == "aborted"


def test_drains_that_cannot_reach_their_cloud_refuse_in_one_line(cloud):
    cloud.fresh(cloud="nowhere", policies={"compute": {"drain": "live_migrate"}})
    for words, reason in (
        (("workload.risks", "storage"), "NO_NODES"),
        (("workload.risks", "compute"), "INVALID_PILLAR: openstack:cloud: "),
        (("workload.drain", "cmp1"), "INVALID_PILLAR: openstack:cloud: "),
        (("state.orchestrate", "orch.update"), "INVALID_PILLAR: openstack:cloud: "),
    ):
        refused = cloud.run(*words)
        assert refused.returncode == 1
        assert reason in refused.stdout + refused.stderr and "Traceback" not in refused.stderr, refused
    assert [cloud.at(name) for name in ("cmp1", "cmp2")] == [{}, {}]
