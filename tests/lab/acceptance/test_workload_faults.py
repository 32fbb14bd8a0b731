"""What goes wrong while a whole update moves servers: paused under a name; run again, all of it is put right.

Every test moves nova-compute to another release on a real Nova and ends where the next begins: each server
ACTIVE on its own compute, each router on its own gateway, nothing disabled, nothing remembered as drained.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from .. import operator, proof
from ..enclosure import wait_for
from ..events import EventLog, step
from ..openstack.api import Api

LAB_PROFILE = "openstack"
COMPUTES = ("cmp1", "cmp2", "cmp3")
HOMES = {"a1": "cmp1", "a2": "cmp1", "a3": "cmp1", "b1": "cmp2", "c1": "cmp3"}
ROUTERS = {"r1": "gtw1", "r2": "gtw2"}
COMPUTE = {"drain": "live_migrate", "migrate_back": True, "return_timeout": 120}
GATEWAY = {"drain": "move_routers"}
_PATIENCE = 900


@pytest.fixture(scope="module")
def api(cloud) -> Api:
    """The cloud with its servers and routers, all of it at 1.0.0."""
    found = Api(cloud)
    found.wait_until_ready()
    found.boot(HOMES)
    found.add_routers(ROUTERS)
    return found


@pytest.fixture(autouse=True)
def everything_as_before(cloud, api) -> Iterator[None]:
    """After each test: what it planted is gone, and nothing is left half-done."""
    yield
    for node in COMPUTES:
        plant(cloud, node)
    api.wait_until_ready()
    assert api.servers() == {name: ("ACTIVE", host) for name, host in HOMES.items()}
    assert api.routers() == {name: [host] for name, host in ROUTERS.items()}
    assert {api.compute_service(node).status for node in COMPUTES} == {"enabled"}
    assert all(api.l3_agent(node).is_admin_state_up for node in ("gtw1", "gtw2"))
    assert json.loads(cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout) == {}
    assert operator.status(cloud)["run"]["state"] == "completed"


def plant(cloud, node: str, **facts: object) -> None:
    """What the hypervisor of a compute does from now on; without facts, as usual."""
    cloud.exec(node, ["tee", "/var/lib/nova/lab.json"], stdin=json.dumps(facts))


def new_release(cloud, **policy: object) -> str:
    """A release that differs from what runs in nova-compute alone, as target."""
    version = f"1.0.{len(cloud.releases)}"
    running = proof.running_digests(cloud, "cmp3")["nova_compute"]
    images = [cloud.releases[one]["images"]["nova_compute_image"] for one in ("1.0.0", "1.0.1")]
    other = next(image for image in images if not image.endswith(running))
    cloud.add_release(version, like="1.0.0", images={"nova_compute_image": other})
    aim(cloud, version, **policy)
    return version


def aim(cloud, version: str, **policy: object) -> None:
    cloud.set_pillar(target_version=version, policies={"compute": COMPUTE | policy, "gateway": GATEWAY})


def disturbed(cloud, api, fault: Callable[[subprocess.Popen], None]) -> int:
    """Start the update and do something while servers of cmp1 are on their way; its exit status."""
    with EventLog(cloud) as log:
        process = operator.start_update(cloud)
        log.wait_for(step(stage="services", node="cmp1", step="drain", status="started"), timeout=_PATIENCE)
        assert wait_for(lambda: "MIGRATING" in {status for status, _ in api.servers().values()}, 120, 0.3)
        fault(process)
        printed, _ = process.communicate(timeout=_PATIENCE)
        print(printed)
    return process.returncode


def reason(cloud) -> str:
    run = operator.status(cloud)["run"]
    assert run["state"] == "paused", run
    print(run["reason"], run["message"])
    return run["reason"]


def test_a_target_whose_plug_is_pulled(cloud, api):
    new_release(cloud)
    plant(cloud, "cmp1", migration_seconds=15)
    status = disturbed(cloud, api, lambda _: cloud.kill("cmp2"))
    assert status != 0 and reason(cloud) in {"DRAIN_FAILED", "RESTORE_FAILED", "NODE_SILENT", "NO_SPARE"}
    plant(cloud, "cmp1")
    cloud.start("cmp2")
    cloud.wait_for_minions()
    api.wait_until_ready()
    operator.update(cloud)


def test_a_release_whose_nova_compute_does_not_come_up(cloud, api):
    version = new_release(cloud)
    good = cloud.releases[version]["images"]["nova_compute_image"]
    cloud.add_release(version, like="1.0.0", images={"nova_compute_image": cloud.images["broken"]})
    assert operator.update(cloud, check=False).returncode != 0
    assert reason(cloud) == "CONTAINER_EXITED"
    cloud.add_release(version, like="1.0.0", images={"nova_compute_image": good})
    operator.update(cloud)


def test_a_message_bus_that_restarts(cloud, api):
    new_release(cloud)
    plant(cloud, "cmp1", migration_seconds=10)
    restart = ["systemctl", "restart", "rabbitmq.service"]
    if disturbed(cloud, api, lambda _: cloud.exec("ctl1", restart) and None):
        assert reason(cloud) in {"DRAIN_FAILED", "RESTORE_FAILED", "API_UNREACHABLE"}
        plant(cloud, "cmp1")
        api.wait_until_ready()
        operator.update(cloud)


def test_a_migration_that_hangs_is_aborted_at_its_limit(cloud, api):
    version = new_release(cloud, timeout_per_gib=10)
    plant(cloud, "cmp1", hang=True)
    assert operator.update(cloud, check=False).returncode != 0
    assert reason(cloud) == "DRAIN_FAILED"
    assert api.compute_service("cmp1").status == "enabled"
    assert {name for name, host in api.servers().items() if host == ("ACTIVE", "cmp1")} == {"a1", "a2", "a3"}
    plant(cloud, "cmp1")
    aim(cloud, version)
    operator.update(cloud)


def test_salt_run_killed_in_mid_drain_goes_on_when_run_again(cloud, api):
    new_release(cloud)
    plant(cloud, "cmp1", migration_seconds=5)
    assert disturbed(cloud, api, lambda process: process.send_signal(signal.SIGKILL)) == -signal.SIGKILL
    assert list(json.loads(cloud.master(["salt-run", "workload.drained", "--out=json"]).stdout)) == ["cmp1"]
    operator.update(cloud)


def test_a_compute_that_its_operator_disabled_is_updated_and_stays_disabled(cloud, api):
    api.send_home({"c1": "cmp2"})
    service = api.compute_service("cmp3")
    api.sdk.compute.disable_service(service, disabled_reason="its disk is being replaced")
    version = new_release(cloud)
    operator.update(cloud)
    now = api.compute_service("cmp3")
    assert (now.status, now.disabled_reason) == ("disabled", "its disk is being replaced")
    proof.assert_cloud_at(cloud, version)
    api.sdk.compute.enable_service(service)
    api.send_home(HOMES)


def test_a_gateway_without_a_spare_is_refused_before_anything_is_touched(cloud, api):
    agent = api.l3_agent("gtw2")
    api.sdk.network.update_agent(agent, is_admin_state_up=False)
    before = proof.fingerprint(cloud)
    cloud.add_release("1.0.90", like="1.0.1")
    aim(cloud, "1.0.90")
    try:
        refused = operator.update(cloud, check=False)
    finally:
        api.sdk.network.update_agent(agent, is_admin_state_up=True)
    assert refused.returncode != 0 and "NO_SPARE" in refused.stdout + refused.stderr
    assert proof.fingerprint(cloud) == before
    cloud.master(["salt-run", "rollout.abort"], check=False)
    aim(cloud, f"1.0.{len(cloud.releases) - 2}")
    operator.update(cloud)
