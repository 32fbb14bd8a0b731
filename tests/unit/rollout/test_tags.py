"""Tags of custom images: resolved once when a run begins, kept to its end, moved ones told and taken next."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import tags as declared_tags
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import BANK
from openstack_rollout.rollout import status, tags
from openstack_rollout.rollout.dry_run import dry_run
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.screens import tables
from tests.unit.simulated_fleet import Cloud, Master, digest, refusal

TAG = "registry.example/fix:stable"
#: What the simulated nodes run when they are at the target, and something else.
AT_TARGET, OTHER = digest("services", "1.0.1"), digest("services", "1.0.2")


@pytest.fixture
def cloud():
    cloud = Cloud(controller=1, gateway=1, compute=3)
    cloud.openstack["custom_images"] = {"services_image": TAG}
    return cloud


@pytest.fixture
def master(cloud, tmp_path):
    master = Master(cloud, tmp_path)
    master.tags = {TAG: AT_TARGET}
    return master


def measured(master):
    """What rollout.status tells."""
    parts = master.ports()
    looked = tags.look(master.cloud.model, master.journal.tags(), parts.digests)
    model = tags.recorded(master.cloud.model, master.journal)
    members = Membership.of(model, parts.fleet)
    answers = members.measure(parts.fleet, members.ids)
    return status.status(model, members, answers, master.run, {}, drained={}, gone={}, tags=looked)


def test_a_tag_is_resolved_when_a_run_begins_and_recorded(master):
    assert master.update()["state"] == "completed"
    assert master.journal.tags() == master.run.tags == {TAG: AT_TARGET}
    data = measured(master)
    assert data["deployed"] == "1.0.1"
    assert data["tags"] == [
        {
            "name": "services_image",
            "reference": TAG,
            "recorded": AT_TARGET,
            "now": AT_TARGET,
            "reason": "",
            "message": "",
        }
    ]
    assert "TAG_MOVED" not in tables.text(data)


def test_a_tag_that_moves_under_way_is_taken_by_no_node_of_that_run(cloud, master):
    def move():
        if cloud.statuses("apply", stage="services"):
            master.tags[TAG] = OTHER

    master.before_poll = move
    assert master.update()["state"] == "completed"
    assert master.tags[TAG] == OTHER and master.journal.tags() == {TAG: AT_TARGET}


def test_a_run_that_was_killed_goes_on_with_what_it_took(cloud, master):
    master.dies_while("compute2", "services")
    master.tags[TAG] = OTHER
    first = master.run.id
    assert master.update()["state"] == "completed"
    assert master.run.id == first and master.run.tags == {TAG: AT_TARGET}


def test_the_record_of_the_run_counts_where_the_other_is_lost(cloud, master):
    cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    refusal(master.update)
    master.tags[TAG] = OTHER
    master.store.flush(BANK, "tags")
    cloud.nodes["compute2"].faults.clear()
    assert master.update()["state"] == "completed"
    assert master.journal.tags() == {TAG: AT_TARGET}


def test_a_run_that_was_killed_before_it_wrote_down_what_it_took_goes_on_with_the_record(master):
    master.rollout().begin()
    run = master.run
    run.tags = {}
    master.journal.save(run)
    master.lock.release()
    master.tags[TAG] = OTHER
    assert master.rollout().begin().tags == {TAG: AT_TARGET}


def test_a_moved_tag_is_told_by_status_and_plan_and_taken_by_the_next_run(cloud, master):
    master.update()
    master.tags[TAG] = OTHER
    data = measured(master)
    assert data["deployed"] == "1.0.1", "until a run begins, nodes are what they should be"
    (line,) = [line for line in tables.text(data).splitlines() if "TAG_MOVED" in line]
    assert line == (
        f"TAG_MOVED: openstack:custom_images:services_image: {TAG} was {AT_TARGET} when the last run began,"
        f" and is {OTHER} now: the next run takes it"
    )
    planned = dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    assert planned["refused"] is None
    assert line in tables.text(planned)
    assert {
        node for stage in planned["stages"] for node in str(stage).split("'") if node.startswith("compute")
    }
    assert master.journal.tags() == {TAG: AT_TARGET}, "a plan records nothing"
    run = master.rollout().begin()
    assert master.journal.tags() == run.tags == {TAG: OTHER}


def test_a_tag_that_the_registry_does_not_have_is_refused_before_anything_is_touched(cloud, master):
    master.tags[TAG] = RolloutError("IMAGE_MISSING", f"{TAG}: is not in the registry")
    refused = refusal(master.update)
    assert refused.reason == "IMAGE_MISSING"
    assert refused.message == f"openstack:custom_images:services_image: {TAG}: is not in the registry"
    assert master.run is None and master.journal.tags() == {} and not cloud.applied
    planned = dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
    assert planned["refused"] == f"IMAGE_MISSING: {refused.message}"
    assert "whether it moved cannot be told" in tables.text(measured(master))


def test_conditions_are_looked_at_with_what_a_run_would_take(master):
    model = tags.expected(master.ports(), None, "orch.update", ["services"])
    assert model.custom_images == {"services_image": f"registry.example/fix@{AT_TARGET}"}
    master.tags[TAG] = RolloutError("REGISTRY_UNREACHABLE", "registry.example: no answer")
    assert tags.expected(master.ports(), None, "orch.update", ["services"]).custom_images == {
        "services_image": TAG
    }
    assert master.journal.tags() == {}


def test_a_refused_run_takes_nothing(cloud, master):
    master.update()
    master.tags[TAG] = OTHER
    master.missing = [("REGISTRY_UNREACHABLE", "registry.example: no answer")]
    assert refusal(master.rollout().begin).reason == "REGISTRY_UNREACHABLE"
    assert master.journal.tags() == {TAG: AT_TARGET}


def test_a_run_of_the_system_alone_moves_no_tag(cloud, master):
    master.update()
    master.tags[TAG] = OTHER
    run = master.rollout().begin("orch.system", ["system"])
    assert run.tags == master.journal.tags() == {TAG: AT_TARGET}
    master.tags[TAG] = RolloutError("REGISTRY_UNREACHABLE", "registry.example: no answer")
    assert declared_tags.of(tags.recorded(cloud.model, master.journal)) == {}


def test_what_is_no_tag_any_more_is_forgotten(cloud, master):
    master.update()
    cloud.openstack["custom_images"] = {}
    master.update()
    assert master.journal.tags() == {}


def test_a_journal_from_before_is_read(cloud, master):
    cloud.openstack["custom_images"] = {}
    master.update()
    run = master.store.fetch(f"{BANK}/runs", master.run.id)
    del run["tags"]
    master.store.store(f"{BANK}/runs", run["id"], run)
    assert master.run.tags == {} and master.journal.tags() == {}
