"""Each risk of a server is named, with what the policy does about it."""

import pytest

from openstack_rollout.cloud import risks
from openstack_rollout.cloud.nova import Server, ServerGroup, Service
from openstack_rollout.cloud.placement import Placement
from openstack_rollout.declared.policies import ComputePolicy

CPU = {"features": ["aes", "avx"]}
FREE = {"VCPU": 8, "MEMORY_MB": 200 * 1024, "DISK_GB": 100}


def service(host, enabled=True, up=True, zone="nova"):
    return Service(f"id-{host}", host, zone, enabled, up, "", "now")


def server(name="vm", **changes):
    plain = {"id": name, "host": "cmp1", "status": "ACTIVE", "task": "", "vcpus": 1, "memory": 1024}
    return Server(**{"name": name, **plain, **changes})


def placement(**hypervisors):
    facts = {
        host: {"hypervisor_type": "QEMU", "hypervisor_version": 8002000, "cpu_info": CPU}
        for host in ("cmp1", "cmp2", "cmp3")
    }
    for host, changes in hypervisors.items():
        facts[host] = {**facts[host], **changes}
    return Placement(
        services={host: service(host) for host in facts},
        hypervisors=facts,
        free={host: dict(FREE) for host in facts},
    )


def conditions(there=None, **changes):
    return risks.Conditions(there or placement(), excluded=frozenset({"cmp1"}), **changes)


def assessed(one, given=None, **policy):
    found = risks.assess(one, given or conditions(), ComputePolicy(**policy))
    return {risk.kind for risk in found.risks}, found


def test_a_plain_server_moves_live_where_the_scheduler_says():
    kinds, found = assessed(server())
    assert kinds == set()
    assert (found.action, found.target) == ("live", None)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": "ERROR"}, "error"),
        ({"status": "RESCUE"}, "status"),
        ({"locked": True}, "locked"),
        ({"specs": {"pci_passthrough:alias": "gpu:1"}}, "passthrough"),
        ({"specs": {"resources:VGPU": "1"}}, "vgpu"),
        ({"specs": {"resources1:VGPU": "1"}}, "vgpu"),
        ({"specs": {"resources_GPU-2:VGPU": "2"}}, "vgpu"),
        ({"specs": {"resources:PGPU": "1"}}, "device"),
        ({"specs": {"resources:FPGA": "1"}}, "device"),
        ({"specs": {"resources1:CUSTOM_GPU": "1"}}, "device"),
        ({"specs": {"resources:CUSTOM_NVIDIA_MDEV": "1"}}, "device"),
        ({"specs": {"accel:device_profile": "fpga-1"}}, "accelerator"),
        ({"specs": {"hw:pmem": "6GB,16GB"}}, "pmem"),
        ({"specs": {"hw:mem_encryption": "True"}}, "encrypted"),
        ({"specs": {"hw:tpm_version": "2.0"}}, "vtpm"),
        ({"memory": 300 * 1024}, "no_room"),
        ({"zone": "az9"}, "zone"),
    ],
)
def test_what_keeps_a_server_from_moving_is_named_and_fails_the_drain_by_default(changes, kind):
    kinds, found = assessed(server(**changes))
    assert kind in kinds
    assert found.action == risks.FAILS
    assert found.why


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"task": "rebooting"}, "task"),
        ({"memory": 64 * 1024}, "memory"),
        ({"specs": {"hw:cpu_policy": "dedicated"}}, "pinned"),
        ({"specs": {"hw:numa_nodes": "2"}}, "pinned"),
        ({"image": "i", "disk": 10}, "local_disk"),
        ({"specs": {"resources1:CUSTOM_TECHNICAL_LICENSE": "1"}}, "custom_resource"),
        ({"zone": "az9", "pinned": ""}, "zone"),
    ],
)
def test_what_only_makes_it_harder_is_reported(changes, kind):
    kinds, found = assessed(server(**changes))
    assert kinds == {kind}
    assert found.action == risks.LIVE


@pytest.mark.parametrize(
    "specs",
    [{"hw:mem_encryption": "false"}, {"resources:VGPU": "0"}, {"resources1:MEMORY_MB": "1"}, {"hw:pmem": ""}],
)
def test_hardware_that_is_not_asked_for_is_no_risk(specs):
    assert assessed(server(specs=specs))[0] == set()


@pytest.mark.parametrize(
    ("specs", "action"),
    [
        ({"hw:mem_encryption": "true"}, risks.COLD),
        ({"resources1:VGPU": "1"}, risks.COLD),
        ({"hw:pmem": "6GB"}, risks.FAILS),
        ({"accel:device_profile": "fpga-1"}, risks.FAILS),
    ],
)
def test_a_cold_migration_is_an_answer_to_some_hardware(specs, action):
    assert assessed(server(specs=specs), unmovable="cold")[1].action == action


@pytest.mark.parametrize(
    ("unmovable", "action"),
    [("fail", risks.FAILS), ("skip", risks.SKIPPED), ("leave", risks.STAYS), ("cold", risks.COLD)],
)
def test_the_policy_decides_on_a_server_that_cannot_move_live(unmovable, action):
    ports = {"vm": ["direct"]}
    kinds, found = assessed(server(), conditions(ports=ports), unmovable=unmovable)
    assert (kinds, found.action) == ({"sriov"}, action)


def test_a_cold_migration_is_no_answer_to_a_lock():
    assert assessed(server(locked=True), unmovable="cold")[1].action == risks.FAILS


def test_a_server_at_rest_stays():
    kinds, found = assessed(server(status="SHUTOFF", locked=True))
    assert (kinds, found.action) == ({"at_rest"}, risks.STAYS)


def test_properties_of_an_image_count_as_those_of_a_flavor():
    images = {"i": {"hw_tpm_version": "2.0", "hw_cpu_policy": "dedicated", "hw_mem_encryption": True}}
    assert {"vtpm", "pinned", "encrypted"} <= assessed(server(image="i"), conditions(images=images))[0]


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"cpu_info": {"features": ["aes"]}}, "cpu"),
        ({"hypervisor_version": 7000000}, "qemu"),
        ({"hypervisor_version": 2005000}, "qemu"),
    ],
)
def test_a_host_that_does_not_suit_is_named_and_avoided(facts, kind):
    kinds, found = assessed(server(), conditions(placement(cmp3=facts)))
    assert (kinds, found.action, found.target) == ({kind}, risks.LIVE, "cmp2")
    kinds, found = assessed(server(), conditions(placement(cmp2=facts, cmp3=facts)))
    assert (kinds, found.action) == ({kind}, risks.FAILS)


def test_a_newer_qemu_prevents_the_way_back():
    kinds, found = assessed(server(), conditions(placement(cmp3={"hypervisor_version": 9000000})))
    assert (kinds, found.action) == ({"qemu_newer"}, risks.LIVE)


def test_members_of_an_affinity_group_cannot_leave_alone():
    there = placement()
    there.groups = [
        ServerGroup("pair", "affinity", ["vm", "other"]),
        ServerGroup("alone", "affinity", ["single"]),
    ]
    assert assessed(server(), conditions(there))[1].action == risks.FAILS
    assert assessed(server("single"), conditions(there))[1].action == risks.LIVE
    there = placement()
    there.groups = [ServerGroup("apart", "anti-affinity", ["vm", "other"])]
    assert assessed(server(), conditions(there))[0] == {"group"}


def test_without_a_spare_nothing_moves():
    there = placement()
    there.services = {
        **there.services,
        "cmp2": service("cmp2", up=False),
        "cmp3": service("cmp3", enabled=False),
    }
    assert assessed(server(), conditions(there))[0] == {"no_spare"}


def test_the_report_tells_the_limit_of_each_migration():
    policy = ComputePolicy(timeout_per_gib=100, on_timeout="force_complete")
    found = risks.report([risks.assess(server(memory=4097), conditions(), policy)], policy)
    assert found[0]["will"] == "live migration, force_complete after 500 s"


def test_servers_of_one_host_compete_for_the_same_room():
    """Each fits alone; together the last one does not, and is named."""
    policy = ComputePolicy()
    large = [server(str(number), memory=90 * 1024) for number in range(5)]
    assert {one.action for one in risks.assess_all(large[:4], conditions(), policy)} == {risks.LIVE}
    found = risks.assess_all(large, conditions(), policy)
    assert [one.action for one in found].count(risks.FAILS) == 1
    assert {risk.kind for one in found for risk in one.risks if risk.blocks} == {"no_room"}


def test_where_room_is_scarce_each_server_is_told_where_it_fits():
    """Nova, which places one after the other, could give the only host of one server to another."""
    there = placement()
    there.free = {"cmp2": {**FREE, "MEMORY_MB": 4096}, "cmp3": {**FREE, "MEMORY_MB": 3072}}
    some = [server("small", memory=2048), server("large", memory=4096)]
    found = {
        one.server.name: one.target for one in risks.assess_all(some, conditions(there), ComputePolicy())
    }
    assert found == {"small": "cmp3", "large": "cmp2"}
    there.free = {host: {**FREE, "MEMORY_MB": 5120} for host in there.services}
    found = {
        one.server.name: one.target for one in risks.assess_all(some, conditions(there), ComputePolicy())
    }
    assert found == {"small": None, "large": None}
