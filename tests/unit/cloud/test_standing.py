"""standing: how services and agents of nodes stand, by what Nova, Neutron and Cinder tell."""

from __future__ import annotations

from types import SimpleNamespace as Told

import pytest

from openstack_rollout.cloud import standing
from openstack_rollout.cloud.standing import Standing


class Cloud:
    """APIs that tell of some services."""

    def __init__(self, compute=(), network=(), volume=(), lacks=()):
        self.lacks, self.asked = lacks, []
        self.api = Told(
            compute=Told(services=lambda: list(compute)),
            network=Told(agents=lambda: list(network)),
            block_storage=Told(services=lambda: list(volume)),
        )

    def has_service(self, service):
        return service not in self.lacks

    def allowed(self, what, call):
        self.asked.append(what)
        return call()


def nova(host, binary="nova-compute", state="up", status="enabled", **more):
    return Told(host=host, binary=binary, state=state, status=status, **{
        "is_forced_down": False, "disabled_reason": None, **more
    })  # fmt: skip


def agent(host, binary="neutron-l3-agent", alive=True, admin=True):
    return Told(host=host, binary=binary, is_alive=alive, is_admin_state_up=admin)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (nova("cmp1"), Standing("cmp1", "nova-compute", True, True)),
        (nova("cmp1", state="down"), Standing("cmp1", "nova-compute", False, True)),
        (nova("cmp1", is_forced_down=True), Standing("cmp1", "nova-compute", False, True)),
        (
            nova("cmp1.example.org", status="disabled", disabled_reason="bad disk"),
            Standing("cmp1", "nova-compute", True, False, "bad disk"),
        ),
    ],
)
def test_novas_services_are_those_of_nodes(one, wanted):
    assert standing.of_nodes(Cloud(compute=[one, nova("elsewhere")]), ["cmp1"]) == [wanted]


def test_neutrons_agents_and_cinders_services_of_every_back_end_are_told():
    cloud = Cloud(
        network=[agent("gtw1", alive=False), agent("gtw1", "neutron-dhcp-agent", admin=False)],
        volume=[nova("ctl1@ceph", "cinder-volume"), nova("ctl1@lvm", "cinder-volume", "down")],
    )
    assert standing.of_nodes(cloud, ["ctl1", "gtw1"]) == [
        Standing("gtw1", "neutron-l3-agent", False, True),
        Standing("gtw1", "neutron-dhcp-agent", True, False),
        Standing("ctl1", "cinder-volume", True, True),
        Standing("ctl1", "cinder-volume", False, True),
    ]


def test_a_cloud_without_volumes_is_not_asked_for_them():
    cloud = Cloud(lacks=("block-storage",))
    assert standing.of_nodes(cloud, ["cmp1"]) == [] and cloud.asked == [
        "compute services",
        "network services",
    ]
