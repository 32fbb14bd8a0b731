"""The conditions of a run: all at once, by fixed names; what warns stops nothing; who accepted is kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import Caller
from openstack_rollout.rollout import conditions, preflight, preflight_command
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.conditions import Finding, Preflight, Seen
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.situation import Situation
from openstack_rollout.vocabulary import AcceptableCondition
from tests.unit.simulated_fleet import Cloud, Master, refusal

ALICE = Caller("sudo_alice", "pts/3")


class Called(Master):
    """A master whose commands somebody calls, at a terminal."""

    def ports(self):
        return replace(super().ports(), caller=lambda: ALICE)


class Interrupted(Cloud):
    """A cloud whose controllers may have a change that died."""

    interrupted = False

    def facts_of(self, name):
        pending = ["control_plane"] if self.interrupted and name.startswith("controller") else []
        return super().facts_of(name) | {"pending": pending}


@pytest.fixture
def cloud():
    return Interrupted(controller=3, compute=2)


@pytest.fixture
def master(cloud, tmp_path):
    return Called(cloud, tmp_path)


def report(master, **asked):
    stage = asked.pop("stage", None)
    return preflight_command.report(master.ports(), stage, Given(**asked))


def verdicts(found):
    return {name: one["verdict"] for name, one in found["conditions"].items()}


def forget_images(master):
    """Have the custom images be those of the last update."""
    master.cloud.hotfix()
    master.journal.track_custom_images("1.0.0", master.cloud.openstack["custom_images"])


def test_a_cloud_that_is_well_has_every_condition_ok(master, cloud):
    found = report(master)
    assert set(verdicts(found)) == set(conditions.CONDITIONS)
    assert set(verdicts(found).values()) == {"ok"} and found["preflight"]["verdict"] == "ok"
    assert cloud.applied == [] and master.run is None and cloud.events == []


def test_all_that_refuses_is_told_at_once(master, cloud):
    forget_images(master)
    master.missing = [("IMAGE_MISSING", "service ovn: is not in the registry")]
    cloud.policy("compute", drain="live_migrate")
    master.drain.unable = RolloutError("NO_SPARE", "nothing is free", ["compute1"])
    found = report(master)
    refused = {name for name, verdict in verdicts(found).items() if verdict == "refuse"}
    assert refused == {"custom_images", "images", "drains"}
    one = found["conditions"]["drains"]
    assert one["seen"] == ["NO_SPARE: nothing is free"] and one["nodes"] == ["compute1"]
    assert one["remedy"] == RolloutError("NO_SPARE", "").remedy
    error = refusal(master.update)
    assert error.reason == "CUSTOM_IMAGES_UNCHANGED"
    assert "refused as well: images, drains" in error.message


def test_a_node_within_the_budget_is_warned_of_and_the_run_goes_on_without_it(master, cloud):
    cloud.policy("compute", max_failures=1)
    cloud.nodes["compute2"].silent = True
    found = report(master)
    assert verdicts(found)["nodes"] == "warn" and found["preflight"]["verdict"] == "warn"
    assert found["conditions"]["nodes"]["nodes"] == ["compute2"]
    assert refusal(master.update).reason == "FAILURE_BUDGET"
    assert master.run.conditions["nodes"]["verdict"] == "warn"
    cloud.policy("compute", max_failures=0)
    assert verdicts(report(master))["nodes"] == "refuse"


def test_what_is_accepted_is_kept_with_the_run_and_who_accepted_it(master, cloud):
    forget_images(master)
    assert refusal(master.update).reason == "CUSTOM_IMAGES_UNCHANGED"
    cloud.nodes["compute1"].faults["apply"] = "APPLY_FAILED"
    master.rollout().begin(given=Given(accept=["custom_images"]))
    refusal(lambda: master.rollout().stage("ovn"))
    called = master.run.accepted["custom_images"]
    assert called.by == ALICE and 0 < called.at <= cloud.now
    assert master.run.conditions["custom_images"]["verdict"] == "accepted"
    assert [one.by for one in master.run.begun] == [ALICE]
    # Its process dies; who goes on need not say it again.
    cloud.nodes["compute1"].faults.clear()
    assert verdicts(report(master))["custom_images"] == "accepted"
    assert master.update(accept=["custom_images"])["state"] == "completed"
    assert len(master.run.begun) == 2
    assert master.run.accepted == {"custom_images": called}  # who says it again was not the first
    # The next run has accepted nothing.
    forget_images(master)
    cloud.openstack["target_version"] = "1.0.2"
    master.journal.track_custom_images("1.0.1", cloud.openstack["custom_images"])
    assert refusal(master.update).reason == "CUSTOM_IMAGES_UNCHANGED"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["custom_image"], "did you mean custom_images?"),
        (["CUSTOM_IMAGES"], "is no condition"),
        (["xyz"], "they are custom_images"),
        (["custom_images", "clusters"], "clusters may never be accepted"),
    ],
)
def test_what_may_not_be_accepted_is_refused_by_name_before_anything(master, cloud, names, words):
    for action in (
        lambda: master.rollout().begin(given=Given(accept=names)),
        lambda: report(master, accept=names),
    ):
        error = refusal(action)
        assert error.reason == "WRONG_ARGUMENT" and words in error.message
    assert master.run is None and master.lock.holder() is None


def test_the_how_to_has_every_condition_and_which_may_be_accepted():
    page = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "preflight.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|never) \|$", page, flags=re.M))
    assert rows == {name: "yes" if one.acceptable else "never" for name, one in conditions.CONDITIONS.items()}


def test_the_pillar_knows_the_conditions_that_may_be_accepted():
    assert sorted(get_args(AcceptableCondition)) == sorted(conditions.acceptable())


def test_what_guards_data_and_quorum_may_never_be_accepted():
    never = {"nodes", "downgrade", "drains", "occupied", "clusters", "addresses", "images", "work"}
    assert never.isdisjoint(conditions.acceptable()) and conditions.acceptable()


def test_another_run_is_a_condition_of_its_own(master, cloud):
    cloud.nodes["compute1"].faults["apply"] = "APPLY_FAILED"
    refusal(master.update)
    found = report(master, stage="system")
    assert verdicts(found)["run"] == "refuse"
    assert found["conditions"]["run"]["seen"][0].startswith("RUN_UNFINISHED")
    assert verdicts(report(master))["run"] == "ok"  # it would go on with it


def test_one_stage_has_the_conditions_of_that_stage(master):
    found = report(master, stage="services")
    assert verdicts(found)["stage_order"] == "refuse" and verdicts(report(master))["stage_order"] == "ok"
    assert refusal(lambda: report(master, stage="kernel")).reason == "WRONG_ARGUMENT"


def test_nothing_is_put_right_for_a_run_that_is_refused(master, cloud):
    asked = []
    ports = replace(master.ports(), clusters=lambda nodes: asked.append(list(nodes)))
    cloud.interrupted = True

    def look(touch):
        model = cloud.model
        members = Membership.of(model, ports.fleet)
        measured = members.measure(ports.fleet, members.ids)
        of = model, members, measured, ["ovn", "control_plane"], ports, ports.drains(model)
        preflight.check(Situation(*of, touch=touch))

    look(touch=True)
    look(touch=False)
    forget_images(master)
    look(touch=True)
    assert [bool(nodes) for nodes in asked] == [True, False, False]


def test_an_operators_request_ends_the_looking():
    def ask():
        raise RolloutError("ABORTED", "run r has ended")

    with pytest.raises(RolloutError, match="ABORTED"):
        preflight._seen(ask)


def test_the_gravest_of_what_was_seen_counts():
    seen = (Seen("ok", "a"), Seen("warn", "b", ("n1",)), Seen("refuse", "c", ("n2",)))
    finding = Finding("custom_images", seen)
    assert finding.verdict == "refuse" and replace(finding, accepted=True).verdict == "accepted"
    assert replace(finding, seen=seen[:2], accepted=True).verdict == "warn"
    assert finding.error.reason == "PREFLIGHT_REFUSED" and "custom_images: c" in finding.error.message
    assert finding.error.nodes == ("n2",)
    assert Preflight((replace(finding, seen=seen[:2]),)).error() is None
    many = Finding("custom_images", tuple(Seen("warn", str(number)) for number in range(100)))
    assert len(many.plain()["seen"]) == 21 and many.plain()["seen"][-1] == "and 80 more"


def test_a_limit_has_the_conditions_of_its_nodes_alone(master, cloud):
    cloud.nodes["compute2"].silent = True
    assert verdicts(report(master))["nodes"] == "refuse"
    limited = report(master, limit="compute1")
    assert verdicts(limited)["nodes"] == "ok" and limited["preflight"]["limit"] == "compute1"
    one = limited["conditions"]["stage_order"]  # what must go first elsewhere
    assert one["verdict"] == "refuse" and "controller1" in one["seen"][0]
