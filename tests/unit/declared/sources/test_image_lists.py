"""Releases of lists of images: kolla's, TripleO's, image keys, and release files."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from openstack_rollout.declared import importing
from openstack_rollout.declared.sources import telling
from openstack_rollout.errors import RolloutError
from tests.unit.declared.sources.given_sources import MODEL, imported, skipped, text


def test_kollas_list_is_a_release_named_by_its_tag():
    images, (taken,), _ = imported(text("kolla.txt"))
    place = "reg.example:4000/kolla"
    assert images == {
        "2025.2-debian-bookworm": {
            "designate_backendbind9_image": f"{place}/designate-backend-bind9:2025.2-debian-bookworm",
            "nova_api_image": f"{place}/nova-api:2025.2-debian-bookworm",
            "ovn_sb_dbcluster_image": f"{place}/ovn-sb-db-server:2025.2-debian-bookworm",
            "trove_taskmanager_image": f"{place}/trove-taskmanager:2025.2-debian-bookworm",
            "watcher_decision_engine_image": f"{place}/ubuntu-source-watcher-engine:2025.2-debian-bookworm",
        }
    }
    assert skipped(taken) == {f"{place}/grafana:11": ("unknown", "")}
    assert taken.copied == {}


@pytest.mark.parametrize(
    "name",
    [
        "keystone",
        "openstack-keystone",
        "openstack-keystone-rhel9",
        "centos-binary-keystone",
        "debian-source-keystone",
    ],
)
@pytest.mark.parametrize("place", ["r.example", "r.example:5000/a/b", "localhost:5000/x", "[::1]:5000/x"])
def test_the_last_part_of_a_name_tells_the_image(place, name):
    images, _, _ = imported(f"{place}/{name}:1.5\n")
    assert images == {"1.5": {"keystone_api_image": f"{place}/{name}:1.5"}}


def test_a_list_in_yaml_or_json_is_one_too():
    for one in (
        "- r.example/k/nova-api:3.1\n- r.example/k/heat-engine:3.1\n",
        '["r.example/k/nova-api:3.1",\n "r.example/k/heat-engine:3.1"]',
    ):
        images, _, _ = imported(one)
        assert images == {
            "3.1": {
                "heat_engine_image": "r.example/k/heat-engine:3.1",
                "nova_api_image": "r.example/k/nova-api:3.1",
            }
        }


@pytest.mark.parametrize(
    "source",
    [
        "r.example/k/nova-api:latest\n",
        "r.example/k/nova-api:current-podified\n",
        "r.example/k/nova-api:1.1\nr.example/k/nova-conductor:1.2\n",
        "r.example/k/nova-api@sha256:" + "a" * 64,
    ],
)
def test_a_version_that_no_tag_tells_is_asked_for(source):
    with pytest.raises(
        RolloutError, match=r"^WRONG_ARGUMENT: version: give one: the list of images has none"
    ):
        imported(source)
    assert list(imported(source, version="2026.1-x")[0]) == ["2026.1-x"]


def test_a_name_that_is_there_twice_is_equal_or_refused():
    _, (taken,), _ = imported("r.example/k/nova-api:1.1\nr.example/k/nova-api:1.1\n")
    assert taken.repeated == ["r.example/k/nova-api:1.1"]
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*\(line 2\).* \(line 1\)"):
        imported("r.example/k/nova-api:1.1\nr.example/other/nova-api:1.1\n")


def test_rhosos_list_of_names_copies_what_rhoso_copies():
    images, (taken,), _ = imported(
        "r.example/o/openstack-neutron-server:1.1\nr.example/o/openstack-frr:1.1\n"
    )
    assert taken.copied == {"infra_dnsmasq_image": "neutron_api_image"}
    assert "edpm_frr_image" in images["1.1"]
    _, (taken,), _ = imported("r.example/k/neutron-server:1.1\n")
    assert taken.copied == {}, "kolla has an image of its own for it"


def test_tripleos_parameters():
    images, (taken,), _ = imported(text("tripleo.yaml"))
    (release,) = images.values()
    assert list(images) == ["17.1_20240827.1"]
    assert sorted(release) == [
        "cinder_volume_images",
        "designate_backendbind9_image",
        "mariadb_image",
        "nova_novnc_image",
    ]
    assert (
        release["mariadb_image"] == "undercloud.ctlplane:8787/rhosp-rhel9/openstack-mariadb:17.1_20240827.1"
    )
    assert skipped(taken) == {
        "ContainerCinderVolumeConfigImage": ("no_node", ""),
        "ContainerHAProxyImage": ("unknown", ""),
    }
    assert telling.read(text("tripleo.yaml")).notes == ("1 other parameters are not read",)


def test_tripleos_list():
    entries = [
        {"image_source": "tripleo", "imagename": "r.example/t/openstack-keystone:17.0_1"},
        {"imagename": "r.example/t/openstack-neutron-server:17.0_1"},
    ]
    for one in ({"container_images": entries}, entries):
        images, (taken,), _ = imported(yaml.safe_dump(one))
        assert sorted(images["17.0_1"]) == ["keystone_api_image", "neutron_api_image"]
        assert taken.copied == {}, "TripleO has no dnsmasq that runs Neutron's image"


def test_parameters_from_which_a_list_is_yet_to_be_made_are_refused_with_their_place():
    one = {
        "parameter_defaults": {
            "ContainerImagePrepare": [{"set": {"namespace": "r.example/rhosp", "tag": "17.1"}}]
        }
    }
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: .*docker://r\.example/rhosp:17\.1"):
        imported(yaml.safe_dump(one))


def test_image_keys_with_references():
    one = {
        "heat_api_image": "r.example/heat:9.1",
        "cinder_volume_image": "r.example/volume:9.1",
        "manila_share_images": {"default": "r.example/share:9.1", "netapp": "r.example/netapp:9.1"},
        "test_tempest_image": "r.example/tempest:9.1",
        "heat_ap_image": "r.example/heat:9.1",
    }
    images, (taken,), _ = imported(yaml.safe_dump(one))
    assert images == {
        "9.1": {
            "cinder_volume_images": {"default": "r.example/volume:9.1"},
            "heat_api_image": "r.example/heat:9.1",
            "manila_share_images": {"default": "r.example/share:9.1", "netapp": "r.example/netapp:9.1"},
        }
    }
    assert skipped(taken) == {
        "test_tempest_image": ("no_node", ""),
        "heat_ap_image": ("unknown", ", did you mean heat_api_image?"),
    }


def test_the_release_as_found_comes_as_it_is():
    found, _ = importing.read(MODEL, telling.read(text("found.yaml")), "0.0.2", (), None)
    (one,) = found
    content = one.content()
    assert one.version == "0.0.2"
    assert one.taken.copied == {}, "what runs is what runs"
    assert content["packages"] == {"python3-nova": {"Debian": "3:31.0.0-1", "RedHat": "1:31.0.0-1.el9"}}
    assert content["migrations"][0]["timeout"] == 300
    assert list(content["images"]) == ["cinder_volume_images", "keystone_api_image", "neutron_api_image"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "is nothing that releases come from"),
        ("hello\n", "is nothing that releases come from"),
        ("a: 1\nb: 2\n", "is nothing that releases come from"),
        ("- 1\n- {x: y}\n", "is nothing that releases come from"),
        ("kind: ConfigMap\n", "holds 'ConfigMap', of which no release comes"),
        ("kind: OpenStackVersion\n---\nkind: Deployment\n", "holds several sources of releases"),
        ("a: [\n", "line 2:"),
        ("a_image: r.example/a:1\na_image: r.example/a:2\n", "line 2: key 'a_image' is there twice"),
        ("r.example/k/fluentd:1.1\n", "holds no image that a release has"),
        ("keystone:1.1\n", "has to begin with a registry"),
        ("a: &a [*a]\n", "is nothing that releases come from"),
        ("&a\nkind: List\nitems: [*a]\n", "is nothing that releases come from"),
    ],
)
def test_what_is_no_source_is_refused(source, said):
    with pytest.raises(RolloutError) as refused:
        imported(source)
    assert refused.value.reason == "RELEASE_REFUSED"
    assert said in refused.value.message


def test_a_list_with_many_names_of_no_key_takes_no_time():
    names = [f"r.example/k/nothing-{number}:1" for number in range(20_000)]
    begun = time.process_time()
    _, (taken,), _ = imported("\n".join([*names, "r.example/k/nova-api:1"]))
    assert len(taken.skipped) == len(names) and time.process_time() - begun < 8


def test_many_keys_of_no_image_take_no_time():
    keys = {f"gl{number}ance_api_image": "r.example/g:1" for number in range(3_000)}
    begun = time.process_time()
    _, (taken,), _ = imported(
        json.dumps({"glance_ap_image": "r.example/g:1", "nova_api_image": "r.example/n:1"} | keys)
    )
    assert taken.skipped[0]["detail"] == ", did you mean glance_api_image?"
    assert len(taken.skipped) == len(keys) + 1 and time.process_time() - begun < 4


@pytest.mark.parametrize("odd", ["x\ny", "\x1b[31m", "\ud83d", "\u202e", "\U0001f600"])
def test_whatever_a_source_calls_an_image_is_printed_as_plain_text(odd):
    images = {"nova_compute_image": "r.example/n:1", f"{odd}_image": "r.example/x:1"}
    _, (taken,), _ = imported(json.dumps(images))
    (skipped_,) = taken.skipped
    assert skipped_["name"].endswith("_image") and skipped_["name"].isascii()
    assert skipped_["name"].isprintable()
