"""What operators see of a rollback: its plan, status, report."""

import json

from openstack_rollout.records.way_back import VERSION
from openstack_rollout.rollout import control, dry_run, history, rollback_plan
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.rollback import Asked, Rollback
from openstack_rollout.rollout.status import status
from openstack_rollout.screens import history as screen
from openstack_rollout.screens import tables
from tests.unit.rolling_back import REVERSED, declared, later
from tests.unit.simulated_fleet import digest


def test_who_goes_back_is_told_by_the_report(cloud, master):
    master.update()
    undone = master.run.id
    later(cloud)
    master.roll_back(limit="compute1", stages=("services", "ovs"))
    assert control.report(master.journal)["run"]["rollback"] == undone
    listed = history.history(master.journal)
    assert f"orch.rollback of run {undone}, limited to compute1" in screen.text(listed)


def standing(cloud, master):
    ports = master.ports()
    declared = ports.pillar()
    members = Membership.of(declared, ports.fleet)
    measured = members.measure(ports.fleet, members.ids)
    records = master.journal.nodes(master.run.id)
    known = master.journal.way_back.in_force()
    return status(declared, members, measured, master.run, records, drained={}, gone={}, rollback=known)


def test_status_says_what_is_held_and_how_to_go_on(cloud, master):
    cloud.nodes["compute3"].at = dict.fromkeys(cloud.nodes["compute3"].at, "1.0.1")
    master.update()
    later(cloud)
    master.roll_back()
    data = standing(cloud, master)
    states = {name: node["state"] for name, node in data["nodes"].items()}
    assert states == {
        **dict.fromkeys(["controller1", "controller2", "gateway1", "compute1", "compute2"], "rolled_back"),
        "compute3": "at_target",
    }
    assert data["rollback"]["of"] == master.run.rollback and data["rollback"]["release"] == "1.0.0"
    text = tables.text(data)
    assert "target 1.0.1 is overridden" in text and "Set openstack:target_version to 1.0.0" in text
    assert f"orch.rollback of run {master.run.rollback}, completed" in text


def test_the_plan_is_what_runs_and_says_what_would_change(cloud, master):
    master.update()
    later(cloud)
    banks = json.dumps(master.store.banks)
    data = rollback_plan.planned(master.ports())
    assert json.dumps(master.store.banks) == banks and data["refused"] is None
    text = tables.text(data)
    assert text.startswith(
        f"Rollback of run {master.run.id}: nodes go back to what they were before it (1.0.0)"
    )
    assert "compute1, services:" in text
    (change,) = data["nodes"]["compute1"]["ovs"]
    assert change["changes"] == {"openvswitch": {"old": ["1.0.1"], "new": "1.0.0"}}
    cloud.events.clear()
    master.roll_back()
    assert [stage["stage"] for stage in data["stages"]] == REVERSED
    for stage in data["stages"]:
        ids = [
            node["id"]
            for round_ in stage["rounds"]
            for role in round_["roles"]
            for wave in role["waves"]
            for node in wave["nodes"]
        ]
        assert cloud.statuses("apply", stage=stage["stage"]) == ids


def test_the_plan_names_each_former_image_that_is_gone_by_service_and_node(cloud, master):
    master.update()
    later(cloud)
    former = {name: f"registry.example/{name}@{digest(name, '1.0.0')}" for name in ("ovn", "services")}
    master.told = {node: {"images": [*former.values()]} for node in cloud.nodes}
    assert "compute1" not in rollback_plan.planned(master.ports())["rollback"]["pulls"]
    for node in ("compute1", "compute3"):
        master.told[node] = {"images": [former["services"]]}
    data = rollback_plan.planned(master.ports())
    assert data["rollback"]["pulls"]["compute1"] == {"service ovn": former["ovn"]}
    line = f"compute1, compute3: service ovn: {former['ovn']} is not there any more, and is pulled again"
    assert line in tables.text(data).splitlines() and "compute2: service" not in tables.text(data)


def test_a_plan_that_would_be_refused_says_so(cloud, master):
    declared(cloud, "release")
    master.update()
    later(cloud)
    data = rollback_plan.planned(master.ports())
    assert data["refused"].startswith("IRREVERSIBLE: ") and "would be refused: " in tables.text(data)


def test_the_plan_of_an_update_says_that_it_is_rolled_back(cloud, master):
    master.update()
    later(cloud)
    master.roll_back()
    ports = master.ports()
    assert dry_run.dry_run(ports.pillar(), ports, lambda nodes, stage: {})["refused"].startswith(
        "ROLLED_BACK"
    )


def test_a_look_writes_nothing(cloud, master):
    master.update()
    later(cloud)
    banks = {name: dict(bank) for name, bank in master.store.banks.items()}
    found, error = Rollback(master.ports()).look()
    assert error is None and found.stages == REVERSED and found.release == "1.0.0"
    assert found.backs["compute1"].images["services"].endswith(digest("services", "1.0.0"))
    assert found.backs["compute1"].version == VERSION
    assert {name: dict(bank) for name, bank in master.store.banks.items()} == banks
    assert master.lock.holder() is None


def test_a_node_that_is_no_minion_any_more_is_named_and_in_nobodys_way(cloud, master):
    master.update()
    later(cloud)
    del cloud.nodes["compute3"]
    gone = {"compute3": {"role": "compute", "key": "deleted"}}
    planned = rollback_plan.planned(master.ports())
    assert planned["gone"] == gone
    assert "compute3: it is no accepted minion any more" in tables.text(planned)
    assert master.roll_back()["state"] == "completed" and master.run.gone == gone
    assert all(set(node.at.values()) == {"1.0.0"} for node in cloud.nodes.values())


def test_what_is_asked_is_said_to_the_orchestration():
    assert Asked().said() == {}
    assert Asked("r1", "cmp*", ("ovs",)).said() == {"run": "r1", "limit": "cmp*", "stages": ["ovs"]}


def test_what_somebody_else_moved_since_stays_and_is_told(cloud, master):
    master.update()
    later(cloud)
    master.told["compute2"] = {"others": ["curl", "vim"]}
    planned = rollback_plan.planned(master.ports(), Asked(limit="compute2", stages=("services",)))
    text = tables.text(planned)
    assert "compute2: moved by somebody else since, stays: curl, vim" in text and planned["refused"] is None
    assert text.splitlines()[0].endswith("(1.0.0), limited to compute2")
