"""Which releases exist, and what a node is at one of them."""

import json

import pytest

from openstack_rollout import catalog, release
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, digest, node, reference, shipped, valid

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
# An OpenStackVersion knows only OVN; these are of clouds with neutron's own agents.
MORE_KEYS = "neutron_{l3_agent,openvswitch_agent}"


def spelled_out(text):
    for word in text.split():
        prefix, _, rest = word.partition("{")
        for part in rest.rstrip("}").split(",") if rest else [""]:
            yield f"{prefix}{part}_image"


def names(openstack, *roles):
    return [service["name"] for service in release.resolve(openstack, NEW, node(*roles))["services"]]


def test_every_image_key_of_the_specification_is_known():
    known = catalog.known_image_keys(shipped())
    assert known - set(catalog.BACKEND_MAPS) == set(spelled_out(f"{SPEC_KEYS} {MORE_KEYS}"))
    assert set(catalog.BACKEND_MAPS) <= known


def test_versions_are_ordered_as_versions():
    openstack = {"releases": {"1.0.10": {}, "1.0.9": {}, "1.0.10rc1": {}}}
    assert release.versions(openstack) == ["1.0.9", "1.0.10rc1", "1.0.10"]
    assert release.available(openstack) == "1.0.10"
    assert release.available({}) is None


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
    services = release.resolve(openstack, NEW, node("compute", "gateway", "storage"))["services"]
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
    assert release.resolve(valid(), NEW, node(*roles))["stages"] == stages


def test_desired_is_plain_data_with_a_unit_for_each_container():
    desired = release.resolve(valid(), NEW, node("compute", zone="az1"))
    assert json.loads(json.dumps(desired)) == desired
    nova = next(service for service in desired["services"] if service["name"] == "nova")
    assert nova["unit"] == "nova_compute.service"
    assert nova["image"] == reference("nova_compute_image", NEW)
    assert nova["health"] == {"command": ["/openstack/healthcheck"], "timeout": 60}
    assert nova["quadlet"]["Service"]["Restart"] == "always"
    assert desired["zone"] == "az1"


def test_a_service_of_another_name_is_found_by_its_type():
    openstack = valid()
    openstack["services"] = {"nova-custom": {"type": "nova", "container": "nova_compute_custom"}}
    found = release.resolve(openstack, NEW, node("compute"))["services"]
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
        services = release.resolve(openstack, version, node("controller"))["services"]
        return next(one["options"]["DEFAULT"] for one in services if one["name"] == "glance")

    assert options(NEW) == {"workers": 2, "debug": False, "store": "b"}
    assert options(OLD) == {"workers": 1, "debug": False, "store": "b"}


def test_a_custom_image_changes_only_its_service():
    openstack = valid()
    before = release.resolve(openstack, NEW, node("compute"))["services"]
    openstack["custom_images"] = {"edpm_neutron_metadata_agent_image": f"registry.example/fix@{digest('x')}"}
    after = release.resolve(openstack, NEW, node("compute"))["services"]
    changed = [new["name"] for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["neutron-metadata"]


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
    openstack["releases"][NEW]["images"][key] = shipped_images
    openstack["custom_images"] = {key: custom}
    entry = {"type": kind, "container": container, "enabled": True}
    openstack["services"] = {"x": {**entry, "backend": backend} if backend else entry}
    services = release.resolve(openstack, NEW, node("controller"))["services"]
    assert next(one["image"] for one in services if one["name"] == "x") == image


def test_each_package_belongs_to_one_stage():
    packages = release.resolve(valid(), NEW, node("compute"))["packages"]
    assert packages == {
        "services": {"openstack-selinux": "0.8-1.0.1"},
        "ovs": {"openvswitch3.5": "3-1.0.1", "lab-openvswitch": "3-1.0.1"},
        "system": {"kernel-core": "5-1.0.1", "curl": "7-1.0.1"},
    }
    assert (
        release.resolve(valid(), NEW, node("controller"))["packages"]["control_plane"] == packages["services"]
    )


def test_kernel_and_open_vswitch_are_never_essential():
    openstack = valid()
    openstack["packages"] = {
        "essential": ["kernel-core", "openvswitch*", "curl", "openstack-selinux"],
        "exclude": ["curl"],
    }
    desired = release.resolve(openstack, NEW, node("compute"))
    assert set(desired["packages"]["services"]) == {"openstack-selinux"}
    assert set(desired["packages"]["system"]) == {"kernel-core", "curl"}
    assert desired["exclude"] == ["kernel", "kernel-core", "openvswitch*", "curl"]


def test_the_system_stage_leaves_excluded_packages_alone():
    openstack = valid()
    openstack["system"]["exclude"] = ["kernel*"]
    assert set(release.resolve(openstack, NEW, node("compute"))["packages"]["system"]) == {"curl"}


def test_versions_of_packages_by_os_family():
    openstack = valid()
    openstack["releases"][NEW]["packages"] = {"curl": {"Debian": "8"}, "rpm": {"RedHat": "4"}}
    packages = release.resolve(openstack, NEW, node("compute", os_family="Debian"))["packages"]
    assert packages == {"services": {}, "ovs": {}, "system": {"curl": "8"}}


def test_refusals():
    openstack = valid()
    with pytest.raises(
        RolloutError, match=r"UNKNOWN_TARGET: 1\.0\.9 is not a release; the catalogue has 1\.0\.0, 1\.0\.1"
    ):
        release.resolve(openstack, "1.0.9", node("compute"))
    with pytest.raises(RolloutError, match="EMPTY_CATALOGUE"):
        release.resolve({}, NEW, node("compute"))
    with pytest.raises(RolloutError, match="UNKNOWN_TARGET: openstack:target_version: is not set"):
        release.target(shipped())
    del openstack["releases"][NEW]["images"]["nova_compute_image"]
    with pytest.raises(RolloutError, match=r"images:nova_compute_image: is missing, service nova needs it"):
        release.resolve(openstack, NEW, node("compute"))
