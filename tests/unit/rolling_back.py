"""What tests of rollbacks share."""

from __future__ import annotations

import itertools

from tests.unit.simulated_fleet import Killed

REVERSED = ["system", "ovs", "services", "control_plane", "ovn"]


def as_they_are(cloud):
    return {name: dict(node.at) for name, node in cloud.nodes.items()}


def later(cloud):
    """Runs are named by the second in which they begin."""
    cloud.now += 60


def declared(cloud, where):
    if where == "release":
        cloud.openstack["releases"]["1.0.1"]["irreversible"] = True
    elif where == "service":
        cloud.openstack["service_types"]["control_plane"]["irreversible"] = True
    elif where == "release's service":
        cloud.openstack["releases"]["1.0.1"]["defaults"] = {
            "services": {"control_plane": {"irreversible": True}}
        }


def dying(store, number):
    """Have the process of the engine die at a write; returns what lets the next one write."""
    known, writes = (store.store, store.flush), itertools.count(1)

    def dies(call):
        def write(*of):
            if next(writes) == number:
                raise Killed
            call(*of)

        return write

    store.store, store.flush = map(dies, known)

    def mend():
        store.store, store.flush = known

    return mend
