"""Servers and routers leave before a node is updated, and are back afterwards: on a real Nova and Neutron.

The tests are one story on one cloud: what is refused, what a drain does alone and under faults, and at last a
whole update from 1.0.0 to 1.0.1 beside which everything is sampled.
"""

from __future__ import annotations

import json
import signal
import time

import pytest

from .. import operator, proof
from ..enclosure import wait_for
from ..openstack.api import Api
from ..openstack.instance_ha import InstanceHa
from ..openstack.reach import Reach
from ..openstack.witness import Witness

LAB_PROFILE = "openstack"
COMPUTES = ("cmp1", "cmp2", "cmp3")
ROUTERS = {"r1": "gtw1", "r2": "gtw1", "r3": "gtw2", "r4": "gtw2"}
COMPUTE = {
    "drain": "live_migrate",
    "migrate_back": True,
    "migrations_per_host": 4,
    "timeout_per_gib": 120,
    "return_timeout": 180,
}
# An agent builds a router's namespace in seconds, on a machine that has nothing else to do.
GATEWAY = {"drain": "move_routers", "return_timeout": 180, "router_timeout": 300}
#: seconds that a router may be on no agent while it moves: far more than was seen, far less than a reboot
GAP = 5.0
PLANTED = "/var/lib/nova/lab.json"


@pytest.fixture(scope="module")
def api(cloud) -> Api:
    found = Api(cloud)
    found.wait_until_ready()
    policy(cloud)
    return found


@pytest.fixture(scope="module")
def routers(api) -> dict[str, str]:
    return api.add_routers(ROUTERS)


@pytest.fixture(scope="module")
def servers(api) -> dict[str, str]:
    """Four servers on cmp1, two on each of the others."""
    where = {**{f"a{n}": "cmp1" for n in range(4)}, "b1": "cmp2", "b2": "cmp2", "c1": "cmp3", "c2": "cmp3"}
    return api.boot(where)


def policy(cloud, target: str = "1.0.0", **compute: object) -> None:
    policies = {"compute": {**COMPUTE, **compute}, "gateway": GATEWAY}
    cloud.set_pillar(target_version=target, policies=policies)


def plant(cloud, node: str, **facts: object) -> None:
    cloud.exec(node, ["sh", "-c", f"echo '{json.dumps(facts)}' > {PLANTED}"])


def runner(cloud, function: str, *arguments: str) -> tuple[bool, str]:
    """Whether a runner succeeded, and what it said."""
    done = cloud.master(["salt-run", function, *arguments], check=False, timeout=900)
    return done.returncode == 0, done.stdout + done.stderr


def drained(cloud) -> dict:
    return json.loads(cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout)


def hosts(api) -> dict[str, str]:
    return {name: host for name, (_, host) in api.servers().items()}


def assert_as_before(api, cloud, placed: dict[str, str]) -> None:
    """Nothing is left disabled, half-moved, in error or in a record."""
    assert {status for status, _ in api.servers().values()} == {"ACTIVE"}
    assert hosts(api) == placed
    for node in COMPUTES:
        assert api.compute_service(node).status == "enabled", node
    assert drained(cloud) == {}


def risks_become(cloud, wanted: dict[str, set[str]]) -> dict[str, dict]:
    """Wait until the report on cmp1, by server, names these risks: Nova tells of its hypervisors late."""
    found: dict[str, dict] = {}

    def named() -> bool:
        answer = json.loads(cloud.master(["salt-run", "workload.risks", "cmp1", "--out=json"]).stdout)
        found.update({one["server"]: one for one in answer["servers"]})
        return all(risks <= set(found[server]["risks"]) for server, risks in wanted.items())

    assert wait_for(named, 300, 2), found
    return found


def test_the_report_names_each_planted_risk(cloud, api):
    numa = api.sdk.compute.create_flavor(name="pinned", ram=64, vcpus=1, disk=1)
    api.sdk.compute.create_flavor_extra_specs(numa, {"hw:numa_nodes": "1"})
    api.sdk.compute.create_flavor(name="large", ram=40 * 1024, vcpus=1, disk=1)
    api.sdk.compute.create_flavor(name="filling", ram=30 * 1024, vcpus=1, disk=1)
    made = api.boot({"locked": "cmp1", "busy": "cmp1", "off": "cmp1"})
    api.boot({"pinned": "cmp1"}, flavor="pinned")
    api.boot({"large": "cmp1"}, flavor="large")
    api.boot({"filling2": "cmp2", "filling3": "cmp3"}, flavor="filling")
    plant(cloud, "cmp1", hang=True)
    plant(cloud, "cmp2", hypervisor={"cpu_info": {"arch": "x86_64", "features": ["pge"]}})
    plant(cloud, "cmp3", hypervisor={"hypervisor_version": 7000000})
    api.sdk.compute.lock_server(made["locked"])
    api.sdk.compute.stop_server(made["off"])
    api.migrate(made["busy"], "cmp2")
    policy(cloud, large_memory_gib=32)
    risks_become(
        cloud,
        {
            "locked": {"locked", "cpu", "qemu"},
            "busy": {"task"},
            "off": {"at_rest"},
            "pinned": {"pinned"},
            "large": {"memory"},
        },
    )
    for node in ("cmp2", "cmp3"):
        plant(cloud, node)
    # What is left to say once the others could run it: none of them has 40 GiB free.
    found = risks_become(cloud, {"large": {"memory", "no_room"}})
    assert found["off"]["will"] == "stays"
    assert found["pinned"]["will"].startswith("live migration")
    assert found["locked"]["will"] == found["large"]["will"] == "drain fails"
    refused, said = runner(cloud, "workload.drain", "cmp1")
    assert not refused and "SERVERS_UNMOVABLE" in said and "locked" in said
    assert api.compute_service("cmp1").status == "enabled"
    plant(cloud, "cmp1")
    policy(cloud)
    assert wait_for(lambda: api.servers()["busy"] == ("ACTIVE", "cmp2"), 120, 1)
    api.remove_all()


def test_without_a_spare_an_update_is_refused_before_anything_is_touched(cloud, api):
    for node in ("cmp2", "cmp3"):
        api.sdk.compute.disable_service(api.compute_service(node), disabled_reason="by its operator")
    before = proof.fingerprint(cloud)
    policy(cloud, "1.0.1")
    done = operator.update(cloud, check=False)
    assert done.returncode != 0 and "NO_SPARE" in done.stdout + done.stderr
    assert proof.fingerprint(cloud) == before
    for node in ("cmp2", "cmp3"):
        service = api.compute_service(node)
        assert (service.status, service.disabled_reason) == ("disabled", "by its operator")
        api.sdk.compute.enable_service(service)
    policy(cloud)


def test_a_drain_takes_little_longer_than_the_migrations_themselves(cloud, api, servers):
    """Both end when Nova does: with its record of a migration, until when the source has to be left alone."""
    ids = [servers[f"a{n}"] for n in range(4)]

    def settled(away: bool) -> bool:
        found = [server for server in api.sdk.compute.servers(all_projects=True) if server.id in ids]
        return all(
            one.status == "ACTIVE" and not one.task_state and (one.compute_host == "cmp1") != away
            for one in found
        ) and all(api.migrations(one)[0]["status"] == "completed" for one in ids)

    # Memory takes its time even on a fast network: about that of a server with 8 GiB.
    plant(cloud, "cmp1", migration_seconds=8)
    began = time.monotonic()
    for server in ids:
        api.migrate(server)
    assert wait_for(lambda: settled(away=True), 600, 0.2)
    directly = time.monotonic() - began
    for server in ids:
        api.migrate(server, "cmp1")
    assert wait_for(lambda: settled(away=False), 600, 0.2)

    succeeded, said = runner(cloud, "workload.drain", "cmp1")
    assert succeeded and "4 servers moved" in said, said
    took = drained(cloud)["cmp1"]
    seconds = took["updated"] - took["since"]
    print(f"four migrations: {directly:.1f} s directly, {seconds:.1f} s by the drain")
    plant(cloud, "cmp1")
    assert runner(cloud, "workload.restore", "cmp1")[0]
    assert_as_before(api, cloud, _placed(servers))
    assert seconds <= 1.3 * directly


def test_a_migration_that_hangs_is_aborted_and_its_server_runs_on(cloud, api, servers):
    policy(cloud, timeout_per_gib=10)
    plant(cloud, "cmp1", hang=True)
    succeeded, said = runner(cloud, "workload.drain", "cmp1")
    plant(cloud, "cmp1")
    policy(cloud)
    assert not succeeded and "DRAIN_FAILED" in said and "cancelled after more than 10 s" in said, said
    assert_as_before(api, cloud, _placed(servers))


@pytest.mark.parametrize("words", [{"on_timeout": "force_complete"}, {"unmovable": "cold"}])
def test_a_migration_that_hangs_is_ended_as_the_policy_says(cloud, api, servers, words):
    """By force; or aborted, and the server is migrated shut off. None would ever arrive by itself."""
    policy(cloud, timeout_per_gib=20, **words)
    plant(cloud, "cmp1", hang=True)
    succeeded, said = runner(cloud, "workload.drain", "cmp1")
    away = {host for name, host in hosts(api).items() if name.startswith("a")}
    plant(cloud, "cmp1")
    policy(cloud)
    restored, why = runner(cloud, "workload.restore", "cmp1")
    assert succeeded and "4 servers moved" in said, said
    assert restored, why
    assert away <= {"cmp2", "cmp3"}
    assert_as_before(api, cloud, _placed(servers))
    made = {one["migration_type"] for one in api.migrations(servers["a0"])}
    assert ("migration" in made) == ("unmovable" in words), made


def test_a_master_that_is_killed_in_mid_drain_finds_everything_again(cloud, api, servers):
    plant(cloud, "cmp1", migration_seconds=8)
    policy(cloud, migrations_per_host=2)
    drain = cloud.popen_master(["salt-run", "workload.drain", "cmp1"])
    assert wait_for(lambda: "MIGRATING" in {status for status, _ in api.servers().values()}, 120, 0.3)
    _kill(drain)
    assert drained(cloud)["cmp1"]["state"] == "draining"
    succeeded, said = runner(cloud, "workload.drain", "cmp1")
    assert succeeded and "4 servers moved" in said, said
    plant(cloud, "cmp1")
    policy(cloud)
    assert runner(cloud, "workload.restore", "cmp1")[0]
    assert_as_before(api, cloud, _placed(servers))


def test_a_target_that_dies_in_mid_drain_costs_no_server(cloud, api, servers):
    plant(cloud, "cmp1", migration_seconds=10)
    drain = cloud.popen_master(["salt-run", "workload.drain", "cmp1"])
    assert wait_for(lambda: "MIGRATING" in {status for status, _ in api.servers().values()}, 120, 0.3)
    cloud.exec("cmp2", ["systemctl", "kill", "-s", "KILL", "nova_compute.service"])
    cloud.exec("cmp2", ["systemctl", "stop", "nova_compute.service"])
    drain.wait(900)
    plant(cloud, "cmp1")
    cloud.exec("cmp2", ["systemctl", "start", "nova_compute.service"])
    api.wait_until_ready()
    # It has gone on with the other compute; or it has ended under a name, and the way back is a word away.
    if "cmp1" in drained(cloud):
        assert runner(cloud, "workload.restore", "cmp1")[0]
    assert "ERROR" not in {status for status, _ in api.servers().values()}
    assert_as_before(api, cloud, _placed(servers))


def test_a_message_bus_that_restarts_in_mid_drain_does_not_end_it(cloud, api, servers):
    plant(cloud, "cmp1", migration_seconds=5)
    drain = cloud.popen_master(["salt-run", "workload.drain", "cmp1"])
    assert wait_for(lambda: "MIGRATING" in {status for status, _ in api.servers().values()}, 120, 0.3)
    cloud.exec("ctl1", ["systemctl", "restart", "rabbitmq.service"])
    drain.wait(900)
    plant(cloud, "cmp1")
    api.wait_until_ready()
    if "cmp1" in drained(cloud):
        assert runner(cloud, "workload.restore", "cmp1")[0]
    assert_as_before(api, cloud, _placed(servers))


def test_a_compute_that_does_not_come_back_stays_closed_until_it_does(cloud, api, servers):
    policy(cloud, return_timeout=20)
    assert runner(cloud, "workload.drain", "cmp3")[0]
    cloud.exec("cmp3", ["systemctl", "stop", "nova_compute.service"])
    succeeded, said = runner(cloud, "workload.restore", "cmp3")
    assert not succeeded and "RESTORE_FAILED" in said, said
    assert api.compute_service("cmp3").status == "disabled"
    assert drained(cloud)["cmp3"]["state"] == "restoring"
    cloud.exec("cmp3", ["systemctl", "start", "nova_compute.service"])
    api.wait_until_ready()
    policy(cloud)
    assert runner(cloud, "workload.restore", "cmp3")[0]
    assert_as_before(api, cloud, _placed(servers))


def test_instance_ha_stands_still_while_a_compute_is_drained(cloud, api, servers):
    with InstanceHa(api, COMPUTES) as masakari:
        masakari.set_maintenance("cmp3", True)
        for node, after in (("cmp1", {"cmp3"}), ("cmp3", {"cmp3"})):  # the operator's own stays
            succeeded, said = runner(cloud, "workload.drain", node)
            assert succeeded, said
            assert masakari.standing_still() == {node, "cmp3"}
            restored, why = runner(cloud, "workload.restore", node)
            assert restored, why
            assert masakari.standing_still() == after
        masakari.set_maintenance("cmp3", False)
        assert_as_before(api, cloud, _placed(servers))


def test_what_an_operator_had_switched_off_stays_off(cloud, api, servers, routers):
    api.sdk.compute.disable_service(api.compute_service("cmp3"), disabled_reason="bad disk")
    agent = api.l3_agent("gtw2")
    api.sdk.network.update_agent(agent, is_admin_state_up=False)
    for node in ("cmp3", "gtw2"):
        succeeded, said = runner(cloud, "workload.drain", node)
        assert succeeded, said
        succeeded, said = runner(cloud, "workload.restore", node)
        assert succeeded, said
    service = api.compute_service("cmp3")
    assert (service.status, service.disabled_reason) == ("disabled", "bad disk")
    assert not api.l3_agent("gtw2").is_admin_state_up
    succeeded, said = runner(cloud, "workload.drain", "gtw1")
    assert not succeeded and "NO_SPARE" in said
    api.sdk.network.update_agent(agent, is_admin_state_up=True)
    api.sdk.compute.enable_service(service)
    # Nobody places anything on a compute that is disabled, nor do we.
    assert "cmp3" not in hosts(api).values()
    api.send_home(_placed(servers))
    assert wait_for(lambda: api.routers() == {name: [host] for name, host in ROUTERS.items()}, 120, 1)
    assert wait_for(lambda: all(api.interfaces(one) == {"ACTIVE"} for one in routers.values()), 120, 1)


def test_a_router_with_ha_fails_over_before_its_gateway_goes(cloud, api, routers):
    router = api.add_routers({"with-ha": ""}, ha=True)["with-ha"]

    def states() -> dict[str, str]:
        hosting = api.sdk.network.routers_hosting_l3_agents(router)
        return {agent.host: agent.ha_state for agent in hosting}

    try:
        assert wait_for(lambda: sorted(states().values()) == ["active", "standby"], 180, 1), states()
        first = next(host for host, state in states().items() if state == "active")
        other = next(host for host in states() if host != first)
        succeeded, said = runner(cloud, "workload.drain", first)
        assert succeeded and "1 with HA failed over" in said, said
        assert states()[other] == "active"
        restored, why = runner(cloud, "workload.restore", first)
        assert restored, why
        assert wait_for(lambda: sorted(states().values()) == ["active", "standby"], 180, 1), states()
    finally:
        api.remove_router(router)
    assert wait_for(lambda: api.routers() == {name: [host] for name, host in ROUTERS.items()}, 120, 1)


def test_a_whole_update_moves_everything_and_brings_it_back(cloud, api, servers, routers):
    placed = _placed(servers)
    assert hosts(api) == placed
    policy(cloud, "1.0.1")
    with Witness(api) as witness, Reach(api, "r1", "cmp2") as reach:
        operator.update(cloud)
        sent, lost, longest = reach.stop()
    print(witness.summary())
    print(f"a host behind r1 sent {sent} packets, {lost} lost, at most {longest:.1f} s without an answer")
    proof.assert_cloud_at(cloud, "1.0.1")
    assert_as_before(api, cloud, placed)
    of_servers, of_routers = witness.statuses()
    assert "ERROR" not in of_servers
    assert of_routers == {"ACTIVE"}
    assert witness.twice() == []
    gaps = witness.unscheduled(ROUTERS)
    assert all(gap < GAP for gap in gaps.values()), gaps
    assert api.routers() == {name: [host] for name, host in ROUTERS.items()}
    assert all(api.interfaces(identity) == {"ACTIVE"} for identity in routers.values())
    moved = {host for _, seen in witness.servers for name, (_, host) in seen.items() if name == "a0"}
    assert len(moved) > 1, "no server ever left its host"
    assert [p.name for p in api.sdk.identity.projects() if "verification" in p.name] == []
    report = json.loads(cloud.master(["salt-run", "rollout.report", "--out=json"]).stdout)
    assert report["run"]["state"] == "completed"


def _placed(servers) -> dict[str, str]:
    return {name: {"a": "cmp1", "b": "cmp2", "c": "cmp3"}[name[0]] for name in servers}


def _kill(process) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(60)
