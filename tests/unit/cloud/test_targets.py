"""Which hosts Nova's scheduler will take a server to: by zone, aggregates, traits, groups, and room."""

from dataclasses import replace

import pytest

from openstack_rollout.cloud import risks, room, targets
from openstack_rollout.cloud.nova import Aggregate, ServerGroup
from openstack_rollout.cloud.placement import Placement, Wanted
from openstack_rollout.declared.policies import ComputePolicy
from tests.unit.cloud.test_risks import FREE, server, service

ZONES = {"cmp1": "az1", "cmp2": "az1", "cmp3": "az2", "cmp4": "az1"}
LARGE = {**FREE, "MEMORY_MB": 400 * 1024}
QEMU = {"hypervisor_type": "QEMU", "hypervisor_version": 8002000}


def placement(**changes):
    """cmp1, cmp2 and cmp4 in az1, the last one with an older QEMU; cmp3, in az2, is the roomiest."""
    plain = {
        "services": {host: service(host, zone=zone) for host, zone in ZONES.items()},
        "hypervisors": {
            **dict.fromkeys(ZONES, QEMU),
            "cmp4": {**QEMU, "hypervisor_version": 7002000},
        },
        "free": {**{host: dict(FREE) for host in ZONES}, "cmp3": LARGE},
        "aggregates": [
            aggregate(zone, [host for host in ZONES if ZONES[host] == zone], zone) for zone in ("az1", "az2")
        ],
    }
    return Placement(**{**plain, **changes})


def aggregate(name, hosts, zone="", **metadata):
    return Aggregate(f"of-{name}", name, zone, hosts, metadata)


def vm(name="vm", **changes):
    return server(name, **{"zone": "az1", "pinned": "az1", **changes})


def found(one=None, there=None, excluded=("cmp1",), image=None, **words):
    one = vm() if one is None else one
    return targets.of(one, {} if image is None else image, there or placement(), excluded, **words)


def assessed(one, there, **policy):
    given = risks.Conditions(there, excluded=frozenset({"cmp1"}))
    [made] = risks.assess_all([one], given, ComputePolicy(**policy))
    return {risk.kind for risk in made.risks if risk.blocks}, made


def test_a_pinned_server_goes_to_its_zone_however_much_room_there_is_elsewhere():
    kinds, one = assessed(vm(), placement())
    assert (kinds, one.action, one.target) == (set(), risks.LIVE, "cmp2")


@pytest.mark.parametrize("away", ["disabled", "full"])
def test_with_no_host_in_its_zone_a_pinned_server_blocks(away):
    there = placement()
    if away == "disabled":
        there.services = {**there.services, "cmp2": service("cmp2", enabled=False, zone="az1")}
    else:
        there.free = {**there.free, "cmp2": {**FREE, "MEMORY_MB": 0}}
    there.services = {host: one for host, one in there.services.items() if host != "cmp4"}
    kinds, one = assessed(vm(), there)
    assert (one.action, one.target) == (risks.FAILS, None)
    assert kinds == ({"zone"} if away == "disabled" else {"no_room"})


def test_whether_a_server_is_pinned_is_novas_to_tell():
    others = {"cmp2", "cmp3", "cmp4"}
    assert set(found(vm(pinned="")).lawful) == others
    # A pin to the default zone, which no aggregate makes, binds nothing where Nova tells of pins.
    assert set(found(vm(pinned="nova")).lawful) == others
    unknown = vm(pinned=None)
    assert set(found(unknown).lawful) == {"cmp2", "cmp4"}
    left = found(unknown, leaves_zone=True)
    assert set(left.lawful) == others and set(left.certain) == {"cmp2"}


@pytest.mark.parametrize("version", [7002000, 8001000])
def test_an_older_qemu_is_no_target_and_a_newer_one_is(version):
    older = {**QEMU, "hypervisor_version": version}
    there = placement(hypervisors={**dict.fromkeys(ZONES, QEMU), "cmp2": older, "cmp4": QEMU})
    assert found(vm(), there).suiting == ("cmp4",)
    newer = {**QEMU, "hypervisor_version": 9000000}
    there = placement(hypervisors={**dict.fromkeys(ZONES, QEMU), "cmp2": newer})
    assert set(found(vm(), there).suiting) == {"cmp2", "cmp4"}


def test_another_kind_of_hypervisor_is_no_target():
    there = placement(hypervisors={**dict.fromkeys(ZONES, QEMU), "cmp4": {"hypervisor_type": "VMware"}})
    assert found(vm(), there).suiting == ("cmp2",)


def test_placements_own_answer_counts_beside_what_is_free():
    """Placement knows more of a host than sums: the most that one server may take, where resources are."""
    there = placement()
    wanted = targets.wanted_of(vm(), {}, there)
    there.candidates = {wanted: frozenset({"cmp4"})}
    assert found(vm(), there).roomy == ("cmp4",)
    assert assessed(vm(), there)[0] == {"no_room", "qemu"}


def test_what_is_asked_of_placement_is_what_nova_asks():
    there = placement()
    specs = {
        "hw:cpu_policy": "dedicated",
        "trait:CUSTOM_SSD": "required",
        "trait:CUSTOM_SLOW": "forbidden",
        "resources:CUSTOM_KEY": "1",
        "resources:MEMORY_MB": "0",
    }
    one = vm(specs=specs, vcpus=2, image="i", disk=12, ephemeral=2, swap=512)
    wanted = targets.wanted_of(one, {"trait:HW_CPU_X86_AVX2": "required"}, there)
    assert wanted == Wanted(
        (("CUSTOM_KEY", 1), ("DISK_GB", 13), ("PCPU", 2)),
        ("CUSTOM_SSD", "HW_CPU_X86_AVX2"),
        ("CUSTOM_SLOW",),
        ("of-az1",),
    )
    assert wanted.query == (
        "resources=CUSTOM_KEY:1,DISK_GB:13,PCPU:2&required=CUSTOM_SSD,HW_CPU_X86_AVX2,!CUSTOM_SLOW"
        "&member_of=in:of-az1"
    )
    volume = vm(vcpus=1, disk=12, ephemeral=2, pinned=None)
    assert targets.wanted_of(volume, {}, there).query == "resources=DISK_GB:2,MEMORY_MB:1024,VCPU:1"


@pytest.mark.parametrize(
    ("specs", "image", "kinds"),
    [
        ({"trait:CUSTOM_SSD": "required"}, {}, set()),
        ({"trait:CUSTOM_SSD": "forbidden"}, {}, set()),
        ({}, {"trait:CUSTOM_GPU": "required"}, {"traits", "zone"}),
        ({"trait:CUSTOM_SSD": "required", "trait:CUSTOM_OLD": "required"}, {}, {"traits", "zone"}),
    ],
)
def test_traits_of_flavor_and_image_decide(specs, image, kinds):
    there = placement(traits={"cmp2": ["CUSTOM_SSD"], "cmp3": ["CUSTOM_GPU", "CUSTOM_SSD"], "cmp4": []})
    given = risks.Conditions(there, images={"i": image}, excluded=frozenset({"cmp1"}))
    one = risks.assess(vm(specs=specs, image="i"), given, ComputePolicy())
    blocked = {risk.kind for risk in one.risks if risk.blocks}
    wanted = "cmp4" if "forbidden" in specs.values() else "cmp2"
    if kinds:
        assert blocked == kinds
    else:
        assert one.targets.lawful == (wanted,)


@pytest.mark.parametrize(
    ("of_server", "image", "here", "there"),
    [
        ({"specs": {"aggregate_instance_extra_specs:ssd": "true"}}, {}, {"ssd": "true"}, {}),
        ({"specs": {"aggregate_instance_extra_specs:speed": ">= 3"}}, {}, {"speed": "3"}, {"speed": "2"}),
        ({"project": "p"}, {}, {}, {"filter_tenant_id": "q"}),
        ({"project": "p"}, {}, {"filter_tenant_id": "p,q"}, {"filter_tenant_id.2": "q, r"}),
        ({}, {"os_distro": "linux"}, {"os_distro": "linux"}, {"os_distro": "windows"}),
        ({}, {}, {}, {"trait:CUSTOM_LICENSED": "required"}),
        ({"flavor": "small"}, {}, {}, {"instance_type": "large,huge"}),
    ],
)
def test_aggregates_keep_a_server_off_their_hosts(of_server, image, here, there):
    first = aggregate("first", ["cmp1", "cmp4"], **here)
    cloud = placement()
    cloud.aggregates = [*cloud.aggregates, first, aggregate("second", ["cmp2"], **there)]
    one = found(vm(**of_server), cloud, image=image)
    assert (one.lawful, one.obstacles["cmp2"].kind) == (("cmp4",), "aggregate")


def test_a_rule_that_the_servers_own_host_breaks_is_not_in_force():
    one = vm(specs={"aggregate_instance_extra_specs:ssd": "true"}, project="p")
    there = placement()
    there.aggregates = [*there.aggregates, aggregate("q", ["cmp1", "cmp2"], filter_tenant_id="q")]
    assert set(found(one, there).lawful) == {"cmp2", "cmp4"}


def test_a_host_of_which_the_clouds_settings_decide_is_never_named():
    there = placement(hypervisors=dict.fromkeys(ZONES, QEMU))
    there.aggregates = [*there.aggregates, aggregate("p", ["cmp1", "cmp4"], filter_tenant_id="p", ssd="yes")]
    assert found(vm(project="p"), there).certain == ("cmp4",)
    assert set(found(vm(project="p"), there).lawful) == {"cmp2", "cmp4"}
    assert found(vm(specs={"ssd": "yes"}), there).certain == ("cmp4",)
    for unknown in ({"hints": ("different_host",)}, {"specs": {"resources1:VF": "1"}}):
        assert found(vm(**unknown), there).certain == ()
    assert targets.of(vm(image="gone"), None, there, ("cmp1",)).certain == ()


@pytest.mark.parametrize(
    ("policy", "located", "lawful"),
    [
        ("anti-affinity", {"mate": "cmp2"}, {"cmp4"}),
        ("soft-anti-affinity", {"mate": "cmp2"}, {"cmp2", "cmp4"}),
        ("affinity", {"mate": "cmp2"}, {"cmp2"}),
        ("affinity", {"mate": "cmp1"}, set()),
        ("affinity", {}, set()),
        ("affinity", {"mate": ""}, {"cmp2", "cmp4"}),
        ("soft-affinity", {"mate": "cmp1"}, {"cmp2", "cmp4"}),
    ],
)
def test_the_policy_of_its_group_decides(policy, located, lawful):
    there = placement(groups=[ServerGroup("g", policy, ["vm", "mate"])], located=located)
    assert set(found(vm(), there).lawful) == lawful


def test_a_group_may_allow_several_on_one_host():
    there = placement(
        groups=[ServerGroup("g", "anti-affinity", ["vm", "a", "b"], most=2)],
        located={"a": "cmp2", "b": "cmp2"},
    )
    assert found(vm(), there).lawful == ("cmp4",)
    there.located = {"a": "cmp2", "b": "cmp4"}
    assert set(found(vm(), there).lawful) == {"cmp2", "cmp4"}


def test_servers_that_leave_together_keep_apart():
    """Two members may be on one host; four leave, and only one of two hosts may take them."""
    some = [vm(name, memory=1024) for name in "abcd"]
    there = placement(
        groups=[ServerGroup("g", "anti-affinity", list("abcd"), most=4)],
        located=dict.fromkeys("abcd", "cmp1"),
        hypervisors=dict.fromkeys(ZONES, QEMU),
    )
    wishes = [(one, found(one, there)) for one in some]
    assert len(targets.together(wishes, there)) == 4
    there.groups = [ServerGroup("g", "anti-affinity", list("abcd"), most=1)]
    del there._groups_by_server
    assert len(targets.together(wishes, there)) == 2


def count(there, servers, hosts=("cmp1", "cmp2"), **policy):
    given = risks.Conditions(there)
    by_host = {host: [one for one in servers if one.host == host] for host in hosts}
    return room.count(list(hosts), by_host, given, ComputePolicy(**policy))


def test_hosts_that_may_not_take_a_server_are_no_room_for_it():
    there = placement()
    there.services = {host: one for host, one in there.services.items() if host != "cmp4"}
    some = [vm("a"), vm("b", host="cmp2")]
    assert count(there, some) == 1
    assert count(there, [replace(one, pinned="") for one in some]) == 2


def test_a_server_that_blocks_needs_no_room_and_keeps_none_from_others():
    there = placement()
    there.free = {host: {**FREE, "MEMORY_MB": 1024} for host in ZONES}
    some = [vm("a"), vm("locked", locked=True), vm("b", host="cmp2")]
    # cmp1's drain will be refused because of one server; where that one is left, the other needs the room.
    assert count(there, some, ("cmp1",)) == 1
    assert count(there, [vm("a"), vm("b"), vm("c")], ("cmp1",)) == 0
    assert count(there, [vm("a"), vm("locked", locked=True)], ("cmp1",), unmovable="leave") == 1


def test_a_server_whose_hosts_are_away_at_the_moment_waits_for_them():
    """cmp2 is drained already, by us: disabled. What of cmp1 is pinned to their zone has to wait."""
    there = placement()
    there.services = {host: one for host, one in there.services.items() if host != "cmp4"}
    there.services["cmp2"] = service("cmp2", enabled=False, zone="az1")
    assert count(there, [vm("a")], ("cmp2", "cmp1")) == 1
    assert count(there, [vm("a", pinned="")], ("cmp2", "cmp1")) == 2


def test_a_host_that_a_server_cannot_move_to_live_is_no_room_once_the_others_are_away():
    """cmp2 and cmp4 may take it; cmp4 has an older QEMU."""
    assert found(vm("a"), placement()).suiting == ("cmp2",)
    assert count(placement(), [vm("a")]) == 1
