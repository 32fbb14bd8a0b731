"""release.import as operators call it: files, a registry, what is written, and its exit status."""

from __future__ import annotations

import os

import pytest
import yaml

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import importing, master_pillar
from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.cloud_pillar import NEW, digest, model, valid
from tests.unit.loading import load


class Registry:
    """Registries that have some images by tag; every other name is not there, or wants a login."""

    def __init__(self, has=(), otherwise="IMAGE_MISSING"):
        self.has, self.otherwise, self.asked = set(has), otherwise, []

    def digests(self, wanted, reach):
        names = list(dict.fromkeys(wanted))
        self.asked += names
        absent = RolloutError(self.otherwise, "not there")
        return {name: digest(name[-1]) if name in self.has else absent for name in names}


@pytest.fixture
def registry(monkeypatch):
    found = Registry()
    monkeypatch.setattr(importing.registry, "digests", found.digests)
    return found


@pytest.fixture
def release(monkeypatch):
    """The runner over a valid pillar."""
    runner = load("runners", "release")
    monkeypatch.setattr(master_pillar, "compiled_pillar", lambda _: {"openstack": valid()})
    runner.__opts__ = {}
    return runner


def source(tmp_path, change=None, name="source.yaml"):
    images = {**valid()["releases"][NEW]["images"], **(change or {})}
    path = tmp_path / name
    path.write_text(yaml.safe_dump({key: one for key, one in images.items() if one}), encoding="utf-8")
    return str(path)


def test_a_whole_release_is_written_with_digests_and_told(release, registry, tmp_path):
    registry.has = {"r.example/nova:3"}
    answer = release.import_(
        source(tmp_path, {"nova_compute_image": "r.example/nova:3"}),
        version="1.0.2-x",
        output=str(tmp_path / "releases"),
    )
    data = answer["data"]
    (path,) = data["written"]
    assert path.endswith("releases/1_0_2-x.sls")
    written = yaml.safe_load((tmp_path / "releases" / "1_0_2-x.sls").read_text(encoding="utf-8"))
    images = written["openstack"]["releases"]["1.0.2-x"]["images"]
    assert images["nova_compute_image"] == f"r.example/nova@{digest('3')}"
    assert registry.asked == ["r.example/nova:3"]
    assert data["imported"] == "image keys" and answer["outputter"] == "rollout"
    (told,) = data["releases"]
    assert (told["missing"], told["changes"]["since"]) == ({}, NEW)


def test_nothing_is_overwritten_and_no_registry_is_asked_then(release, registry, tmp_path):
    there = tmp_path / "own.sls"
    there.write_text("mine", encoding="utf-8")
    wanted = source(tmp_path, {"nova_compute_image": "r.example/nova:3"})
    answer = release.import_(wanted, version="1.0.2", output=str(there))
    assert answer["retcode"] == 2 and "own.sls exists, nothing is overwritten" in answer["Error"]
    assert there.read_text(encoding="utf-8") == "mine"
    assert registry.asked == []


def test_an_enabled_service_without_its_image_is_exit_status_1_after_all_is_told_and_written(
    release, registry, tmp_path
):
    with pytest.raises(Refusal) as refused:
        release.import_(
            source(tmp_path, {"nova_compute_image": None}), version="1.0.2", pin=False, output=str(tmp_path)
        )
    said = str(refused.value)
    assert refused.value.status == 1
    assert "RELEASE_INCOMPLETE: 1.0.2: nova_compute_image (nova)." in said
    assert "release 1.0.2:" in said and f"written: {tmp_path}/1_0_2.sls" in said
    assert (tmp_path / "1_0_2.sls").is_file()


def test_an_image_that_the_registry_lacks_is_refused_and_nothing_written(release, registry, tmp_path):
    with pytest.raises(Refusal, match=r"^IMAGE_MISSING: nova_compute_image: not there\."):
        release.import_(
            source(tmp_path, {"nova_compute_image": "r.example/nova:3"}),
            version="1.0.2",
            output=str(tmp_path),
        )
    assert not (tmp_path / "1_0_2.sls").exists()


def test_several_releases_need_a_folder(release, registry, tmp_path):
    path = tmp_path / "versions.yaml"
    defaults = {name: {"heatAPIImage": f"r.example/h:{name}"} for name in ("18.0.6-1", "18.0.9-1")}
    path.write_text(
        yaml.safe_dump({"kind": "OpenStackVersion", "status": {"containerImageVersionDefaults": defaults}}),
        encoding="utf-8",
    )
    answer = release.import_(str(path), pin=False, output=str(tmp_path / "x.sls"))
    assert answer["retcode"] == 2 and "give a folder, or version=" in answer["Error"]
    with pytest.raises(Refusal, match="RELEASE_INCOMPLETE"):
        release.import_(str(path), pin=False, output=str(tmp_path / "new"))
    assert sorted(one.name for one in (tmp_path / "new").iterdir()) == ["18_0_6-1.sls", "18_0_9-1.sls"]


def test_two_releases_that_one_file_would_be_of_are_refused(release, registry, tmp_path):
    """A dot of a version is no dot of the file's name."""
    path = tmp_path / "versions.yaml"
    defaults = {name: {"heatAPIImage": f"r.example/h:{name}"} for name in ("1.0.6.1", "1.0.6_1")}
    status = {"containerImageVersionDefaults": defaults, "deployedVersion": "1.0.6.1"}
    status["availableVersion"] = "1.0.6_1"
    path.write_text(yaml.safe_dump({"kind": "OpenStackVersion", "status": status}), encoding="utf-8")
    answer = release.import_(str(path), pin=False, output=str(tmp_path / "new"), follows=NEW)
    assert answer["retcode"] == 2 and "1_0_6_1.sls: is one file for 1.0.6.1, 1.0.6_1" in answer["Error"]
    assert not (tmp_path / "new").exists()


def test_a_mark_of_the_encoding_before_a_text_is_no_part_of_it(release, registry, tmp_path):
    path = tmp_path / "list"
    path.write_text("r.example/kolla/heat-engine:2026.1\n", encoding="utf-8-sig")
    with pytest.raises(Refusal, match="RELEASE_INCOMPLETE"):
        release.import_(str(path), pin=False, output=str(tmp_path / "new"))
    assert (tmp_path / "new" / "2026_1.sls").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"source": "/no/such/file"}, "source: /no/such/file: cannot be read: No such file"),
        ({"source": "docker://r.example/kolla"}, "give docker://registry/namespace:tag"),
        ({"source": "docker://kolla:1.1"}, "give docker://registry/namespace:tag"),
        ({"source": 5}, "source: 5 is not a word"),
        ({"source": "x", "pin": "yes"}, "pin: 'yes' is neither True nor False"),
        ({"source": "x", "skip": 5}, "skip: 5 is no list of words"),
        ({"source": "x", "version": 1.1}, "version: 1.1 is not a word"),
    ],
)
def test_a_wrong_argument_is_exit_status_2(release, registry, arguments, said):
    answer = release.import_(**arguments)
    assert answer["retcode"] == 2 and said in answer["Error"]


def test_a_source_that_is_no_text_is_a_wrong_argument(release, tmp_path):
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is no text" in release.import_(str(path))["Error"]


def test_skip_is_a_list_or_words_with_commas(release, registry, tmp_path):
    for skip in ("magnum_*,heat_api_image", ["magnum_*", "heat_api_image"]):
        answer = release.import_(source(tmp_path), version="1.0.2", skip=skip)
        (told,) = answer["data"]["releases"]
        assert {one["name"] for one in told["skipped"]} == {
            "magnum_api_image",
            "magnum_conductor_image",
            "heat_api_image",
        }


def test_what_may_have_no_end_is_not_read(tmp_path):
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(importing.LARGEST + 1)
    for path, said in ((pipe, "is no file"), (large, "has 80000001 bytes, 80000000 are allowed")):
        with pytest.raises(RolloutError, match=rf"^WRONG_ARGUMENT: source: {path}: {said}"):
            importing.read(model(), str(path))


def test_a_place_in_a_registry_has_what_the_tables_name(registry):
    registry.has = {f"r.example:5000/a/kolla/{name}:2026.1-x" for name in ("keystone", "neutron-server")}
    found = importing.read(model(), "docker://r.example:5000/a/kolla:2026.1-x")
    assert sorted(one.reference for one in found.releases[0].images) == sorted(registry.has)
    assert "r.example:5000/a/kolla/openstack-keystone:2026.1-x" in registry.asked
    assert len(registry.asked) == len(set(registry.asked)) > 150
    registry.has = set()
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*has none of the images"):
        importing.read(model(), "docker://r.example/kolla:1.1")


def test_names_that_a_registry_shows_to_nobody_without_a_login_are_told(registry):
    registry.has, registry.otherwise = {"r.example/k/keystone:1.1"}, "REGISTRY_LOGIN"
    found = importing.read(model(), "docker://r.example/k:1.1")
    assert found.notes == (f"REGISTRY_LOGIN for {len(registry.asked) - 1} names of the tables",)
    registry.has = set()
    with pytest.raises(RolloutError, match=r"^REGISTRY_LOGIN"):
        importing.read(model(), "docker://r.example/k:1.1")
    registry.otherwise = "REGISTRY_UNREACHABLE"
    with pytest.raises(RolloutError, match=r"^REGISTRY_UNREACHABLE"):
        importing.read(model(), "docker://r.example/k:1.1")


def test_two_names_of_one_image_in_a_place_are_a_conflict(release, registry):
    registry.has = {"r.example/k/keystone:1.1", "r.example/k/openstack-keystone:1.1"}
    with pytest.raises(Refusal, match=r"^RELEASE_REFUSED: .*keystone_api_image"):
        release.import_("docker://r.example/k:1.1")
    with pytest.raises(Refusal, match="RELEASE_INCOMPLETE") as refused:
        release.import_("docker://r.example/k:1.1", skip="openstack-keystone", pin=False)
    assert "keystone_api_image: r.example/k/keystone:1.1" in str(refused.value)
