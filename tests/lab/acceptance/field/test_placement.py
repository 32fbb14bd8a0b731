"""Nova decides where servers go: by zone, aggregates, traits and server groups, on a real Nova and Placement.

az1 has cmp1, cmp2 and cmp4, a nova-compute without a machine of its own and with an older QEMU; az2 has cmp3,
which is the roomiest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.flights import named

from ... import operator, proof
from ...enclosure import wait_for
from ...events import EventLog
from ...openstack.api import Api

LAB_PROFILE = "openstack"
COMPUTES = ("cmp1", "cmp2", "cmp3")
COMPUTE = {"drain": "live_migrate", "migrate_back": True, "return_timeout": 180}
GATEWAY = {"drain": "none"}
OLDER = {"hypervisor": {"hypervisor_version": 7000000}}
PLANTED = "/var/lib/nova/lab.json"
TRAIT = "CUSTOM_LAB_FAST"


@pytest.fixture(scope="module")
def api(cloud) -> Api:
    found = Api(cloud)
    found.wait_until_ready()
    aim(cloud, "1.0.0")
    _start_cmp4(cloud)
    assert wait_for(lambda: ("nova-compute", "cmp4") in found.alive(), 120, 1)
    # Nova finds a new host for its cell by itself, and Placement hears of it then.
    assert wait_for(lambda: _hypervisor_version(found, "cmp4") == 7000000, 180, 2)
    found.add_aggregate("first", ["cmp1", "cmp2", "cmp4"], "az1")
    found.add_aggregate("second", ["cmp3"], "az2")
    found.prepare()
    found.sdk.compute.create_flavor(name="filling", ram=30 * 1024, vcpus=1, disk=1)
    found.boot({"filling": "cmp2"}, flavor="filling", zone="az1")
    return found


@pytest.fixture(autouse=True)
def nothing_half_done(cloud, api) -> Iterator[None]:
    yield
    for node in COMPUTES:
        plant(cloud, node)
    for service in api.sdk.compute.services(binary="nova-compute"):
        if service.status != "enabled":
            api.sdk.compute.enable_service(service)
    cloud.master(["salt-run", "rollout.abort"], check=False)
    for node in drained(cloud):
        cloud.master(["salt-run", "workload.restore", node], timeout=600)
    for server in api.sdk.compute.servers(all_projects=True):
        if server.name != "filling":
            api.sdk.compute.delete_server(server, force=True)
    assert wait_for(lambda: set(api.servers()) == {"filling"}, 120, 0.5)


def aim(cloud, version: str, **compute: object) -> None:
    policies = {"compute": {**COMPUTE, **compute}, "gateway": GATEWAY}
    cloud.set_pillar(target_version=version, policies=policies)


def plant(cloud, node: str, **facts: object) -> None:
    cloud.exec(node, ["tee", PLANTED], stdin=json.dumps(facts))


def drained(cloud) -> dict:
    return json.loads(cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout)


def risks(cloud, node: str) -> dict[str, dict]:
    answer = json.loads(cloud.master(["salt-run", "workload.risks", node, "--out=json"]).stdout)
    return {one["server"]: one for one in answer["servers"]}


def drain(cloud, node: str) -> tuple[bool, str]:
    done = cloud.master(["salt-run", "workload.drain", node], check=False, timeout=900)
    return done.returncode == 0, done.stdout + done.stderr


def restore(cloud, node: str) -> None:
    cloud.master(["salt-run", "workload.restore", node], timeout=900)


def tried(api, server: str) -> list[tuple[str, str]]:
    """(target, how it ended) of a server's migrations, the first one first."""
    return [(one["dest_compute"], one["status"]) for one in reversed(api.migrations(server))]


def test_a_pinned_server_stays_in_its_zone_and_comes_back(cloud, api):
    made = api.boot({"pinned": "cmp1"}, zone="az1")
    assert risks(cloud, "cmp1")["pinned"]["will"].startswith("live migration")
    succeeded, said = drain(cloud, "cmp1")
    assert succeeded, said
    assert api.servers()["pinned"] == ("ACTIVE", "cmp2")
    # At the first try: no host was named that Nova refuses.
    assert tried(api, made["pinned"]) == [("cmp2", "completed")]
    restore(cloud, "cmp1")
    assert api.servers()["pinned"] == ("ACTIVE", "cmp1")


def test_without_a_lawful_host_the_update_is_refused_before_the_first_drain(cloud, api):
    """The zone's other host is closed, its third one has an older QEMU; the other zone's has all the room."""
    made = api.boot({"pinned": "cmp1", "b": "cmp2"}, zone="az1") | api.boot({"free": "cmp1"}, zone=None)
    api.sdk.compute.disable_service(api.compute_service("cmp2"), disabled_reason="bad disk")
    before = proof.fingerprint(cloud)
    aim(cloud, "1.0.1")
    assert {"qemu"} <= set(risks(cloud, "cmp1")["pinned"]["risks"])
    api.sdk.compute.disable_service(api.compute_service("cmp4"), disabled_reason="old")
    found = risks(cloud, "cmp1")
    assert found["pinned"]["will"] == "drain fails" and "zone" in found["pinned"]["risks"]
    assert found["free"]["will"].startswith("live migration")
    planned = cloud.master(["salt-run", "rollout.plan", "--out=json"], check=False, timeout=900)
    done = operator.update(cloud, check=False)
    said = done.stdout + done.stderr
    assert planned.returncode != 0 and json.loads(planned.stdout)["refused"].startswith("SERVERS_UNMOVABLE")
    assert done.returncode != 0 and "SERVERS_UNMOVABLE" in said and "pinned" in said, said
    assert proof.fingerprint(cloud) == before
    assert [tried(api, one) for one in made.values()] == [[], [], []]
    assert {name: host for name, (_, host) in api.servers().items()} == {
        **{"pinned": "cmp1", "free": "cmp1", "b": "cmp2", "filling": "cmp2"}
    }
    service = api.compute_service("cmp1")
    assert (service.status, drained(cloud)) == ("enabled", {})
    aim(cloud, "1.0.0")


def test_a_target_that_fails_is_not_tried_again(cloud, api):
    """The roomiest host comes first, and the migration fails there; the second try goes elsewhere."""
    plant(cloud, "cmp3", refuses=True)
    made = api.boot({"free": "cmp1"}, zone=None)
    succeeded, said = drain(cloud, "cmp1")
    assert succeeded, said
    first, second = tried(api, made["free"])
    assert first[0] == "cmp3" and first[1] in ("error", "failed"), first
    assert second == ("cmp2", "completed")
    assert api.servers()["free"] == ("ACTIVE", "cmp2")
    restore(cloud, "cmp1")


def test_traits_of_a_flavor_decide(cloud, api):
    """cmp2 has what the flavor requires; when it has not, nobody has, and that is said beforehand."""
    sdk = api.sdk
    sdk.placement.put(f"/traits/{TRAIT}", microversion="1.6")
    provider = next(
        one.id for one in sdk.compute.hypervisors(details=True) if one.service_details["host"] == "cmp2"
    )
    flavor = sdk.compute.create_flavor(name="fast", ram=64, vcpus=1, disk=1)
    _set_trait(api, provider, add=True)
    one = next(
        one.id for one in sdk.compute.hypervisors(details=True) if one.service_details["host"] == "cmp1"
    )
    _set_trait(api, one, add=True)
    sdk.compute.create_flavor_extra_specs(flavor, {f"trait:{TRAIT}": "required"})
    made = api.boot({"fast": "cmp1"}, flavor="fast", zone=None)
    _set_trait(api, provider, add=False)
    found = risks(cloud, "cmp1")["fast"]
    assert found["will"] == "drain fails" and "traits" in found["risks"], found
    succeeded, said = drain(cloud, "cmp1")
    assert not succeeded and "SERVERS_UNMOVABLE" in said, said
    assert tried(api, made["fast"]) == []
    _set_trait(api, provider, add=True)
    succeeded, said = drain(cloud, "cmp1")
    assert succeeded, said
    assert tried(api, made["fast"]) == [("cmp2", "completed")]
    restore(cloud, "cmp1")


def test_members_of_a_server_group_are_never_disturbed_at_once(cloud, api):
    """Two members are apart, on cmp1 and cmp2: their hosts go one after the other."""
    group = api.sdk.compute.create_server_group(name="apart", policies=["anti-affinity"])
    hint = {"scheduler_hints": {"group": group.id}}
    api.boot({"m1": "cmp1"}, zone=None, **hint)
    api.boot({"m2": "cmp2"}, zone=None, **hint)
    api.boot({"other": "cmp3"}, zone=None)
    homes = api.servers()
    running = proof.running_digests(cloud, "cmp3")["nova_compute"]
    image = next(
        one
        for one in (cloud.releases[v]["images"]["nova_compute_image"] for v in ("1.0.0", "1.0.1"))
        if not one.endswith(running)
    )
    cloud.add_release("1.0.2", like="1.0.0", images={"nova_compute_image": image})
    aim(cloud, "1.0.2", batch=3)
    stage = next(one for one in operator.plan(cloud)["stages"] if one["stage"] == "services")
    waves = [
        {node["id"] for node in wave["nodes"]}
        for round_ in stage["rounds"]
        for role in round_["roles"]
        if role["role"] == "compute"
        for wave in role["waves"]
    ]
    assert sorted(map(sorted, waves)) == [["cmp1", "cmp3"], ["cmp2"]]
    with EventLog(cloud) as log:
        operator.update(cloud)
        moves = named(log.steps(role="compute", stage="services"))
        flights = {frozenset(one["in_flight"]) for one in moves}
    assert all(not {"cmp1", "cmp2"} <= some for some in flights), flights
    assert api.servers() == homes
    for name in ("m1", "m2"):
        moves = Counter(one["status"] for one in _migrations_of(api, name))
        # Away and back. What Nova refuses, since its scheduler learns late who left a host, moves nothing.
        assert moves["completed"] == 2 and set(moves) <= {"completed", "error"}, moves


def _migrations_of(api, name: str) -> list[dict]:
    server = next(one for one in api.sdk.compute.servers(all_projects=True) if one.name == name)
    return api.migrations(server.id)


def _hypervisor_version(api, host: str) -> int:
    answer = api.sdk.compute.get("/os-hypervisors/detail", microversion="2.53").json()
    found = {one["service"]["host"]: one["hypervisor_version"] for one in answer["hypervisors"]}
    return found.get(host, 0)


def _set_trait(api, provider: str, *, add: bool) -> None:
    url = f"/resource_providers/{provider}/traits"
    found = api.sdk.placement.get(url, microversion="1.6").json()
    found["traits"] = sorted({*found["traits"], TRAIT} if add else {*found["traits"]} - {TRAIT})
    answer = api.sdk.placement.put(url, json=found, microversion="1.6")
    assert answer.ok, answer.text


def _start_cmp4(cloud) -> None:
    """A second nova-compute on cmp3's machine, by another name and with what it is told of its hypervisor."""
    image = cloud.releases["1.0.0"]["images"]["nova_compute_image"]
    options = [
        *("--detach", "--replace", "--name=cmp4", "--hostname=cmp4", "--uts=private", "--network=host"),
        *("--volume=/etc/openstack/nova:/etc/nova:ro", "--volume=/etc/lab:/etc/lab:ro"),
        *("--volume=/var/lib/cmp4:/var/lib/nova", "--env=SERVICE=nova_compute"),
    ]
    cloud.exec("cmp3", ["mkdir", "-p", "/var/lib/cmp4"])
    cloud.exec("cmp3", ["tee", "/var/lib/cmp4/lab.json"], stdin=json.dumps(OLDER))
    cloud.exec("cmp3", ["podman", "run", *options, image])
