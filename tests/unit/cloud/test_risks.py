"""Each risk of a server is named, and the policy's answer to it is told."""

import pytest

from openstack_rollout.cloud import risks
from openstack_rollout.cloud.nova import Guest, Service
from openstack_rollout.cloud.placement import Landscape
from openstack_rollout.declared.policies import ComputePolicy

CPU = {"features": ["aes", "avx"]}
ROOM = {"VCPU": 8, "MEMORY_MB": 200 * 1024, "DISK_GB": 100}


def service(host, enabled=True, up=True, zone="nova"):
    return Service(f"id-{host}", host, zone, enabled, up, "", "now")


def guest(name="vm", **changes):
    told = {"id": name, "host": "cmp1", "status": "ACTIVE", "task": "", "vcpus": 1, "memory": 1024}
    return Guest(**{"name": name, **told, **changes})


def landscape(**hypervisors):
    facts = {
        host: {"hypervisor_type": "QEMU", "hypervisor_version": 8002000, "cpu_info": CPU}
        for host in ("cmp1", "cmp2", "cmp3")
    }
    for host, changes in hypervisors.items():
        facts[host] = {**facts[host], **changes}
    return Landscape(
        services={host: service(host) for host in facts},
        hypervisors=facts,
        free={host: dict(ROOM) for host in facts},
    )


def around(there=None, **changes):
    return risks.Surroundings(there or landscape(), away=frozenset({"cmp1"}), **changes)


def judged(one, surroundings=None, **policy):
    found = risks.verdict(one, surroundings or around(), ComputePolicy(**policy))
    return {risk.word for risk in found.risks}, found


def test_a_plain_server_moves_live_where_the_scheduler_says():
    words, found = judged(guest())
    assert words == set()
    assert (found.course, found.target) == ("live", None)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"status": "ERROR"}, "error"),
        ({"status": "RESCUE"}, "status"),
        ({"locked": True}, "locked"),
        ({"specs": {"pci_passthrough:alias": "gpu:1"}}, "passthrough"),
        ({"specs": {"resources:VGPU": "1"}}, "vgpu"),
        ({"specs": {"hw:tpm_version": "2.0"}}, "vtpm"),
        ({"memory": 300 * 1024}, "no_room"),
    ],
)
def test_what_keeps_a_server_from_moving_is_named_and_fails_the_drain_by_default(changes, word):
    words, found = judged(guest(**changes))
    assert word in words
    assert found.course == risks.FAILS
    assert found.why


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"task": "rebooting"}, "task"),
        ({"memory": 64 * 1024}, "memory"),
        ({"specs": {"hw:cpu_policy": "dedicated"}}, "pinned"),
        ({"specs": {"hw:numa_nodes": "2"}}, "pinned"),
        ({"image": "i", "disk": 10}, "local_disk"),
        ({"zone": "az9"}, "zone"),
    ],
)
def test_what_only_makes_it_harder_is_told_and_taken(changes, word):
    words, found = judged(guest(**changes))
    assert words == {word}
    assert found.course == risks.LIVE


@pytest.mark.parametrize(
    ("unmovable", "course"),
    [("fail", risks.FAILS), ("skip", risks.SKIPPED), ("leave", risks.STAYS), ("cold", risks.COLD)],
)
def test_the_policy_decides_on_a_server_that_cannot_move_live(unmovable, course):
    ports = {"vm": ["direct"]}
    words, found = judged(guest(), around(ports=ports), unmovable=unmovable)
    assert (words, found.course) == ({"sriov"}, course)


def test_a_cold_migration_is_no_answer_to_a_lock():
    assert judged(guest(locked=True), unmovable="cold")[1].course == risks.FAILS


def test_a_server_at_rest_stays():
    words, found = judged(guest(status="SHUTOFF", locked=True))
    assert (words, found.course) == ({"at_rest"}, risks.STAYS)


def test_properties_of_an_image_count_as_those_of_a_flavor():
    images = {"i": {"hw_tpm_version": "2.0", "hw_cpu_policy": "dedicated"}}
    assert {"vtpm", "pinned"} <= judged(guest(image="i"), around(images=images))[0]


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"cpu_info": {"features": ["aes"]}}, "cpu"),
        ({"hypervisor_version": 7000000}, "qemu"),
        ({"hypervisor_version": 2005000}, "qemu"),
    ],
)
def test_a_host_that_does_not_suit_is_named_and_avoided(facts, word):
    words, found = judged(guest(), around(landscape(cmp3=facts)))
    assert (words, found.course, found.target) == ({word}, risks.LIVE, "cmp2")
    words, found = judged(guest(), around(landscape(cmp2=facts, cmp3=facts)))
    assert (words, found.course) == ({word}, risks.FAILS)


def test_a_newer_qemu_is_a_way_without_return():
    words, found = judged(guest(), around(landscape(cmp3={"hypervisor_version": 9000000})))
    assert (words, found.course) == ({"qemu_newer"}, risks.LIVE)


def test_members_of_an_affinity_group_cannot_leave_alone():
    there = landscape()
    there.groups = [("pair", "affinity", ["vm", "other"]), ("alone", "affinity", ["single"])]
    assert judged(guest(), around(there))[1].course == risks.FAILS
    assert judged(guest("single"), around(there))[1].course == risks.LIVE
    there.groups = [("apart", "anti-affinity", ["vm", "other"])]
    assert judged(guest(), around(there))[0] == {"group"}


def test_without_a_spare_nothing_moves():
    there = landscape()
    there.services = {
        **there.services,
        "cmp2": service("cmp2", up=False),
        "cmp3": service("cmp3", enabled=False),
    }
    assert judged(guest(), around(there))[0] == {"no_spare"}


def test_the_report_tells_the_limit_of_each_migration():
    policy = ComputePolicy(timeout_per_gib=100, on_timeout="force_complete")
    found = risks.report([risks.verdict(guest(memory=4097), around(), policy)], policy)
    assert found[0]["will"] == "live migration, force_complete after 500 s"


def test_hosts_hold_servers_only_as_long_as_there_is_room_for_all_of_them():
    there = landscape()
    large = [guest(str(number), memory=90 * 1024) for number in range(5)]
    assert there.holds(large[:4], ["cmp2", "cmp3"])
    assert not there.holds(large, ["cmp2", "cmp3"])
    assert not there.holds(large[:1], [])
