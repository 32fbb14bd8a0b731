"""Releases and custom images of an OpenStackVersion."""

from __future__ import annotations

import json

import pytest
import yaml

from openstack_rollout.declared import importing
from openstack_rollout.declared.sources import telling
from openstack_rollout.errors import RolloutError
from tests.unit.declared.sources.given_sources import MODEL, imported, skipped, text


def resource(defaults, custom=None, **status):
    return yaml.safe_dump(
        {
            "kind": "OpenStackVersion",
            "spec": {"customContainerImages": custom or {}},
            "status": {"containerImageVersionDefaults": defaults, **status},
        }
    )


def test_each_entry_is_a_release_and_custom_images_are_apart():
    images, taken, custom = imported(text("openstackversion.yaml"))
    assert list(images) == ["18.0.9-20250605.1", "18.0.11-20260110.1"]
    assert images["18.0.11-20260110.1"] == {
        "keystone_api_image": "reg.example/os/keystone:11",
        "manila_share_images": {"default": "reg.example/os/share:11"},
    }
    assert all(not one.skipped and not one.repaired for one in taken)
    assert importing.nested(custom.images) == {
        "keystone_api_image": "reg.example/fix/keystone:18.0.11-fix2",
        "manila_share_images": {
            "default": "reg.example/fix/share:18.0.11",
            "netapp": "reg.example/vendor/share-netapp:latest",
        },
        "placement_api_image": "reg.example/fix/placement:18.0.11-fix2",
    }
    assert custom.repaired == {"placementApiImage": "placementAPIImage"}
    assert custom.latest == ["manila_share_images:netapp"]
    assert skipped(custom) == {"testTobikoImage": ("no_node", "")}


def test_one_of_several_releases_is_chosen_by_its_version():
    images, _, custom = imported(text("openstackversion.yaml"), version="18.0.9-20250605.1")
    assert list(images) == ["18.0.9-20250605.1"]
    assert custom.images
    with pytest.raises(
        RolloutError, match=r"^WRONG_ARGUMENT: version: '18.0.8' is not in the OpenStackVersion, it"
    ):
        imported(text("openstackversion.yaml"), version="18.0.8")


def test_a_version_that_looks_like_a_number_stays_what_it_is():
    source = resource({"18.0": {}}).replace("'18.0'", "18.10").replace("{}", "{heatAPIImage: r.example/h:1}")
    assert list(imported(source)[0]) == ["18.10"]


@pytest.mark.parametrize(
    ("name", "key", "repaired"),
    [
        ("heatCfnapiImage", "heat_cfnapi_image", None),
        ("ovnNbDbclusterImage", "ovn_nb_dbcluster_image", None),
        ("edpmOvnBgpAgentImage", "edpm_ovn_bgp_agent_image", None),
        ("ironicAPIImage", "ironic_api_image", None),
        ("IronicApiImage", "ironic_api_image", "ironicAPIImage"),
        ("heatCfnApiImage", "heat_cfnapi_image", "heatCfnapiImage"),
        ("OVNNBDBCLUSTERIMAGE", "ovn_nb_dbcluster_image", "ovnNbDbclusterImage"),
        ("rabbitMQImage", "rabbitmq_image", "rabbitmqImage"),
    ],
)
def test_names_are_read_whatever_their_case_and_each_repair_is_told(name, key, repaired):
    images, (taken,), _ = imported(resource({"1.1": {name: "r.example/x:1"}}))
    assert images == {"1.1": {key: "r.example/x:1"}}
    assert taken.repaired == ({name: repaired} if repaired else {})


def test_what_is_misspelt_otherwise_is_named_and_not_taken():
    custom = {"glanceAIPImage": "r.example/g:1", "heatAPIImage": None, "novaComputeImage": ""}
    _, _, custom = imported(resource({"1.1": {"heatAPIImage": "r.example/h:1"}}, custom))
    assert not custom.images
    assert skipped(custom) == {
        "glanceAIPImage": ("unknown", ", did you mean glanceAPIImage?"),
        "heatAPIImage": ("empty", ""),
        "novaComputeImage": ("empty", ""),
    }


def test_two_spellings_of_one_image_are_equal_or_refused():
    same = {"glanceAPIImage": "r.example/g:1", "glanceApiImage": "r.example/g:1"}
    _, (taken,), _ = imported(resource({"1.1": same}))
    assert taken.repeated == ["glanceApiImage"]
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*glance_api_image"):
        imported(resource({"1.1": same | {"glanceApiImage": "r.example/g:2"}}))


def test_a_map_for_one_image_is_refused_and_one_image_for_a_map_is_its_default():
    _, _, custom = imported(
        resource({"1.1": {"heatAPIImage": "r.example/h:1"}}, {"cinderVolumeImage": "r.example/c:1"})
    )
    assert custom.images == {"cinder_volume_images:default": "r.example/c:1"}
    with pytest.raises(RolloutError, match="heat_api_image is one image, and no map of back ends"):
        imported(
            resource({"1.1": {"glanceAPIImage": "r.example/h:1"}}, {"heatAPIImage": {"a": "r.example/c:1"}})
        )


def test_without_defaults_there_is_no_release():
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*availableVersion is '18.0.9-20250605.1'"):
        imported(resource({}, availableVersion="18.0.9-20250605.1"))


def test_what_is_deployed_is_older_than_what_is_available_where_names_do_not_tell():
    defaults = {name: {"heatAPIImage": f"r.example/h:{name}"} for name in ("zed", "antelope")}
    source = telling.read(resource(defaults, deployedVersion="zed", availableVersion="antelope"))
    found, _ = importing.read(MODEL, source, None, (), "1.0.1")
    assert [(one.version, one.content().get("follows")) for one in found] == [
        ("zed", "1.0.1"),
        ("antelope", "zed"),
    ]
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: SOURCE: is .*zed.* newer\?"):
        importing.read(MODEL, source, None, (), None)


def test_versions_that_the_resource_names_and_does_not_have_are_told():
    source = telling.read(resource({"1.1": {}}, availableVersion="1.2"))
    assert source.notes == ("status:availableVersion: '1.2' is none of its releases",)


def test_json_is_a_source_however_it_is_indented():
    plain = yaml.safe_load(resource({"1.1": {"heatAPIImage": "r.example/h:1"}}))
    for indent in (None, 4, "\t"):
        images, _, _ = imported(json.dumps(plain, indent=indent))
        assert images == {"1.1": {"heat_api_image": "r.example/h:1"}}


def test_a_map_without_a_back_end_is_named():
    _, _, custom = imported(resource({"1.1": {"heatAPIImage": "r.example/h:1"}}, {"cinderVolumeImages": {}}))
    assert skipped(custom) == {"cinderVolumeImages": ("empty", "")}
    images = {"heat_api_image": "r.example/h:1.1", "cinder_volume_images": {}}
    for one in (images, {"openstack": {"releases": {"1.1": {"images": images}}}}):
        _, (taken,), _ = imported(yaml.safe_dump(one))
        assert skipped(taken) == {"cinder_volume_images": ("empty", "")}


def test_a_version_too_long_for_any_name_is_refused_by_what_it_is():
    long = "1" * 5000
    text = f"kind: OpenStackVersion\nstatus:\n  containerImageVersionDefaults:\n    ? {long}\n"
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*is too long: 5000 characters"):
        imported(f"{text}    : {{heatAPIImage: 'r.example/h:1'}}\n")
