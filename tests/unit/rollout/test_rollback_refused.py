"""What is not undone, by name, before anything starts."""

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.way_back import Former
from openstack_rollout.rollout import asking, back_order
from openstack_rollout.rollout.rollback import KEYS, Asked
from tests.unit.rolling_back import as_they_are, declared, later
from tests.unit.simulated_fleet import STAGES_OF, Cloud, Master, SimulatedNode, digest, refusal


def test_the_rollback_of_a_rollback_is_refused_by_name(cloud, master):
    master.update()
    later(cloud)
    master.roll_back()
    later(cloud)
    error = refusal(lambda: master.roll_back(master.run.id))
    assert error.reason == "IRREVERSIBLE" and "is a rollback itself" in error.message


def test_a_rollback_to_a_run_before_the_last_is_refused(cloud, master):
    master.update()
    first = master.run.id
    cloud.openstack["target_version"] = "1.0.2"
    later(cloud)
    master.update()
    second = master.run.id
    later(cloud)
    error = refusal(lambda: master.roll_back(first))
    assert error.reason == "IRREVERSIBLE" and f"run {second} has moved it since" in error.message
    master.roll_back()
    assert all(set(node.at.values()) == {"1.0.1"} for node in cloud.nodes.values())


def test_a_run_whose_journal_does_not_say_what_nodes_were_is_refused(cloud, master):
    """As one that a version of this program without rollbacks has written."""
    master.update()
    master.store.flush(f"openstack/rollout/runs/{master.run.id}/before")
    later(cloud)
    error = refusal(master.roll_back)
    assert error.reason == "IRREVERSIBLE" and "does not say what it was" in error.message


@pytest.mark.parametrize("where", ["release", "service", "release's service"])
def test_what_is_declared_irreversible_is_refused_by_name(cloud, master, where):
    declared(cloud, where)
    master.update()
    if where == "release":
        del cloud.openstack["releases"]["1.0.1"]["irreversible"]  # it was so when they came there
    before, runs = as_they_are(cloud), master.journal.run_ids()
    later(cloud)
    error = refusal(master.roll_back)
    assert error.reason == "IRREVERSIBLE" and "irreversible" in error.message
    assert ("compute1" in error.message) is (where == "release")
    assert as_they_are(cloud) == before and master.journal.run_ids() == runs
    assert master.journal.way_back.in_force() is None and master.lock.holder() is None


def test_an_irreversible_service_that_the_run_did_not_move_is_in_nobodys_way(cloud, master):
    declared(cloud, "service")
    for name in ("controller1", "controller2"):
        cloud.nodes[name].at["control_plane"] = "1.0.1"
    master.update()
    later(cloud)
    assert master.roll_back()["state"] == "completed"


class Migrating(Cloud):
    """A release with a migration, which nodes have done once their stage is at it."""

    def facts_of(self, name):
        node = self.nodes[name]
        forward = not (self.journal and self.journal.way_back.in_force())
        due = forward and node.role == "controller" and node.at["control_plane"] == "1.0.0"
        migrations = [{"name": "online data", "stage": "control_plane"}] if due else []
        return {**super().facts_of(name), "migrations": migrations}


@pytest.mark.parametrize("reversible", [False, True])
def test_a_migration_that_ran_is_refused_by_name(tmp_path, reversible):
    cloud = Migrating(controller=1, compute=1)
    cloud.openstack["releases"]["1.0.1"]["migrations"] = [
        {"name": "online data", "stage": "control_plane", "command": ["true"], "reversible": reversible}
    ]
    master = Master(cloud, tmp_path)
    master.update()
    later(cloud)
    if reversible:
        assert master.roll_back()["state"] == "completed"
        assert "after_apply" not in {data["step"] for _, data in cloud.events if data["run"] == master.run.id}
        return
    error = refusal(master.roll_back)
    assert error.reason == "IRREVERSIBLE" and "migration online data has run" in error.message


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"missing": {"bash": "no repository has it"}}, "system: package bash: no repository has it"),
        ({"cannot": {"system": ["kernel 5.14.0-2 is in use"]}}, "system: kernel 5.14.0-2 is in use"),
    ],
)
def test_what_a_node_cannot_bring_back_is_named_before_anything_starts(cloud, master, told, named):
    master.update()
    later(cloud)
    cloud.applied.clear()
    master.told["compute2"] = told
    error = refusal(master.roll_back)
    assert error.reason == "IRREVERSIBLE" and f"compute2: {named}" in error.message and not cloud.applied


def test_an_image_that_is_nowhere_is_refused_before_anything_starts(cloud, master):
    master.update()
    later(cloud)
    master.missing = [("IMAGE_MISSING", "ovn: the registry has no such digest")]
    cloud.applied.clear()
    assert refusal(master.roll_back).reason == "IMAGE_MISSING" and not cloud.applied
    assert master.journal.way_back.in_force() is None and not master.run.rollback


def test_a_limit_that_breaks_the_order_is_refused_by_name(cloud, master):
    master.update()
    later(cloud)
    error = refusal(lambda: master.roll_back(limit="controller*"))
    assert error.reason == "STAGE_OUT_OF_ORDER" and "compute1" in error.message
    error = refusal(lambda: master.roll_back(stages=("control_plane",)))
    assert error.reason == "STAGE_OUT_OF_ORDER" and "control_plane goes back after services" in error.message
    error = refusal(lambda: master.roll_back(limit="compute1"))
    assert error.reason == "STAGE_OUT_OF_ORDER" and "ovn goes back after" in error.message
    assert master.journal.way_back.in_force() is None
    assert refusal(lambda: master.roll_back(limit="nobody*")).reason == "NO_NODES"


@pytest.fixture
def small(tmp_path):
    return Master(Cloud(controller=1, gateway=1, compute=1), tmp_path)


def test_what_a_later_run_moved_elsewhere_is_not_left_newer_than_its_control_plane(small):
    cloud, runs = small.cloud, []
    for stage in ("ovn", "control_plane", "services"):
        small.rollout().stage(stage)
        runs.append(small.run.id)
        later(cloud)
    error = refusal(lambda: small.roll_back(runs[1]))
    assert error.reason == "STAGE_OUT_OF_ORDER" and error.nodes == ("compute1", "gateway1")
    assert error.message.startswith(f"control_plane goes back after services, which run {runs[2]} has moved")
    assert f"which run {runs[1]} has moved" in refusal(lambda: small.roll_back(runs[0])).message
    small.roll_back(runs[2])
    later(cloud)
    assert small.roll_back(runs[1])["state"] == "completed"
    assert cloud.nodes["controller1"].at["control_plane"] == "1.0.0"


def test_a_later_run_that_moved_a_node_from_another_release_is_in_nobodys_way(cloud):
    def images(version, *stages):
        return {stage: f"registry.example/{stage}@{digest(stage, version)}" for stage in stages}

    def was_at(*former):
        return back_order._was_at(Former(*former), cloud.model, "1.0.0")

    assert was_at("1.0.0", images("1.0.0", "ovn"))
    assert was_at("", {**images("1.0.1", "ovn"), **images("1.0.0", "services")})
    assert not was_at("1.0.1", images("1.0.1", "ovn", "services"))
    assert not was_at("", {**images("1.0.1", "ovn"), "glance": "registry.example/glance@sha256:ff"})
    assert was_at("", {}) and back_order._was_at(None, cloud.model, "1.0.0")
    assert back_order._was_at(Former("1.0.1", images("1.0.1", "ovn")), cloud.model, "")


@pytest.mark.parametrize("by_a_run", [True, False])
def test_a_node_that_was_added_since_is_not_left_newer_than_its_control_plane(small, by_a_run):
    cloud = small.cloud
    small.update()
    first = small.run.id
    later(cloud)
    at = "1.0.0" if by_a_run else "1.0.1"
    cloud.nodes["compute9"] = SimulatedNode("compute", "az1", dict.fromkeys(STAGES_OF["compute"], at))
    if by_a_run:
        small.update()
        later(cloud)
    error = refusal(lambda: small.roll_back(first))
    assert (error.reason, error.nodes) == ("STAGE_OUT_OF_ORDER", ("compute9",))
    why = f"which run {small.run.id} has moved" if by_a_run else "is at a newer release there: bring it back"
    assert " goes back " in error.message and why in error.message
    assert cloud.nodes["controller1"].at["control_plane"] == "1.0.1"
    if by_a_run:
        assert small.roll_back()["state"] == "completed" and cloud.nodes["compute9"].at["services"] == "1.0.0"
    else:
        cloud.nodes["compute9"].at = dict.fromkeys(STAGES_OF["compute"], "1.0.0")
    later(cloud)
    assert small.roll_back(first)["state"] == "completed"
    assert cloud.nodes["controller1"].at["control_plane"] == "1.0.0"


def test_a_silent_node_that_has_to_go_back_is_refused(cloud, master):
    master.update()
    later(cloud)
    cloud.nodes["compute3"].silent = True
    assert refusal(master.roll_back).reason == "NODE_SILENT"
    assert master.journal.way_back.in_force() is None
    cloud.policy("compute", max_failures=1)
    assert refusal(master.roll_back).reason == "FAILURE_BUDGET"
    assert cloud.nodes["compute1"].at["services"] == "1.0.0"


@pytest.mark.parametrize(
    "asked",
    [{"limit": ""}, {"limit": "x and"}, {"stages": ("service",)}, {"accept": ("installer",)}],
)
def test_what_cannot_be_meant_is_refused(asked):
    with pytest.raises(RolloutError) as refused:
        Asked(**asked)
    assert refused.value.reason == "WRONG_ARGUMENT"


@pytest.mark.parametrize(
    ("key", "known"),
    [
        *((key, KEYS) for key in ("limti", "rollback", "until", "target")),
        *((key, asking.KEYS) for key in ("limti", "hosts", "stage", "break_")),
    ],
)
def test_what_an_orchestration_does_not_know_is_refused_since_it_may_mean_nodes(key, known):
    def own():
        return {"openstack": {}, "salt": {}}

    asking.refuse_unknown(["limit", "openstack", "salt"], own, known)
    with pytest.raises(RolloutError, match=f"WRONG_ARGUMENT: pillar: there is no '{key}'"):
        asking.refuse_unknown(["limit", key, "openstack"], own, known)
