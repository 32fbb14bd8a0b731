"""A node's share: what it is at a release, and what it gets beside that."""

from __future__ import annotations

import json

import pytest
import yaml

from openstack_rollout.declared import reading, share
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.services import BACKEND_MAPS
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, PILLAR, digest, model, node, reference, valid

# SPEC §1: the keys of a release, as an OpenStackVersion has them.
SPEC_KEYS = """
agent ansibleee apache aodh_{api,evaluator,listener,notifier} barbican_{api,keystone_listener,worker}
ceilometer_{central,compute,ipmi,notification,sgcore,mysqld_exporter} cinder_{api,backup,scheduler}
cloudkitty_{api,proc} designate_{api,backendbind9,central,mdns,producer,unbound,worker}
edpm_{frr,logrotate_crond,neutron_dhcp_agent,neutron_metadata_agent,neutron_ovn_agent,neutron_sriov_agent}
edpm_{ovn_bgp_agent,node_exporter,kepler,podman_exporter,iscsid,multipathd,openstack_network_exporter}
glance_api heat_{api,cfnapi,engine} horizon infra_{dnsmasq,memcached,redis}
ironic_{api,conductor,inspector,neutron_agent,pxe,python_agent} keystone_api ksm manila_{api,scheduler}
mariadb net_utils neutron_api nova_{api,compute,conductor,novnc,scheduler}
octavia_{api,healthmanager,housekeeping,worker,rsyslog} openstack_client os_container
openstack_network_exporter ovn_{controller,controller_ovs,nb_dbcluster,northd,sb_dbcluster}
placement_api rabbitmq swift_{account,container,object,proxy} telemetry_node_exporter
watcher_{api,applier,decision_engine}
"""
# An OpenStackVersion knows only OVN; these are of clouds with neutron's own agents, and of kolla-ansible's.
MORE_KEYS = """
neutron_{l3_agent,openvswitch_agent} bootc_os_container
blazar_{api,manager} cyborg_{api,conductor} designate_sink gnocchi_{api,metricd,statsd}
magnum_{api,conductor} manila_data masakari_{api,engine} mistral_{api,engine,event_engine,executor}
nova_{serialproxy,spicehtml5proxy} octavia_driver_agent skyline_{apiserver,console}
tacker_{server,conductor} trove_{api,conductor,taskmanager}
"""


def spelled_out(text):
    for word in text.split():
        prefix, _, rest = word.partition("{")
        for part in rest.rstrip("}").split(",") if rest else [""]:
            yield f"{prefix}{part}_image"


def desired(where, openstack=None, version=NEW):
    return share.desired(model(openstack), version, where)


def names(openstack, *roles):
    return [service["name"] for service in desired(node(*roles), openstack)["services"]]


def test_every_image_key_of_the_specification_is_known():
    known = model().catalogue.image_keys
    assert known - set(BACKEND_MAPS) == set(spelled_out(f"{SPEC_KEYS} {MORE_KEYS}"))
    assert set(BACKEND_MAPS) <= known


def test_shipped_core_fits_a_small_cloud():
    openstack = valid()
    assert names(openstack, "controller")[:5] == ["ovn", "rabbitmq", "mariadb", "memcached", "keystone"]
    assert names(openstack, "gateway") == ["ovn", "neutron-ovn", "node-exporter"]
    assert names(openstack, "compute") == [
        "ovn",
        "neutron-metadata",
        "nova",
        "ceilometer-compute",
        "node-exporter",
    ]
    assert names(openstack, "storage") == ["node-exporter"]


def test_data_plane_types_are_all_there_and_in_order():
    openstack = valid()
    openstack["service_defaults"]["enabled"] = True
    wanted = [
        "iscsid",
        "frr",
        "ovn-bgp-agent",
        "neutron-metadata",
        "neutron-ovn",
        "neutron-openvswitch",
        "neutron-l3",
        "multipathd",
        "nova",
        "neutron-sriov",
        "neutron-dhcp",
        "ceilometer-compute",
        "ceilometer-ipmi",
        "node-exporter",
        "podman-exporter",
        "kepler",
        "network-exporter",
        "swift-account",
        "swift-container",
        "swift-object",
        "logrotate-crond",
    ]
    assert names(openstack, "gateway", "compute", "storage") == ["ovn", *wanted]


def test_configuration_is_rendered_again_for_nova_and_telemetry_alone():
    openstack = valid()
    openstack["service_defaults"]["enabled"] = True
    services = desired(node("compute", "gateway", "storage"), openstack)["services"]
    again = {service["name"] for service in services if service["config"] == "rerender"}
    assert again == {"nova", "ceilometer-compute", "ceilometer-ipmi"}


@pytest.mark.parametrize(
    ("roles", "stages"),
    [
        (["controller"], ["ovn", "control_plane", "ovs", "system"]),
        (["gateway"], ["ovn", "services", "ovs", "system"]),
        (["storage"], ["services", "ovs", "system"]),
        (["compute", "controller"], ["ovn", "control_plane", "services", "ovs", "system"]),
        ([], []),
    ],
)
def test_stages_of_a_role(roles, stages):
    assert desired(node(*roles))["stages"] == stages


def test_desired_is_plain_data_with_a_unit_for_each_container():
    found = desired(node("compute", zone="az1"))
    assert json.loads(json.dumps(found)) == found
    nova = next(service for service in found["services"] if service["name"] == "nova")
    assert nova["unit"] == "nova_compute.service"
    assert nova["image"] == reference("nova_compute_image", NEW)
    assert nova["health"] == {"command": ["/openstack/healthcheck"], "timeout": 60}
    assert nova["quadlet"]["Service"]["Restart"] == "always"
    assert found["zone"] == "az1"


def test_a_service_of_another_name_is_found_by_its_type():
    openstack = valid()
    openstack["services"] = {
        "nova": {"enabled": False},
        "nova-custom": {"type": "nova", "container": "nova_compute_custom"},
    }
    found = desired(node("compute"), openstack)["services"]
    nova = [service for service in found if service["type"] == "nova"]
    assert [service["container"] for service in nova] == ["nova_compute_custom"]
    assert nova[0]["image"] == reference("nova_compute_image", NEW)


def test_an_operator_wins_over_a_release_which_wins_over_the_catalogue():
    openstack = valid()
    openstack["service_types"]["glance"]["options"] = {"DEFAULT": {"workers": 1, "debug": False}}
    openstack["releases"][NEW]["defaults"] = {
        "services": {"glance": {"options": {"DEFAULT": {"workers": 2, "store": "a"}}}}
    }
    openstack["services"] = {"glance": {"options": {"DEFAULT": {"store": "b"}}}}

    def options(version):
        services = desired(node("controller"), openstack, version)["services"]
        return next(one["options"]["DEFAULT"] for one in services if one["name"] == "glance")

    assert options(NEW) == {"workers": 2, "debug": False, "store": "b"}
    assert options(OLD) == {"workers": 1, "debug": False, "store": "b"}


def test_a_custom_image_changes_only_its_service():
    openstack = valid()
    before = desired(node("compute"), openstack)["services"]
    openstack["custom_images"] = {"edpm_neutron_metadata_agent_image": f"registry.example/fix@{digest('x')}"}
    after = desired(node("compute"), openstack)["services"]
    changed = [new["name"] for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["neutron-metadata"]


def at(image):
    return f"registry.example/{image}@{digest('x')}"


@pytest.mark.parametrize(
    ("shipped_images", "custom", "backend", "image"),
    [
        ({"default": "r0"}, {}, None, "r0"),
        ({"default": "r0"}, {}, "pure", "r0"),
        ({"default": "r0", "pure": "r1"}, {}, "pure", "r1"),
        ({"default": "r0"}, {"default": "c0"}, None, "c0"),
        ({"default": "r0"}, {"default": "c0"}, "pure", "c0"),
        ({"default": "r0"}, {"pure": "c1"}, "pure", "c1"),
        ({"default": "r0"}, {"pure": "c1"}, "netapp", "r0"),
        ({"default": "r0", "pure": "r1"}, {"default": "c0"}, "pure", "r1"),
        ({"default": "r0", "pure": "r1"}, {"default": "c0", "pure": "c1"}, "pure", "c1"),
    ],
)
@pytest.mark.parametrize(
    ("key", "kind", "container"),
    [
        ("cinder_volume_images", "cinder-volume", "cinder_x"),
        ("manila_share_images", "manila-share", "manila_x"),
    ],
)
def test_images_of_back_ends(shipped_images, custom, backend, image, key, kind, container):
    openstack = valid()
    openstack["releases"][NEW]["images"][key] = {name: at(one) for name, one in shipped_images.items()}
    openstack["custom_images"] = {key: {name: at(one) for name, one in custom.items()}}
    entry = {"type": kind, "container": container, "enabled": True}
    openstack["services"] = {"x": {**entry, "backend": backend} if backend else entry}
    services = desired(node("controller"), openstack)["services"]
    assert next(one["image"] for one in services if one["name"] == "x") == at(image)


def of_services(services, *roles, **images):
    """The services of these names in a node's share: {name: (container, image)}."""
    openstack = valid()
    openstack["services"] = services
    openstack["releases"][NEW]["images"] |= images
    found = desired(node(*roles), openstack)["services"]
    return {one["name"]: (one["container"], one["image"]) for one in found if one["name"] in services}


def test_a_conductor_for_each_cell_and_a_metadata_api_beside_novas():
    services = {
        "nova-conductor-cell1": {"type": "nova-conductor", "container": "nova_cell1_conductor"},
        "nova-conductor-cell2": {"type": "nova-conductor", "container": "nova_cell2_conductor"},
        "nova-metadata": {"type": "nova-api", "container": "nova_metadata"},
    }
    conductor, api = (reference(f"nova_{name}_image", NEW) for name in ("conductor", "api"))
    assert of_services(services, "controller") == {
        "nova-conductor-cell1": ("nova_cell1_conductor", conductor),
        "nova-conductor-cell2": ("nova_cell2_conductor", conductor),
        "nova-metadata": ("nova_metadata", api),
    }
    assert of_services(services, "compute") == {}


def test_one_volume_service_a_back_end():
    services = {
        name: {"type": "cinder-volume", "backend": name, "container": f"volume_{name}", "enabled": True}
        for name in ("pure", "netapp", "ceph")
    }
    images = {"default": at("r0"), "pure": at("r1"), "netapp": at("r2")}
    assert of_services(services, "controller", cinder_volume_images=images) == {
        "pure": ("volume_pure", at("r1")),
        "netapp": ("volume_netapp", at("r2")),
        "ceph": ("volume_ceph", at("r0")),
    }


def test_a_service_may_run_the_image_of_another_type():
    services = {
        "swift-object-expirer": {
            "type": "swift-object",
            "image": "swift_proxy_image",
            "container": "swift_object_expirer",
            "enabled": True,
        },
        "swift-rsync": {"type": "swift-object", "container": "swift_rsync", "enabled": True},
    }
    assert of_services(services, "storage") == {
        "swift-object-expirer": ("swift_object_expirer", reference("swift_proxy_image", NEW)),
        "swift-rsync": ("swift_rsync", reference("swift_object_image", NEW)),
    }
    backup = {"image": "cinder_volume_images", "backend": "pure", "enabled": True}
    images = {"default": at("r0"), "pure": at("r1")}
    assert of_services({"cinder-backup": backup}, "controller", cinder_volume_images=images) == {
        "cinder-backup": ("cinder_backup", at("r1"))
    }


FLUENTD = {
    "image": "fluentd_image",
    "container": "fluentd",
    "roles": ["controller", "compute"],
    "stage": "by_plane",
    "order": 5,
    "enabled": True,
}


def with_fluentd(**changes):
    openstack = valid()
    openstack["services"] = {"fluentd": FLUENTD | changes}
    for version in (OLD, NEW):
        openstack["releases"][version]["images"]["fluentd_image"] = reference("fluentd_image", version)
    return openstack


@pytest.mark.parametrize(
    ("roles", "stage"),
    [
        (["controller"], "control_plane"),
        (["compute"], "services"),
        (["controller", "compute"], "control_plane"),
        (["compute", "storage"], "services"),
        (["gateway"], None),
    ],
)
def test_a_service_of_both_planes_moves_in_the_stage_of_its_node(roles, stage):
    found = {one["name"]: one["stage"] for one in desired(node(*roles), with_fluentd())["services"]}
    assert found.get("fluentd") == stage


def test_it_is_in_the_plane_of_the_role_for_which_the_node_has_it():
    found = desired(node("controller", "compute"), with_fluentd(roles=["gateway", "compute"]))["services"]
    assert [one["stage"] for one in found if one["name"] == "fluentd"] == ["services"]


def test_it_comes_in_its_order_among_those_of_the_stage():
    for role, first in (("controller", "ovn"), ("compute", "ovn")):
        assert names(with_fluentd(), role)[:2] == [first, "fluentd"]


def test_each_package_belongs_to_one_stage():
    packages = desired(node("compute"))["packages"]
    assert packages == {
        "services": {"openstack-selinux": "0.8-1.0.1"},
        "ovs": {"openvswitch3.5": "3-1.0.1", "lab-openvswitch": "3-1.0.1"},
        "system": {"kernel-core": "5-1.0.1", "curl": "7-1.0.1"},
    }
    assert desired(node("controller"))["packages"]["control_plane"] == packages["services"]


def test_kernel_and_open_vswitch_are_never_essential():
    openstack = valid()
    openstack["packages"] = {
        "essential": ["kernel-core", "openvswitch*", "curl", "openstack-selinux"],
        "exclude": ["curl"],
    }
    found = desired(node("compute"), openstack)
    assert set(found["packages"]["services"]) == {"openstack-selinux"}
    assert set(found["packages"]["system"]) == {"kernel-core", "curl"}
    assert found["exclude"] == ["kernel", "kernel-core", "openvswitch*", "curl"]


def test_the_system_stage_leaves_excluded_packages_alone():
    openstack = valid()
    openstack["system"]["exclude"] = ["kernel*"]
    assert set(desired(node("compute"), openstack)["packages"]["system"]) == {"curl"}


def test_versions_of_packages_by_os_family():
    openstack = valid()
    openstack["releases"][NEW]["packages"] = {"curl": {"Debian": "8"}, "rpm": {"RedHat": "4"}}
    packages = desired(node("compute", os_family="Debian"), openstack)["packages"]
    assert packages == {"services": {}, "ovs": {}, "system": {"curl": "8"}}


def test_refusals():
    openstack = valid()
    with pytest.raises(
        RolloutError, match=r"^UNKNOWN_TARGET: .*9\.9\.9.* is not a release; the catalogue has 1\.0\.0"
    ):
        desired(node("compute"), version="9.9.9")
    with pytest.raises(RolloutError, match="EMPTY_CATALOGUE"):
        share.desired(Model(), NEW, node("compute"))
    del openstack["releases"][OLD]["images"]["nova_compute_image"]
    with pytest.raises(RolloutError, match=r"images:nova_compute_image: is missing, service nova needs it"):
        desired(node("compute"), openstack, OLD)
    desired(node("gateway"), openstack, OLD)


def placed(matching, **keys):
    return share.place(model(**keys), lambda target: target in matching)


def test_where_a_node_stands_by_the_targets():
    keys = {"roles": {"compute": "cmp*", "controller": "ctl*"}, "zones": {"b": "G@z:b", "a": "G@z:a"}}
    assert placed(["cmp*"], **keys) == node("compute")
    assert placed(["cmp*", "ctl*", "G@z:b"], **keys) == node("controller", "compute", zone="b")
    assert placed(["G@z:a", "G@z:b"], **keys) == node(zone="a")
    assert placed([], **keys) == node()


def test_a_family_of_distributions_that_is_not_known_is_the_default():
    assert share.place(model(), lambda _: False, None).os_family == "RedHat"
    assert share.place(model(), lambda _: False, "Debian").os_family == "Debian"


def test_a_share_is_what_the_node_must_be_and_what_it_needs_to_tell_what_it_is():
    own = share.share(model(), node("compute", zone="az1"))
    assert json.loads(json.dumps(own)) == own
    assert own.items() >= desired(node("compute", zone="az1")).items()
    assert own["containers"] == [service["container"] for service in own["services"]]
    assert own["last"] == "services" and own["releases"] == [OLD, NEW] and own["untargeted"] == ""
    assert own["guards"] == {"ovn_controller": "ovn_controller"}
    assert own["watched"] == [
        "curl", "kernel-core", "lab-openvswitch", "openstack-selinux", "openvswitch3.4", "openvswitch3.5",
    ]  # fmt: skip


def test_a_share_has_nothing_of_other_roles():
    openstack = valid()
    openstack["services"] = {
        "keystone": {"options": {"DEFAULT": {"admin_token": "secret"}}},
        "nova": {"options": {"DEFAULT": {"transport_url": "own"}}},
    }
    openstack["policies"] = {"controller": {"silence": 12345}}
    text = json.dumps(share.share(model(openstack), node("compute")))
    assert "secret" not in text and "keystone" not in text and "12345" not in text and "own" in text
    assert reference("nova_compute_image", OLD) not in text


def test_a_node_without_a_role_has_nothing():
    own = share.share(model(), node(zone="az1"))
    assert own == {
        "version": 4, "target": NEW, "roles": [], "zone": "az1", "stages": [], "services": [], "packaged": [],
        "packages": {},
    }  # fmt: skip


def test_the_last_stage_is_the_last_one_that_moves_services():
    assert share.share(model(), node("controller"))["last"] == "control_plane"
    assert share.share(model(target_version=""), node("compute"))["last"] is None


def test_a_share_has_the_checks_of_its_own_services():
    openstack = valid()
    check = {"service": "rabbitmq", "call": "rabbitmq_cluster.feature_flags", "arguments": {"enabled": ["a"]}}
    openstack["releases"][NEW]["checks"] = [check]
    assert share.share(model(openstack), node("controller"))["checks"] == [check]
    assert share.share(model(openstack), node("compute"))["checks"] == []


def test_a_share_has_the_checks_of_all_releases_too():
    shipped = yaml.safe_load((PILLAR / "checks.sls").read_text(encoding="utf-8"))["openstack"]["checks"]
    openstack = {**valid(), "checks": shipped}
    assert reading.reasons(openstack)[0] == []
    asked = [one["call"] for one in share.share(model(openstack), node("controller"))["checks"]]
    assert "rabbitmq_cluster.stable_flags" in asked and asked.count("openstack_status.upgrade_check") == 3
    assert share.share(model(openstack), node("compute"))["checks"] == []


def test_floors_are_those_of_all_releases():
    openstack = valid()
    openstack["releases"][OLD]["packages"] = {"curl": ">=7", "bash": ">=5"}
    openstack["releases"][NEW]["packages"] = {"curl": {"RedHat": ">=8", "Debian": "9"}, "bash": ">=5"}
    assert share.share(model(openstack), node("compute"))["floors"] == {
        "bash": [">=5"],
        "curl": [">=7", ">=8"],
    }
    debian = share.share(model(openstack), node("compute", os_family="Debian"))
    assert debian["floors"] == {"bash": [">=5"], "curl": [">=7"]}


def test_a_floor_is_the_least_and_not_what_the_system_stage_keeps():
    openstack = valid()
    openstack["releases"][NEW]["packages"] = {"curl": ">=7", "bash": "5", "salt-minion": "3008.3"}
    system = desired(node("compute"), openstack)["system"]
    assert system["packages"] == {"curl": ">=7", "bash": "5"}
    assert "bash" in system["kept"] and "curl" not in system["kept"]


def test_how_the_system_stage_goes_about_it():
    openstack = valid()
    openstack["system"] = {"packages": "release", "kpatch": True, "reboot": "always", "exclude": ["a*"]}
    openstack["policies"] = {"compute": {"reboot_occupied": True}}
    image = reference("bootc_os_container_image", NEW)
    system = desired(node("compute"), openstack)["system"]
    assert (system["others"], system["kpatch"], system["reboot"], system["accept"]) == (
        False,
        True,
        "always",
        True,
    )
    assert system["os_image"] == image and "a*" in system["exclude"]
    assert share.system_excludes(model(openstack))[-1] == "a*"
    assert {"kernel", "kernel-core"} & set(system["exclude"]), "live-patched kernels stay"
    assert not desired(node("gateway"), openstack)["system"]["accept"]
    assert desired(node("compute"))["system"]["others"]


def test_a_node_without_a_service_sweeps_no_containers_away():
    openstack = valid()
    openstack["services"] = {name: {"enabled": False} for name in openstack["service_types"]}
    found = share.share(model(openstack), node("compute"))
    assert found["containers"] == [] and found["last"] is None


def test_a_node_knows_what_is_no_unknown_service_of_its_catalogue_and_by_its_operator():
    openstack = valid() | {"ignore_services": ["wiki*", "metricsd"]}
    openstack["services"] = {
        "iscsid": {"enabled": True, "deploy": "package", "packages": {"Debian": ["open-iscsi"]},
                   "units": {"Debian": ["iscsid"], "RedHat": ["iscsid-of-others"]}},
    }  # fmt: skip
    compute = share.share(model(openstack), node("compute", os_family="Debian"))["harmless"]
    assert {"nova_compute", "edpm_nova_compute", "iscsid", "wiki*", "metricsd"} <= set(compute)
    assert "neutron-haproxy-ovnmeta-*" in compute  # containers that an agent starts
    assert not {"rabbitmq", "iscsid-of-others", ""} & set(compute)
    untargeted = share.share(model(openstack | {"target_version": ""}), node("compute"))
    assert {"nova_compute", "wiki*"} <= set(untargeted["harmless"])
