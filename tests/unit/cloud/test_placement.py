"""What Nova and Placement answer, as they wrote it, becomes hosts, servers and groups."""

from __future__ import annotations

import json
from types import SimpleNamespace

import openstack.compute.v2.aggregate
import openstack.compute.v2.server
import openstack.compute.v2.server_group
import pytest
import requests

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.nova import Aggregate, ServerGroup
from openstack_rollout.cloud.placement import Placement, Wanted

ROOTS = {"cmp1": "3a8c", "cmp2": "77f0"}
SERVER = {
    "id": "0c4e",
    "name": "vm",
    "status": "ACTIVE",
    "tenant_id": "6f70",
    "image": {"id": "9d1c"},
    "flavor": {
        "vcpus": 1,
        "ram": 64,
        "disk": 1,
        "ephemeral": 2,
        "swap": 512,
        "original_name": "fast",
        "extra_specs": {"trait:CUSTOM_FAST": "required"},
    },
    "OS-EXT-AZ:availability_zone": "az1",
    "OS-EXT-SRV-ATTR:host": "cmp1",
    "OS-EXT-STS:task_state": None,
    "locked": False,
}


def summary(root, free, traits=(), used=64):
    memory = {"MEMORY_MB": {"capacity": free + used, "used": used}}
    return {
        "root_provider_uuid": root,
        "parent_provider_uuid": None,
        "traits": list(traits),
        "resources": {**memory, "VCPU": {"capacity": 32, "used": 1}},
    }


def answered(monkeypatch, answers):
    """Have GETs answered. answers: what follows the `?` of a request -> what Placement wrote, or a status."""
    asked = []

    def get(url, microversion):
        asked.append(url.partition("?")[2])
        body = answers[asked[-1]]
        made = requests.Response()
        made.status_code = body if isinstance(body, int) else 200
        made._content, made.url = json.dumps({} if isinstance(body, int) else body).encode(), url
        made.headers["content-type"] = "application/json"
        return made

    monkeypatch.setattr(Cloud, "api", SimpleNamespace(placement=SimpleNamespace(get=get)))
    return asked


@pytest.fixture
def there(monkeypatch):
    hypervisors = {host: {"id": root} for host, root in ROOTS.items()}
    monkeypatch.setattr(nova, "hypervisors", lambda cloud: hypervisors)
    for name in ("services", "server_groups", "aggregates"):
        monkeypatch.setattr(nova, name, lambda cloud: [])
    answer = {
        "allocation_requests": [],
        "provider_summaries": {
            "3a8c": summary("3a8c", 900, ["COMPUTE_NODE"]),
            "77f0": summary("77f0", 500, ["COMPUTE_NODE", "CUSTOM_FAST"]),
            "of-a-gpu": {
                **summary("77f0", 0, ["CUSTOM_GPU"]),
                "resources": {"VGPU": {"capacity": 2, "used": 1}},
            },
            "shared": {**summary("shared", 0), "resources": {"DISK_GB": {"capacity": 9, "used": 0}}},
        },
    }
    answered(monkeypatch, {"resources=MEMORY_MB:1": answer})
    return Placement.read(Cloud("lab"))


def test_what_hosts_have_free_and_can_do(there):
    assert there.free == {
        "cmp1": {"MEMORY_MB": 900, "VCPU": 31},
        "cmp2": {"MEMORY_MB": 500, "VCPU": 31, "VGPU": 1},
    }
    assert there.traits == {
        "cmp1": {"COMPUTE_NODE"},
        "cmp2": {"COMPUTE_NODE", "CUSTOM_FAST", "CUSTOM_GPU"},
    }


def test_the_hosts_that_placement_offers_are_those_of_its_requests(there, monkeypatch):
    """Its summaries also tell of providers that are in no request."""
    wanted = Wanted((("MEMORY_MB", 64),), ("CUSTOM_FAST",))
    answer = {
        "allocation_requests": [
            {
                "allocations": {
                    "77f0": {"resources": {"MEMORY_MB": 64}},
                    "shared": {"resources": {"DISK_GB": 1}},
                }
            }
        ],
        "provider_summaries": {
            "3a8c": summary("3a8c", 900),
            "77f0": summary("77f0", 500),
            "shared": summary("shared", 0),
        },
    }
    asked = answered(monkeypatch, {"resources=MEMORY_MB:64&required=CUSTOM_FAST": answer})
    there.ask(Cloud("lab"), [wanted, wanted])
    there.ask(Cloud("lab"), [wanted])
    assert (there.candidates, len(asked)) == ({wanted: {"cmp2"}}, 1)


def test_a_trait_that_placement_does_not_know_leaves_no_host(there, monkeypatch):
    wanted = Wanted((("MEMORY_MB", 64),), ("CUSTOM_MISTYPED",))
    answered(monkeypatch, {"resources=MEMORY_MB:64&required=CUSTOM_MISTYPED": 400})
    there.ask(Cloud("lab"), [wanted])
    assert there.candidates == {wanted: frozenset()}


def test_pinned_cpus_may_still_be_counted_as_others(there, monkeypatch):
    """As Nova asks: hosts that were not set up for PCPU are taken as well."""

    def answer(host):
        requests_ = [{"allocations": {ROOTS[host]: {"resources": {}}}}]
        return {
            "allocation_requests": requests_,
            "provider_summaries": {ROOTS[host]: summary(ROOTS[host], 9)},
        }

    answered(monkeypatch, {"resources=PCPU:2": answer("cmp1"), "resources=VCPU:2": answer("cmp2")})
    wanted = Wanted((("PCPU", 2),))
    there.ask(Cloud("lab"), [wanted])
    assert there.candidates == {wanted: {"cmp1", "cmp2"}}


def test_members_of_a_group_are_looked_up_once_each(there, monkeypatch):
    asked = []

    def find(cloud, server):
        asked.append(server)
        return SimpleNamespace(host="cmp2") if server == "far" else None

    monkeypatch.setattr(nova, "find_server", find)
    there.groups = [ServerGroup("g", "anti-affinity", ["vm", "near", "far", "gone"])]
    there.locate(Cloud("lab"), [SimpleNamespace(id=name, host="cmp1") for name in ("vm", "near", "single")])
    assert sorted(asked) == ["far", "gone"]
    assert there.located == {"vm": "cmp1", "near": "cmp1", "single": "cmp1", "far": "cmp2", "gone": ""}


@pytest.mark.parametrize(
    ("microversion", "more", "pinned", "hints"),
    [
        ("2.95", {}, None, ()),
        (None, {}, None, ()),
        ("2.96", {"pinned_availability_zone": "az1"}, "az1", ()),
        ("2.96", {"pinned_availability_zone": None}, "", ()),
        ("2.100", {"scheduler_hints": {"group": "x", "same_host": "y"}}, "", ("same_host",)),
    ],
)
def test_a_server_as_nova_tells_of_it(microversion, more, pinned, hints):
    made = openstack.compute.v2.server.Server.existing(microversion=microversion, **SERVER, **more)
    one = nova._server(made)
    assert (one.pinned, one.hints) == (pinned, hints)
    assert (one.zone, one.project, one.flavor, one.host) == ("az1", "6f70", "fast", "cmp1")
    assert (one.disk, one.ephemeral, one.swap, one.image) == (3, 2, 512, "9d1c")
    assert one.specs == {"trait:CUSTOM_FAST": "required"}


def test_groups_and_aggregates_as_nova_tells_of_them(monkeypatch):
    group = openstack.compute.v2.server_group.ServerGroup.existing
    aggregate = openstack.compute.v2.aggregate.Aggregate.existing
    compute = SimpleNamespace(
        server_groups=lambda all_projects: [
            group(id="1", name="a", policy="anti-affinity", rules={"max_server_per_host": 2}, members=["x"]),
            group(id="2", name="b", policies=["affinity"], members=[]),
        ],
        aggregates=lambda: [
            aggregate(
                id=4,
                uuid="e1b2",
                name="first",
                availability_zone="az1",
                hosts=["cmp1"],
                metadata={"availability_zone": "az1", "ssd": "true"},
            )
        ],
    )
    monkeypatch.setattr(Cloud, "api", SimpleNamespace(compute=compute))
    assert nova.server_groups(Cloud("lab")) == [
        ServerGroup("a", "anti-affinity", ["x"], 2, "1"),
        ServerGroup("b", "affinity", [], 1, "2"),
    ]
    metadata = {"availability_zone": "az1", "ssd": "true"}
    assert nova.aggregates(Cloud("lab")) == [Aggregate("e1b2", "first", "az1", ["cmp1"], metadata)]
