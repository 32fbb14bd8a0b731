"""A real Ironic: its conductor is not stopped while it deploys, and what becomes of that where it is."""

from __future__ import annotations

import time

import pytest

from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.ironic import in_hand
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.gates import Gate
from tests.lab.enclosure import wait_for
from tests.lab.ironic import CLOUD, Ironic

NODES = ("ctl1", "ctl2")
STEP = 5  # seconds of each of the deployment's steps


@pytest.fixture(scope="module")
def ironic(tmp_path_factory):
    place = tmp_path_factory.mktemp("ironic")
    made = Ironic(place, "ctl1.cloud.example", 16385, STEP)
    (place / "clouds.yaml").write_text(made.clouds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(place / "clouds.yaml"))
        made.start()
        yield made
        made.kill()


@pytest.fixture
def cloud(ironic):
    return Cloud(CLOUD, retry_timeout=0)


def deploying(cloud, name):
    """A bare metal node that is deployed from now on."""
    api = cloud.api.baremetal
    node = api.create_node(name=name, driver="fake-hardware", provision_state="manageable")
    api.set_node_provision_state(node, "provide", wait=True)
    image = {"image_source": "http://127.0.0.1/none", "image_checksum": "0", "root_gb": 1}
    api.update_node(node, instance_info=image)
    api.set_node_provision_state(node, "active")
    return node


def state(cloud, node):
    return cloud.api.baremetal.get_node(node).provision_state


def test_one_that_is_stopped_meanwhile_fails_its_deployment(ironic, cloud):
    node = deploying(cloud, "one")
    assert state(cloud, node) == "deploying"
    ironic.kill()
    ironic.start()
    assert wait_for(lambda: state(cloud, node) == "deploy failed", 60), state(cloud, node)


def test_the_gate_opens_when_it_is_done_and_a_stop_then_harms_nothing(ironic, cloud):
    def why(node):
        found = in_hand(cloud, node, NODES)
        return RolloutError("BARE_METAL_BUSY", ", ".join(found)) if found else None

    node = deploying(cloud, "two")
    assert in_hand(cloud, "ctl1", NODES) == ["two (deploying)"] == in_hand(cloud, "CTL1.cloud.example", NODES)
    assert in_hand(cloud, "ctl2", NODES) == []
    assert in_hand(cloud, "other", ["other", "ctl2"]) == ["two (deploying)"]  # whose else is it?
    gate = Gate(why, lambda _: 300.0, time.monotonic)
    assert gate([], ["ctl2"]) == 1 and gate([], ["ctl1"]) == 0
    while not gate([], ["ctl1"]):
        time.sleep(1)
    ironic.kill()
    ironic.start()
    assert state(cloud, node) == "active"


def test_a_gate_that_stays_shut_says_what_it_waits_for(ironic, cloud):
    def why(node):
        return RolloutError("BARE_METAL_BUSY", str(in_hand(cloud, node, NODES)))

    deploying(cloud, "three")
    gate = Gate(why, lambda _: 0.0, time.monotonic)
    with pytest.raises(RolloutError, match="three") as refused:
        gate([], ["ctl1"])
    assert refused.value.reason == "BARE_METAL_BUSY"


def test_an_api_that_is_away_is_told_as_such(ironic, cloud):
    ironic.kill()
    with pytest.raises(RolloutError) as refused:
        in_hand(cloud, "ctl1", NODES)
    assert refused.value.reason == "API_UNREACHABLE"
    ironic.start()
