"""Which bare metal nodes a conductor works on, whatever it calls itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from openstack_rollout.cloud.ironic import in_hand

NODES = ("ctl1", "ctl2", "ctl3")


class Cloud:
    """Conductors, and what each works on: name -> a bare metal node, or None."""

    def __init__(self, **conductors):
        reserved = [
            SimpleNamespace(id=f"id-{metal}", name=metal, reservation=host, provision_state="deploying")
            for host, metal in conductors.items()
        ]
        there = [SimpleNamespace(hostname=host) for host in conductors]
        free = SimpleNamespace(id="id", name="free", reservation=None, provision_state="available")
        nodes = [*(one for one in reserved if one.name), free]
        metal = SimpleNamespace(nodes=lambda fields: nodes, conductors=lambda: there)
        self.api = SimpleNamespace(baremetal=metal)

    def allowed(self, what, call):
        return call()


@pytest.mark.parametrize(
    ("conductors", "node", "works"),
    [
        ({"ctl1": "a", "ctl2": "b"}, "ctl1", ["a (deploying)"]),
        ({"ctl1": None, "ctl2": "b"}, "ctl1", []),
        ({"CTL1.example": "a", "ctl2.example": "b"}, "ctl1", ["a (deploying)"]),
        ({"ctl1": "a", "ctl2": "b"}, "ctl3", []),  # every conductor is another node's
        ({"ironic-conductor-0": "a", "ctl2": "b"}, "ctl3", ["a (deploying)"]),  # it may be this one's
        ({"ironic-conductor-0": None, "ctl2": "b"}, "ctl3", []),
        ({"ctl1.a": "a", "ctl1.b": "b"}, "ctl1", ["a (deploying)", "b (deploying)"]),
    ],
)
def test_by_the_name_of_the_conductor(conductors, node, works):
    assert in_hand(Cloud(**conductors), node, NODES) == works
