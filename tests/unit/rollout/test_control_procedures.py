"""The procedures of the seeds, typed as docs/how-to/keep-it-in-hand.md has them."""

import pytest

from openstack_rollout.rollout import control
from openstack_rollout.rollout.asking import Given
from tests.unit.rollout.test_consent import Operator
from tests.unit.rollout.test_limit import deployed
from tests.unit.simulated_fleet import Cloud, Master, refusal


@pytest.fixture
def cloud():
    return Cloud(controller=3, gateway=2, compute=4)


@pytest.fixture
def master(cloud, tmp_path):
    return Master(cloud, tmp_path)


def resume(master, **given):
    control.to_resume(master.journal, master.lock, Given(**given))
    return master.update()


def moved(cloud):
    """The roles that were applied to since this was asked last."""
    found = list(dict.fromkeys(node.rstrip("0123456789") for _, node in cloud.applied))
    cloud.applied.clear()
    return found


def test_mcp_a_gateway_then_the_others_interactively_then_computes(cloud, master):
    assert refusal(lambda: master.update(until="control_plane")).reason == "GATED"
    cloud.applied.clear()
    operator = Operator(master)
    assert resume(master, limit="gateway1", confirm="stage")["state"] == "completed"
    assert [one[1] for one in operator.asked] == ["services", "ovs", "system"]
    assert {node for _, node in cloud.applied} == {"gateway1"}
    assert master.update(limit="gateway*", confirm="node")["state"] == "completed"
    assert moved(cloud) == ["gateway"]
    assert master.update(limit="compute*")["state"] == "completed" and moved(cloud) == ["compute"]
    assert master.update()["state"] == "completed" and moved(cloud) == ["controller"]
    assert deployed(cloud, master)["deployed"] == "1.0.1"


def test_tripleo_one_controller_at_a_time_with_breakpoints(cloud, master):
    master.rollout().stage("ovn")
    cloud.applied.clear()
    for controller in ("controller1", "controller2", "controller3"):
        operator = Operator(master)
        given = Given(limit=controller, break_={"before_apply": controller, "after_verify": controller})
        master.rollout().stage("control_plane", given)
        assert [(one[0], one[3]) for one in operator.asked] == [
            ("before_apply", [controller]),
            ("after_verify", [controller]),
        ]
        assert cloud.applied[-1] == ("control_plane", controller)
    assert len(cloud.applied) == 3
    assert master.update()["state"] == "completed"


def test_rhoso_ovn_then_stop_control_plane_then_the_data_plane_by_sets(cloud, master):
    assert refusal(lambda: master.update(until="ovn")).reason == "GATED"
    assert {stage for stage, _ in cloud.applied} == {"ovn"}
    assert refusal(lambda: resume(master, until="control_plane")).reason == "GATED"
    assert {stage for stage, _ in cloud.applied} == {"ovn", "control_plane"}
    cloud.applied.clear()
    for nodes in ("gateway*", "compute1 or compute2", "compute3 or compute4"):
        ended = resume(master, limit=nodes) if nodes == "gateway*" else master.update(limit=nodes)
        assert (ended["state"], ended["limit"]) == ("completed", nodes)
    assert "controller" not in moved(cloud)
    assert master.update()["state"] == "completed" and deployed(cloud, master)["deployed"] == "1.0.1"
