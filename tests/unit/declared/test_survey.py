"""From what nodes told to records: roles, services, images, and what needs to be looked at."""

import json

import pytest

from openstack_rollout.declared import survey
from tests.unit import cloud_pillar
from tests.unit.declared.found import (
    DEAD,
    FAILED,
    MASKED,
    ONESHOT,
    answer,
    container,
    digest,
    local,
    of,
    told,
)

MODEL = cloud_pillar.model()
COMPUTE = (of("edpm", "nova_compute"), of("edpm", "ovn_controller"))


def surveyed(silent=None, declared=None, model=MODEL, **answers):
    found = survey.survey(model, told(**answers), silent or {}, declared or {})
    json.dumps(found)  # plain data
    return found


@pytest.mark.parametrize(
    ("types", "roles"),
    [
        (["nova", "ovn"], ["compute"]),
        (["keystone", "ovn"], ["controller"]),
        (["neutron-ovn", "ovn"], ["gateway"]),
        (["swift-account"], ["storage"]),
        # TripleO's controllers have Swift's disks, and the agents of its gateways.
        (["keystone", "swift-object", "neutron-l3"], ["controller", "gateway", "storage"]),
        # Distributed routers: an agent on each compute.
        (["nova", "neutron-l3"], ["compute"]),
        (["ovn"], ["gateway"]),
        (["iscsid", "multipathd", "frr"], ["compute"]),
        ([], []),
        (["no-such-type"], []),
    ],
)
def test_roles_are_guessed_by_what_runs(types, roles):
    assert survey.guessed(MODEL, types) == roles


def test_a_role_that_is_declared_is_not_guessed():
    found = surveyed(declared={"cmp1": ["gateway"]}, cmp1=COMPUTE, cmp2=COMPUTE)
    assert found["nodes"]["cmp1"]["roles"] == ["gateway"] and not found["nodes"]["cmp1"]["guessed"]
    assert found["nodes"]["cmp2"]["roles"] == ["compute"] and found["nodes"]["cmp2"]["guessed"]
    assert found["roles"] == {"gateway": ["cmp1"], "compute": ["cmp2"]}


def test_a_container_has_all_that_is_known_of_it():
    one = surveyed(cmp1=COMPUTE)["nodes"]["cmp1"]["containers"]["nova_compute"]
    reference = f"registry.example/nova-compute@{digest('a')}"
    assert one == {
        "deployer": "edpm",
        "kind": "service",
        "type": "nova",
        "image_key": "nova_compute_image",
        "agent": "",
        "bundle": "",
        "engine": "podman",
        "carrier": "",
        "unit": "edpm_nova_compute.service",
        "unit_state": "active",
        "running": True,
        "created": "2026-01-01T00:00:00Z",
        "image": "registry.example/nova-compute:18.0",
        "image_id": "a" * 64,
        "references": [reference],
        "digest": digest("a"),
        "definition": "",
    }


def test_services_get_the_name_of_their_type_and_further_ones_that_of_their_container():
    found = surveyed(
        ctl1=[
            of("kolla", "nova_metadata", "nova-api"),
            of("kolla", "nova_api"),
            of("kolla", "nova_novncproxy"),
            of("kolla", "neutron_rpc_server", "neutron-server"),
            of("kolla", "neutron_server"),
        ],
        sto1=[of("edpm", name) for name in ("swift_object_auditor", "swift_object_server", "rsync")],
        sto2=[of("edpm", "swift_object_expirer", "swift-proxy-server", letter="c")],
    )["services"]
    assert {name: (one["type"], one["container"]) for name, one in found.items()} == {
        "nova-api": ("nova-api", "nova_api"),
        "nova-metadata": ("nova-api", "nova_metadata"),
        "nova-novnc": ("nova-novnc", "nova_novncproxy"),
        "neutron": ("neutron", "neutron_server"),
        "neutron-rpc-server": ("neutron", "neutron_rpc_server"),
        "swift-object": ("swift-object", "swift_object_server"),
        "swift-object-auditor": ("swift-object", "swift_object_auditor"),
        "swift-object-expirer": ("swift-object", "swift_object_expirer"),
        "rsync": ("swift-object", "rsync"),
    }
    assert found["swift-object-expirer"]["image_key"] == "swift_proxy_image"


def test_a_service_has_the_roles_whose_nodes_run_it_and_names_those_that_do_not():
    found = surveyed(
        ctl1=[of("tripleo", "keystone"), of("tripleo", "iscsid"), of("tripleo", "cinder_backup")],
        ctl2=[of("tripleo", "keystone"), of("tripleo", "iscsid")],
        cmp1=[of("tripleo", "nova_compute"), of("tripleo", "iscsid")],
    )["services"]
    assert found["keystone"]["roles"] == ["controller"] and found["keystone"]["missing"] == []
    assert found["cinder-backup"]["roles"] == ["controller"]
    assert found["cinder-backup"]["missing"] == ["ctl2"]


def test_a_service_of_both_planes_moves_in_the_stage_of_its_node():
    found = surveyed(
        ctl1=[of("kolla", "keystone"), of("kolla", "prometheus_node_exporter")],
        cmp1=[of("kolla", "nova_compute"), of("kolla", "prometheus_node_exporter")],
    )["services"]["node-exporter"]
    assert (found["roles"], found["stage"]) == (["controller", "compute"], "by_plane")


def test_a_role_of_the_operators_own_is_of_its_plane():
    model = cloud_pillar.model(roles={"database": {"target": "db*", "plane": "control_plane"}})
    declared = {"db1": ["database"]}
    found = surveyed(db1=[of("kolla", "mariadb"), of("kolla", "cron")], model=model, declared=declared)
    assert found["roles"] == {"database": ["db1"]}
    assert (found["services"]["mariadb"]["roles"], found["services"]["mariadb"]["stage"]) == (
        ["database"],
        "",
    )
    assert found["services"]["logrotate-crond"]["stage"] == "control_plane"


def test_a_service_that_runs_in_the_other_plane_alone_moves_in_its_stage():
    found = surveyed(
        ctl1=[of("kolla", "keystone"), of("kolla", "cron"), of("kolla", "ovn_controller")],
        cmp1=[of("kolla", "nova_compute")],
    )["services"]
    assert (found["logrotate-crond"]["roles"], found["logrotate-crond"]["stage"]) == (
        ["controller"],
        "control_plane",
    )
    assert (found["ovn"]["roles"], found["ovn"]["stage"]) == (["controller"], "")


def test_what_does_not_run_is_no_service_and_no_image_of_a_release():
    stopped = of("edpm", "frr", letter="9", running=False, exit_code=1)
    found = surveyed(cmp1=[*COMPUTE, stopped])
    assert "frr" not in found["services"] and "edpm_frr_image" not in found["images"]
    assert found["nodes"]["cmp1"]["containers"]["frr"]["running"] is False


def test_the_image_that_most_nodes_run_is_taken_and_the_others_are_named():
    found = surveyed(
        cmp1=[of("edpm", "nova_compute", letter="b")],
        cmp2=[of("edpm", "nova_compute", letter="a")],
        cmp3=[of("edpm", "nova_compute", letter="b")],
    )["images"]
    assert found == {
        "nova_compute_image": {
            "reference": f"registry.example/nova-compute@{digest('b')}",
            "digest": digest("b"),
            "nodes": ["cmp1", "cmp3"],
            "others": {digest("a"): ["cmp2"]},
        }
    }


def test_two_images_on_as_many_nodes_are_one_that_stays_the_same_from_survey_to_survey():
    for first, second in (("cmp1", "cmp2"), ("cmp2", "cmp1")):
        found = surveyed(
            **{
                first: [of("edpm", "nova_compute", letter="b")],
                second: [of("edpm", "nova_compute", letter="a")],
            }
        )["images"]["nova_compute_image"]
        assert found["digest"] == digest("a") and list(found["others"]) == [digest("b")]


def test_an_image_with_two_digests_is_one_image():
    """A list for several machines, and the image of this one: nodes know it by either or by both."""
    name = "registry.example/nova-compute"
    both = {"digests": [f"{name}@{digest('1')}", f"{name}@{digest('2')}"]}
    one = {"digests": [f"{name}@{digest('2')}"]}
    found = surveyed(cmp1=[of("edpm", "nova_compute", **both)], cmp2=[of("edpm", "nova_compute", **one)])[
        "images"
    ]["nova_compute_image"]
    assert found["digest"] == digest("2") and found["others"] == {} and found["nodes"] == ["cmp1", "cmp2"]


def test_an_image_that_no_registry_has_is_named_and_no_part_of_a_release():
    found = surveyed(cmp1=[of("edpm", "nova_compute", **local())])
    assert found["images"] == {}
    assert found["undigested"] == {"nova_compute": {"localhost/own:1": ["cmp1"]}}


def test_a_bundle_is_one_service_whatever_its_replicas_are_called():
    def replica(number, definition="cluster.common.tag/mariadb:pcmklatest"):
        one = container("mariadb", image=definition, carrier="pacemaker_bundle", definition=definition)
        return {f"galera-bundle-podman-{number}": one}

    found = surveyed(ctl1=[replica(0), of("tripleo", "keystone")], ctl2=[replica(1)])
    assert found["images"]["mariadb_image"]["reference"] == f"registry.example/mariadb@{digest('a')}"
    service = found["services"]["mariadb"]
    assert (service["container"], service["nodes"], service["fixed"]) == (
        "galera-bundle",
        ["ctl1", "ctl2"],
        [],
    )
    by_digest = f"registry.example/mariadb@{digest('a')}"
    found = surveyed(ctl1=[replica(0, by_digest), of("tripleo", "keystone")])
    assert found["services"]["mariadb"]["fixed"] == [by_digest]


def test_what_maps_to_nothing_is_named_with_its_deployer():
    found = surveyed(
        cmp1=[of("kolla", "nova_libvirt"), {"nova_compute": container()}],
        cmp2=[of("kolla", "nova_libvirt"), {"web": container("web")}],
    )["unmapped"]
    assert {
        name: [(one["deployer"], one["kind"], one["nodes"]) for one in some] for name, some in found.items()
    } == {
        "nova_compute": [("other", "foreign", ["cmp1"])],
        "nova_libvirt": [("kolla", "unknown", ["cmp1", "cmp2"])],
        "web": [("other", "unknown", ["cmp2"])],
    }


def test_a_foreign_container_with_the_name_of_a_service_is_no_service():
    found = surveyed(cmp1=[{"nova_compute": container()}])
    assert found["services"] == {} and found["images"] == {} and found["roles"] == {}


def test_sidecars_are_told_by_their_agent_and_old_until_respawned():
    sidecar = {"neutron-haproxy-ovnmeta-1": container("metadata", "a")}
    other = {"neutron-dnsmasq-qdhcp-1": container("dhcp", "a")}
    found = surveyed(cmp1=[of("tripleo", "ovn_metadata_agent", "metadata", "b"), sidecar, other])
    one = found["nodes"]["cmp1"]["containers"]["neutron-haproxy-ovnmeta-1"]
    assert (one["kind"], one["agent"], one["deployer"], one["stale"]) == (
        "sidecar", "ovn_metadata_agent", "tripleo", True,
    )  # fmt: skip
    alone = found["nodes"]["cmp1"]["containers"]["neutron-dnsmasq-qdhcp-1"]
    assert (alone["agent"], alone["deployer"]) == ("", "other")


def test_two_installers_on_one_node_and_units_in_trouble():
    units = {
        "edpm_nova_compute.service": DEAD | {"active": "active"},
        "tripleo_nova_compute.service": MASKED,
        "tripleo_iscsid.service": FAILED,
        "tripleo_frr.service": DEAD,
        "tripleo_nova_compute_healthcheck.service": ONESHOT,
    }
    node = surveyed(cmp1=answer("cmp1", *COMPUTE, units=units))["nodes"]["cmp1"]
    assert node["installers"] == {
        "edpm": {"containers": 2, "units": 1},
        "tripleo": {"containers": 0, "units": 3},
    }
    assert {one["unit"]: one["trouble"] for one in node["units"]} == {
        "tripleo_nova_compute.service": "masked",
        "tripleo_iscsid.service": "failed",
        "tripleo_frr.service": "dead",
    }


def test_masked_units_alone_are_no_second_installer():
    node = surveyed(cmp1=answer("cmp1", *COMPUTE, units={"tripleo_x.service": MASKED}))["nodes"]["cmp1"]
    assert list(node["installers"]) == ["edpm"]


def test_silent_nodes_are_named_and_counted():
    found = surveyed(silent={"cmp10": ("NODE_SILENT", "no sign of life")}, cmp9=COMPUTE)
    assert found["survey"] == ["cmp9", "cmp10"]
    assert found["silent"] == {"cmp10": {"reason": "NODE_SILENT", "message": "no sign of life"}}
