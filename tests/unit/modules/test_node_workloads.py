"""node_workloads: what a reboot would take down, as the node itself tells."""

from __future__ import annotations

import pytest

from tests.unit.loading import load

PORT = {"iface_id": "port-1", "installed": True}


@pytest.fixture
def node(tmp_path):
    def make(interfaces=None, roles=("compute",), processes=(), switch=True):
        salt = {
            "datapath.measured": lambda: {"interfaces": interfaces or {}} if switch else None,
            "openstack_node.desired": lambda stage: {
                "roles": list(roles),
                "control_plane": "controller" in roles,
            },
        }
        module = load("modules", "node_workloads", salt=salt)
        module._PROC = tmp_path / "proc"
        module._NAMESPACES = tmp_path / "netns"
        module._NAMESPACES.mkdir(exist_ok=True)
        for pid, name in enumerate(processes, 10):
            (module._PROC / str(pid)).mkdir(parents=True)
            (module._PROC / str(pid) / "comm").write_text(f"{name}\n")
        return module

    return make


def test_an_empty_compute_carries_nothing(node):
    module = node({"br-int": {"iface_id": None, "installed": True}}, processes=["sshd"])
    assert module.found() == []
    assert node(switch=False).found() == []


def test_guests_ports_and_routers_are_told_and_a_controller_is_never_empty(node):
    module = node({"tap1": PORT, "tap2": PORT | {"installed": False}}, ("controller",), ["qemu-kvm"])
    (module._NAMESPACES / "qrouter-1").touch()
    (module._NAMESPACES / "qdhcp-1").touch()
    assert module.found() == [
        "1 virtual machine (process 10)",
        "1 logical port (port-1)",
        "1 router's namespace (qrouter-1)",
        "a member of the control plane",
    ]


@pytest.mark.parametrize("name", ["qemu-ga", "qemu-pr-helper", "qemu-nbd", "qemu-img", "kvm-nx-lpage-re"])
def test_helpers_of_qemu_are_no_guests(node, name):
    assert node(processes=[name]).found() == []


@pytest.mark.parametrize("name", ["qemu-kvm", "qemu-system-x86", "qemu-system-aar", "kvm"])
def test_what_runs_a_guest_is_one(node, name):
    assert node(processes=[name]).found() == ["1 virtual machine (process 10)"]


def test_many_are_counted(node):
    ports = {f"tap{n}": PORT | {"iface_id": f"port-{n}"} for n in range(5)}
    assert node(ports).found() == ["5 logical ports (port-0, port-1, port-2, …)"]
