"""Releases of an operator's variables: ClusterServiceVersions, Deployments, lists of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from openstack_rollout.errors import RolloutError
from tests.unit.declared.sources.given_sources import MODEL, imported, skipped, text

KEYS = (
    (Path(__file__).parents[1] / "deployers_names" / "rhoso_images.txt").read_text(encoding="utf-8").split()
)


def variable(key, value):
    return {"name": f"RELATED_IMAGE_{key.upper()}_URL_DEFAULT", "value": value}


def deployment(*variables, version="1.0.5-20260101.1", kind="Deployment", name="operator"):
    said = [{"name": "OPENSTACK_RELEASE_VERSION", "value": version}] if version else []
    pod = {"containers": [{"name": "manager", "env": [*said, *variables]}]}
    spec = pod if kind == "Pod" else {"template": {"spec": pod}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def test_a_cluster_service_version_is_a_release():
    images, (taken,), custom = imported(text("csv.yaml"))
    assert images == {
        "0.9.1.1750000000.p": {
            "heat_api_image": "reg.example:5000/os/heat-api:rel-9",
            "infra_dnsmasq_image": "reg.example:5000/os/neutron:rel-9",
            "manila_share_images": {"default": "reg.example:5000/os/share:rel-9"},
            "neutron_api_image": "reg.example:5000/os/neutron:rel-9",
            "os_container_image": "reg.example:5000/os/qcow:rel-9",
        }
    }
    assert taken.copied == {"infra_dnsmasq_image": "neutron_api_image"}
    assert taken.repeated == ["RELATED_IMAGE_HEAT_API_IMAGE_URL_DEFAULT"]
    assert skipped(taken) == {
        "RELATED_IMAGE_HEAT_OPERATOR_MANAGER_IMAGE_URL": ("no_node", ""),
        "RELATED_IMAGE_HORIZON_IMAGE_URL_DEFAULT": ("apart", "valueFrom"),
        "RELATED_IMAGE_GLANCE_API_IMAGE_URL_DEFAULT": ("empty", ""),
        "RELATED_IMAGE_KEYSTON_API_IMAGE_URL_DEFAULT": ("unknown", ", did you mean keystone_api_image?"),
        "RELATED_IMAGE_TEST_TOBIKO_IMAGE_URL_DEFAULT": ("no_node", ""),
        "RELATED_IMAGE_OPENSTACK_MUST_GATHER_DEFAULT": ("no_node", ""),
    }
    assert not custom.images


def test_every_key_of_rhosos_list_is_taken_or_named():
    variables = [variable(key, f"reg.example/os/{key}:7.1") for key in KEYS]
    images, (taken,), _ = imported(yaml.safe_dump(deployment(*variables)))
    named = {name for name, _ in skipped(taken).items()} | set(taken.sources.values())
    assert len(KEYS) == 92
    assert named == {one["name"] for one in variables}
    assert all(why == "no_node" for why, _ in skipped(taken).values())
    (release,) = images.values()
    assert set(taken.copied) == {"infra_dnsmasq_image", "edpm_openstack_network_exporter_image"}
    assert set(release) == {key for key, *_ in (name.split(":") for name in taken.sources)} | set(
        taken.copied
    )
    assert release["os_container_image"] and "bootc_os_container_image" not in release


def test_a_key_that_is_there_is_no_copy():
    some = [variable(key, f"reg.example/{key}:1.1") for key in ("infra_dnsmasq_image", "neutron_api_image")]
    images, (taken,), _ = imported(yaml.safe_dump(deployment(*some)))
    assert images["1.0.5-20260101.1"]["infra_dnsmasq_image"] == "reg.example/infra_dnsmasq_image:1.1"
    assert taken.copied == {}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Pod"])
def test_a_bare_resource_is_a_source(kind):
    one = deployment(variable("heat_api_image", "localhost:5000/heat-api@sha256:" + "a" * 64), kind=kind)
    images, _, _ = imported(yaml.safe_dump(one))
    assert images == {"1.0.5-20260101.1": {"heat_api_image": "localhost:5000/heat-api@sha256:" + "a" * 64}}


@pytest.mark.parametrize("written", [
    yaml.safe_dump_all,
    lambda some: yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": some}),
    lambda some: json.dumps({"kind": "DeploymentList", "items": some}),
])  # fmt: skip
def test_several_resources_are_one_release(written):
    some = [
        deployment(variable("heat_api_image", "r.example/heat:1"), name="one"),
        deployment(variable("horizon_image", "r.example/horizon:1"), name="two", version=None),
    ]
    images, _, _ = imported(written(some))
    (release,) = images.values()
    assert release == {"heat_api_image": "r.example/heat:1", "horizon_image": "r.example/horizon:1"}


def test_what_is_doubled_with_another_image_is_refused_and_can_be_left_out():
    some = yaml.safe_dump_all(
        [
            deployment(
                variable("heat_api_image", "r.example/heat:1"), variable("horizon_image", "r.example/h:1")
            ),
            deployment(variable("heat_api_image", "r.example/heat:2"), name="second"),
        ]
    )
    with pytest.raises(RolloutError) as refused:
        imported(some)
    assert refused.value.reason == "RELEASE_REFUSED"
    assert "heat_api_image" in refused.value.message
    for part in ("r.example/heat:1", "r.example/heat:2", "Deployment operator", "Deployment second"):
        assert part in refused.value.message
    images, (taken,), _ = imported(some, skip=["heat_api_*"])
    assert images["1.0.5-20260101.1"] == {"horizon_image": "r.example/h:1"}
    assert skipped(taken) == {"RELATED_IMAGE_HEAT_API_IMAGE_URL_DEFAULT": ("asked", "")}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("heat:1", "has to begin with a registry"),
        ("r.example/heat:1:2", "is not a tag"),
        ("r.example/HEAT:1", "is not a repository's name"),
        ("r.example/heat@sha256:abc", "64 hexadecimal digits"),
        ("r.example:99999/heat:1", "is not a port"),
    ],
)
def test_a_malformed_reference_is_refused_at_its_place(reference, said):
    with pytest.raises(RolloutError) as refused:
        imported(yaml.safe_dump(deployment(variable("heat_api_image", reference))))
    assert refused.value.reason == "RELEASE_REFUSED"
    assert said in refused.value.message and "Deployment operator, container manager" in refused.value.message


def test_a_reference_without_a_tag_is_latest_and_told():
    one = deployment(variable("ksm_image", "r.example:5000/kube/ksm"))
    images, (taken,), _ = imported(yaml.safe_dump(one))
    assert images["1.0.5-20260101.1"] == {"ksm_image": "r.example:5000/kube/ksm:latest"}
    assert taken.latest == ["ksm_image"]


def test_the_version_of_several_is_asked_for():
    some = yaml.safe_dump_all(
        [deployment(variable("heat_api_image", "r.example/heat:a"), version=one) for one in ("1", "2")]
    )
    with pytest.raises(RolloutError, match=r"^WRONG_ARGUMENT: version: give one: .* several versions: 1, 2"):
        imported(some)
    assert list(imported(some, version="3.1-x")[0]) == ["3.1-x"]


def test_no_tag_decides_between_several_versions():
    two = [deployment(variable("heat_api_image", "r.example/heat:7"), version=one) for one in ("1.7", "1.8")]
    with pytest.raises(RolloutError, match=r"^WRONG_ARGUMENT: version: give one: .*: 1\.7, 1\.8"):
        imported(yaml.safe_dump_all(two))


def test_the_version_of_the_resource_is_that_of_a_release_without_its_own():
    one = yaml.safe_load(text("csv.yaml"))
    for each in one["spec"]["install"]["spec"]["deployments"]:
        for container in each["spec"]["template"]["spec"]["containers"]:
            env = container.get("env", ())
            container["env"] = [some for some in env if some["name"] != "OPENSTACK_RELEASE_VERSION"]
    assert list(imported(yaml.safe_dump(one))[0]) == ["0.9.1"]


@pytest.mark.parametrize("value", ["../x", "a b", "-x", "x\ny", "a'b", ".x"])
def test_a_version_that_is_no_safe_name_is_refused(value):
    one = yaml.safe_dump(deployment(variable("heat_api_image", "r.example/heat:1"), version=value))
    with pytest.raises(RolloutError, match=r"^RELEASE_REFUSED: SOURCE: its version: "):
        imported(one)
    with pytest.raises(RolloutError, match=r"^WRONG_ARGUMENT: version: "):
        imported(one, version=value)
    assert list(imported(one, version="1.5")[0]) == ["1.5"]


def test_nonsense_where_variables_should_be_is_left_alone():
    one = deployment(variable("heat_api_image", "r.example/heat:1"), "x", {"name": None}, {"value": "y"})
    one["spec"]["template"]["spec"] |= {"initContainers": "none", "volumes": None}
    assert list(imported(yaml.safe_dump(one))[0].values()) == [{"heat_api_image": "r.example/heat:1"}]
    with pytest.raises(RolloutError, match="holds no image"):
        imported(yaml.safe_dump({"kind": "Deployment", "spec": [1]}))


def test_a_bootc_host_takes_an_image_of_its_own():
    one = deployment(variable("bootc_os_container_image", "r.example/bootc:1"))
    assert imported(yaml.safe_dump(one))[0]["1.0.5-20260101.1"] == {
        "bootc_os_container_image": "r.example/bootc:1"
    }
    assert "bootc_os_container_image" in MODEL.auxiliary_images
