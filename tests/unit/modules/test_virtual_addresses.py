"""Which of the addresses that it shares a node holds: by its interfaces, but for `lo`."""

from __future__ import annotations

from openstack_rollout.node import keepalived
from tests.unit.loading import load

INTERFACES = {
    "lo": {"inet": [{"address": "127.0.0.1"}, {"address": "10.0.0.3"}], "inet6": [{"address": "::1"}]},
    "eth0": {
        "inet": [{"address": "10.0.0.11"}],
        "inet6": [{"address": "fd00:0::5"}],
        "secondary": [{"type": "inet", "address": "10.0.0.1"}],
    },
    "eth1": {"up": False},
}


def test_what_an_interface_has_is_held(monkeypatch):
    shared = keepalived.Found(frozenset({"10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::5"}), True)
    monkeypatch.setattr(keepalived, "found", lambda: shared)
    module = load("modules", "virtual_addresses", salt={"network.interfaces": lambda: INTERFACES})
    held = {"10.0.0.1": True, "10.0.0.2": False, "10.0.0.3": False, "fd00::5": True}
    assert module.found() == {"addresses": held, "running": True, "unknown": ""}
