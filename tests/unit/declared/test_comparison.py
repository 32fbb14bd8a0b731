"""The release that a node is at, and what many nodes have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.declared.comparison import CUSTOM, Comparison
from openstack_rollout.declared.facts import read
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, digest, model, node, valid
from tests.unit.declared.judged import compared, deployed, found_cloud, told


def test_what_differs_in_some_stages():
    found = compared(told(OLD))
    assert found.open(["ovn", "ovs"]) == [*found.stages["ovn"], *found.stages["ovs"]]
    assert found.open(["control_plane"]) == []


def test_one_old_container_keeps_a_node_from_its_release():
    facts = told()
    facts["containers"]["nova_compute"] |= {"image_id": "a" * 60, "digests": [digest(OLD)]}
    assert deployed(facts) is None
    assert [stage for stage, some in compared(facts).stages.items() if some] == ["services"]


def test_a_custom_image_is_named_custom_and_counts():
    openstack = valid()
    openstack["custom_images"] = {"nova_compute_image": f"registry.example/fix@{digest('x')}"}
    facts = told(openstack=openstack)
    found = compared(facts, openstack=openstack)
    assert found.deployed == NEW
    assert found.services["nova"]["release"] == CUSTOM
    facts["containers"]["nova_compute"]["digests"] = [digest(NEW)]
    assert deployed(facts, openstack=openstack) is None
    assert compared(facts, openstack=openstack).services["nova"]["release"] == NEW


def test_the_target_wins_where_releases_are_alike():
    openstack = valid()
    openstack["releases"]["1.0.2"] = openstack["releases"][NEW]
    assert deployed(told(openstack=openstack), openstack=openstack) == NEW
    openstack["target_version"] = "1.0.2"
    assert deployed(told(openstack=openstack), openstack=openstack) == "1.0.2"


def test_a_release_that_lacks_images_is_none_to_be_at():
    openstack = valid()
    openstack["releases"]["2.0.0"] = {}
    facts = told(openstack=openstack)
    assert deployed(facts, openstack=openstack) == NEW
    assert deployed(facts, node(), openstack) is None


def test_a_target_that_lacks_an_image_is_refused_by_its_key():
    openstack = valid()
    facts = told()
    del openstack["releases"][NEW]["images"]["nova_compute_image"]
    with pytest.raises(
        RolloutError, match=r"^INVALID_PILLAR: .*:images:nova_compute_image: is missing"
    ) as why:
        Comparison(_unchecked(openstack)).compare(read("node1", facts), ("compute",), None)
    assert why.value.reason == "INVALID_PILLAR"


def _unchecked(openstack):
    """A model in which a check of the whole would have found something."""
    whole = model()
    images = openstack["releases"][NEW]["images"]
    release = whole.releases[NEW].model_copy(update={"images": images})
    return whole.model_copy(update={"releases": {**whole.releases, NEW: release}})


@pytest.mark.parametrize(("held", "renews"), [([], True), (["salt-minion"], False)])
def test_a_half_installed_minion_is_renewed(held, renews):
    found = compared(told(unfinished={"half": {"salt-minion": "1"}}, held=held))
    assert found.renews_minion is renews and bool(found.stages["system"]) is renews


@pytest.mark.parametrize("minion", ["none", "done"])
def test_a_minion_that_is_renewed_is_none_to_renew(minion):
    assert compared(told(minion=minion)).stages["system"] == []


@pytest.mark.parametrize(
    ("facts", "renews"),
    [
        ({}, False),
        ({"newer": {"upgrade": {"bash": "1"}}}, False),
        ({"newer": {"upgrade": {"salt-minion": "1"}}}, True),
        ({"minion": "waiting"}, True),
        ({"minion": "failed"}, True),
    ],
)
def test_whether_the_system_stage_renews_salt(facts, renews):
    assert compared(told(**facts)).renews_minion is renews


@pytest.mark.parametrize(("held", "renews"), [([], True), (["salt-minion"], False)])
def test_a_release_that_names_salt_renews_it_unless_it_is_held(held, renews):
    openstack = valid()
    openstack["releases"][NEW]["packages"]["salt-minion"] = "3008.3"
    facts = told(openstack=openstack, held=held)
    facts["packages"]["salt-minion"] = ["3008.2"]
    assert compared(facts, openstack=openstack).renews_minion is renews


def test_comparing_many_nodes_is_the_same_as_comparing_each():
    comparison = Comparison(model())
    for version in (OLD, NEW, OLD):
        facts = read("node1", told(version))
        assert comparison.compare(facts, ("compute",), None) == compared(told(version))


def test_a_node_on_which_nothing_is_carried_and_no_package_is_known_is_at_no_release():
    openstack = found_cloud()
    for release in openstack["releases"].values():
        release["packages"] = {}
    facts = told(NEW, openstack=openstack) | {"carried": {}, "containers": {}}
    assert compared(facts, openstack=openstack).deployed is None


def test_equal_models_have_one_comparison_and_others_have_another():
    first = Comparison.of(model())
    assert Comparison.of(model()) is first
    openstack = valid()
    openstack["releases"][NEW]["packages"]["bash"] = "9"
    for other in (model(openstack), model().turned({"node1": {}})):
        found = Comparison.of(other)
        assert found is not first and found._model is other
    assert Comparison.of(model()) is not found


def test_a_node_is_judged_anew_once_its_answer_or_what_it_is_compared_as_is_another():
    comparison, asked = Comparison(model()), []

    def judge(answer, roles=("compute",), zone="az1"):
        def judged():
            asked.append(answer)
            return comparison.compare(read("node1", answer), roles, zone)

        return comparison.judged(answer, "node1", roles, zone, judged)

    first = judge(told(OLD))
    assert judge(told(OLD)) is first and len(asked) == 1
    changed = told(OLD)
    changed["packages"]["salt-minion"] = ["3008.2"]
    judge(changed)
    assert len(asked) == 2
    assert judge(told(OLD)) == first and len(asked) == 2
    assert judge(told(OLD), zone="az2").zone == "az2" and len(asked) == 3
    for wrong in ({**told(OLD), "reboot": 1}, {**told(OLD), "reboot": True}, {"id": object()}):
        for _ in range(2):
            with pytest.raises(RolloutError, match="FACTS_INVALID"):
                judge(wrong)
    assert len(asked) == 9


def test_nodes_that_tell_the_same_are_judged_once_each_by_its_own_name_and_boot():
    comparison, asked = Comparison(model()), []

    def judge(node, roles=("compute",), **said):
        answer = {**told(OLD), "id": node, **said}

        def judged():
            asked.append(node)
            return comparison.compare(read(node, answer), roles, "az1")

        return comparison.judged(answer, node, roles, "az1", judged)

    first = judge("node1", boot_id="boot1")
    second = judge("node2", boot_id="boot2")
    assert asked == ["node1"]
    assert (second.id, second.boot_id) == ("node2", "boot2")
    assert replace(second, id="node1", boot_id="boot1") == first
    assert judge("node2", boot_id="boot3").boot_id == "boot3" and asked == ["node1"]
    judge("node3", reboot=["kernel"])
    judge("node4", roles=("gateway",))
    assert asked == ["node1", "node3", "node4"]


@pytest.mark.parametrize("wrong", [{"id": "node2"}, {"boot_id": 1}, {"boot_id": "x" * 5000}])
def test_what_is_no_answer_of_a_node_is_refused_whoever_told_the_like(wrong):
    comparison = Comparison(model())

    def judge(answer):
        return comparison.judged(
            answer, "node1", ("compute",), "az1",
            lambda: comparison.compare(read("node1", answer), ("compute",), "az1"),
        )  # fmt: skip

    judge(told(OLD))
    with pytest.raises(RolloutError, match="FACTS_INVALID"):
        judge({**told(OLD), **wrong})


def test_of_answers_that_differ_the_latest_are_kept(monkeypatch):
    monkeypatch.setattr("openstack_rollout.declared.comparison._KEPT", 2)
    comparison, asked = Comparison(model()), []
    first = comparison.compare(read("node1", told(OLD)), ("compute",), None)
    for reason in ("a", "b", "a", "c", "a", "b"):
        answer = {**told(OLD), "reboot": [reason]}
        comparison.judged(answer, "node1", (), None, lambda reason=reason: asked.append(reason) or first)
    assert asked == ["a", "b", "c", "b"]


def test_nodes_that_go_back_are_judged_one_by_one():
    comparison, asked = Comparison(model().turned({})), []
    for name in ("node1", "node2"):
        answer = {**told(OLD), "id": name}
        comparison.judged(answer, name, ("compute",), "az1", lambda name=name: asked.append(name))
    assert asked == ["node1", "node2"]
