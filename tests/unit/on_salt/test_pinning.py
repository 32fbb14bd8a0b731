"""release.pin as operators call it: what is written, and what registries lack."""

from __future__ import annotations

import pytest
import yaml

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import master_pillar, registry
from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.cloud_pillar import NEW, digest, valid
from tests.unit.loading import load

PLACE = f"openstack:releases:{NEW}:images"
TAGGED = {
    "nova_compute_image": "r.example/nova:1",
    "glance_api_image": "r.example/glance:1",
    "cinder_volume_images": {"default": "down.example/c:1", "pure": "down.example/p:1"},
    "heat_api_image": f"r.example/heat@{digest('h')}",
}


@pytest.fixture
def release(monkeypatch):
    """The runner over a pillar with a release by tags, and what registries answer for some of them."""
    openstack = valid()
    openstack["releases"][NEW] |= {"images": TAGGED, "notes": ["give {{ this }} {% to the cloud"]}
    monkeypatch.setattr(master_pillar, "compiled_pillar", lambda _: {"openstack": openstack})
    runner = load("runners", "release")
    runner.answers = {}

    def digests(wanted, reach):
        return {name: runner.answers.get(name, digest(name[-3])) for name in wanted}

    monkeypatch.setattr(registry, "digests", digests)
    return runner


def test_a_release_that_is_pinned_is_rendered_as_it_is_written(release, tmp_path):
    """What a template made of the file before is no template once more."""
    file = tmp_path / "1_0_1.sls"
    answer = release.pin(NEW, output=str(file))
    assert file.read_text(encoding="utf-8").startswith("#!yaml\n")
    assert yaml.safe_load(file.read_text(encoding="utf-8")) == answer
    pinned = answer["openstack"]["releases"][NEW]
    assert pinned["notes"] == ["give {{ this }} {% to the cloud"]
    assert pinned["packages"] == valid()["releases"][NEW]["packages"]
    assert pinned["images"]["cinder_volume_images"] == {
        "default": f"down.example/c@{digest('c')}",
        "pure": f"down.example/p@{digest('p')}",
    }


def test_all_that_registries_lack_is_told_and_nothing_written(release, tmp_path):
    down = RolloutError("REGISTRY_UNREACHABLE", "down.example: no answer within 90 s")
    absent = RolloutError("IMAGE_MISSING", "r.example/nova:1: is not in the registry")
    release.answers = {
        "r.example/nova:1": absent,
        "down.example/c:1": down,
        "down.example/p:1": down,
    }
    with pytest.raises(Refusal) as refused:
        release.pin(NEW, output=str(tmp_path / "1_0_1.sls"))
    first, second = str(refused.value).splitlines()
    assert first.startswith(f"IMAGE_MISSING: {PLACE}:nova_compute_image: r.example/nova:1: is not in")
    assert second.startswith("REGISTRY_UNREACHABLE: down.example: no answer within 90 s")
    assert not list(tmp_path.iterdir())
