"""Which releases exist, which is wanted, and which image each has."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import releases
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.releases import Release
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, model


def holding(*versions, **keys):
    return Model().model_copy(update={"releases": dict.fromkeys(versions, Release()), **keys})


def test_versions_are_ordered_as_versions():
    some = holding("1.0.10", "1.0.9", "1.0.10rc1", "2.0")
    assert releases.versions(some) == ["1.0.9", "1.0.10rc1", "1.0.10", "2.0"]
    assert releases.available(some) == "2.0"
    assert releases.available(Model()) is None


def test_names_that_are_no_versions_of_python_are_ordered_by_what_they_say():
    some = holding("18.0.9-20250605.1", "1.2.3.1234567890.p", "18.0.6-20250403.1", "17.1_20240827.1")
    ordered = ["1.2.3.1234567890.p", "17.1_20240827.1", "18.0.6-20250403.1", "18.0.9-20250605.1"]
    assert releases.versions(some) == ordered
    assert releases.available(some) == ordered[-1]


def test_the_target_is_what_the_operator_set():
    assert releases.target(model()) == NEW
    with pytest.raises(
        RolloutError, match=r"^UNKNOWN_TARGET: openstack:target_version: is not set; .*1\.0\.0, 1\.0\.1"
    ):
        releases.target(model(target_version=""))
    with pytest.raises(RolloutError, match="the catalogue is empty"):
        releases.target(Model())


@pytest.mark.parametrize("stages", [["ovn"], ["ovn", "system"], []])
def test_only_the_system_stage_alone_needs_no_target(stages):
    assert releases.wanted(model(), stages) == NEW
    assert releases.wanted(model(target_version=""), ["system"]) == releases.NO_RELEASE
    with pytest.raises(RolloutError, match="UNKNOWN_TARGET"):
        releases.wanted(model(target_version=""), stages)


def test_getting_a_release():
    assert releases.get(model(), OLD) is not releases.get(model(), NEW)
    assert releases.get(Model(), releases.NO_RELEASE) == Release()
    with pytest.raises(
        RolloutError,
        match=r"^UNKNOWN_TARGET: .*1\.0\.9.* is not a release; the catalogue has 1\.0\.0, 1\.0\.1",
    ):
        releases.get(model(), "1.0.9")
    with pytest.raises(RolloutError, match="EMPTY_CATALOGUE"):
        releases.get(Model(), NEW)


def test_references_by_key_and_back_end():
    images = {"a": "r1", "b": {"x": "r2", "y": "r3"}}
    assert list(releases.references_of(images)) == [("a", "a", "r1"), ("b:x", "b", "r2"), ("b:y", "b", "r3")]


@pytest.mark.parametrize(
    ("own", "custom", "backend", "found"),
    [
        ({}, {}, None, None),
        ({"k": "r"}, {}, None, "r"),
        ({"k": "r"}, {"k": "c"}, None, "c"),
        ({}, {"k": "c"}, None, "c"),
        ({"k": {"default": "r"}}, {}, None, None),
        ({"k": {"x": "r"}}, {}, "y", None),
        ({"k": {"x": "r"}}, {"k": {"default": "c"}}, "y", "c"),
    ],
)
def test_the_image_of_a_key(own, custom, backend, found):
    declared = Model().model_copy(update={"custom_images": custom})
    assert releases.image(declared, Release().model_copy(update={"images": own}), "k", backend) == found
