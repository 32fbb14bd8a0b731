"""The plan of a run: what it prints for some clouds is kept in plans/, and what runs is what was planned.

`python -m tests.unit.rollout.test_plan` writes the files anew; read their difference before you keep it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openstack_rollout.records.run_record import Trial
from openstack_rollout.rollout import dry_run, plan
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.screens import tables
from tests.lab.agreement import assert_agreed
from tests.unit.rollout.test_run_rounds import Controllers, Fleet
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, digest

PLANS = Path(__file__).parent / "plans"
HOOK = {"name": "note", "command": ["/usr/local/bin/note"]}


def small():
    return Cloud(controller=1, gateway=1, compute=2)


def careful():
    """Canaries, a soak, zones, drains, reboots, hooks."""
    cloud = Cloud(controller=3, gateway=2, compute=8, storage=1)
    cloud.policy("compute", batch="50%", per_zone=2, canary=1, soak=60, drain=DRAIN)
    cloud.openstack["system"] = {"reboot": "when_required"}
    cloud.openstack["hooks"] = {"ovs": {"before_drain": [HOOK]}, "system": {"after_verify": [HOOK]}}
    return cloud


def half_done():
    """One node is at the target, one is on its way."""
    cloud = Cloud(controller=1, compute=3)
    cloud.nodes["compute1"].at = dict.fromkeys(cloud.nodes["compute1"].at, "1.0.1")
    cloud.nodes["compute2"].at["ovn"] = "1.0.1"
    return cloud


def own_roles():
    """Roles of the operator's own in both planes, one of them with a policy as gateways have it."""
    cloud = Cloud(monitoring=1, storage=1, network=2, compute=1, gateway=1, database=2, controller=1)
    cloud.policy("network", batch=2)
    return cloud


CLOUDS = {
    "small": small,
    "careful": careful,
    "half_done": half_done,
    "controllers": Controllers,
    "own_roles": own_roles,
}


def drawn(make, folder):
    cloud = make()
    return dry_run.dry_run(cloud.model, Master(cloud, folder).ports(), lambda nodes, stage: {})


@pytest.mark.parametrize("name", CLOUDS)
def test_a_plan_reads_as_it_is_kept(name, tmp_path):
    assert tables.text(drawn(CLOUDS[name], tmp_path)) + "\n" == (PLANS / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", CLOUDS)
def test_what_runs_is_what_was_planned(name, tmp_path, monkeypatch):
    if name == "controllers":
        monkeypatch.setattr("tests.unit.simulated_fleet.SimulatedFleet", Fleet)
    cloud = CLOUDS[name]()
    master = Master(cloud, tmp_path)
    data = dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    assert master.update()["state"] == "completed"
    events = [event for _, event in cloud.events if event["step"] not in ("run", "stage")]
    if name == "careful":  # the soak measures the canaries once more
        events = once(events)
    assert_agreed(data, events)


def once(events):
    """Without the second verify of a node in a stage."""
    seen, kept = set(), []
    for event in events:
        place = tuple(event.get(key) for key in ("stage", "round", "node", "step", "status"))
        if place not in seen or event["step"] != "verify":
            kept.append(event)
        seen.add(place)
    return kept


class BothPlanes(Cloud):
    """A cloud with a service on controllers and computes, which is all that is left to move."""

    def __init__(self):
        super().__init__(controller=2, compute=2)
        self.openstack["service_types"]["fluentd"] = {
            "image": "fluentd_image", "container": "fluentd", "roles": ["controller", "compute"],
            "stage": "by_plane", "enabled": True, "definition": "declared",
        }  # fmt: skip
        for version, release in self.openstack["releases"].items():
            release["images"]["fluentd_image"] = f"registry.example/x@{digest('fluentd', version)}"
        for node in self.nodes.values():
            node.at = dict.fromkeys(node.at, "1.0.1")

    def facts_of(self, name):
        found = super().facts_of(name)
        stage = "control_plane" if self.nodes[name].role == "controller" else "services"
        version = "1.0.1" if (stage, name) in self.applied else "1.0.0"
        found["containers"]["fluentd"] = {
            **found["containers"]["ovn"], "image_id": version, "digests": [digest("fluentd", version)],
        }  # fmt: skip
        found["managed"].append("fluentd")
        return found


def test_a_service_of_both_planes_moves_in_the_stage_of_each_node(tmp_path):
    cloud = BothPlanes()
    assert Master(cloud, tmp_path).update()["state"] == "completed"
    assert cloud.applied == [
        ("control_plane", "controller1"), ("control_plane", "controller2"),
        ("services", "compute1"), ("services", "compute2"),
    ]  # fmt: skip


def planner(cloud, folder):
    ports = Master(cloud, folder).ports()
    members = Membership.of(cloud.model, ports.fleet)
    found = members.measure(ports.fleet, members.ids).nodes
    return plan.Planner(cloud.model, members, found, ports.drains(cloud.model), "1.0.1")


def test_a_canary_that_failed_has_a_successor(tmp_path):
    made = planner(careful(), tmp_path)
    first = made.role("ovs", "", "compute", None, ())
    assert [node.id for node in first.canaries] == ["compute1"] and first.soak == 60
    second = made.role("ovs", "", "compute", Trial(["compute1"]), {"compute1"})
    assert [node.id for node in second.canaries] == ["compute2"]
    assert "compute1" not in [node.id for node in second.rest]


def test_after_the_soak_there_are_no_canaries(tmp_path):
    role = planner(careful(), tmp_path).role("ovs", "", "compute", Trial(["compute1"], soaked=True), ())
    assert role.canaries == [] and role.soak == 0 and len(role.rest) == 8


def test_what_changed_is_told_by_node(tmp_path):
    stage = planner(half_done(), tmp_path).stage("ovn")
    assert plan.changes(stage, stage) == [] and stage.done == ("compute1", "compute2")
    role = stage.rounds[0].roles[-1]
    none = replace(stage, rounds=(replace(stage.rounds[0], roles=stage.rounds[0].roles[:-1]),))
    assert plan.changes(stage, none) == [f"{role.waves[0].nodes[0].id} needs nothing any more"]
    assert plan.changes(none, stage) == [f"{role.waves[0].nodes[0].id} needs this stage, too"]
    fewer = replace(role, batch=7)
    other = replace(stage, rounds=(replace(stage.rounds[0], roles=(*stage.rounds[0].roles[:-1], fewer)),))
    assert plan.changes(stage, other) == ["another order, or other steps"]


if __name__ == "__main__":
    import tempfile

    for name, make in CLOUDS.items():
        with tempfile.TemporaryDirectory() as folder:
            (PLANS / f"{name}.txt").write_text(tables.text(drawn(make, Path(folder))) + "\n")
