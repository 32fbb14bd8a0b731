"""node_workloads: what a reboot would take down, as the node itself tells."""

from __future__ import annotations

import pytest

from openstack_rollout.vocabulary import SHARE_VERSION
from tests.unit.loading import load
from tests.unit.processes import ANY, Node

IDS = ("ab" * 32, "cd" * 32)
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


def test_a_service_of_the_catalogue_is_known_by_its_containers_name(tmp_path):
    share = {"control_plane": False, "harmless": ["glance_api", "nova-*"]}
    asked = []

    def containers(known):
        asked.append(1)
        return {"glance_api": {"id": IDS[0], "running": True}, "wiki": {"id": IDS[1], "running": True}}

    salt = {"openstack_node.desired": lambda stage: share, "podman.containers": containers}
    module = load("modules", "node_workloads", salt=salt)
    module._ROOT = tmp_path
    node = Node(tmp_path)
    assert module.stateful() == {} and not asked  # no engine is asked where no container may serve anything
    for identity, port in zip(IDS, (9292, 8080), strict=True):
        inside = f"/machine.slice/libpod-{identity}.scope"
        node.run("server", [("tcp", ANY, port)], ["/data/x.db"], cgroup=inside)
    assert module.stateful() == {
        "unknown_service": ["server of container wiki on tcp 8080 with /data/x.db"],
    }
    assert len(asked) == 1
    share["harmless"].append("wiki")
    assert module.stateful() == {}


def test_what_serves_data_is_told_by_the_share_that_the_caller_has_or_by_a_fresh_one(tmp_path, monkeypatch):
    module = load("modules", "node_workloads", salt={"openstack_node.desired": lambda stage: {}})
    module._ROOT, module.__opts__, module.__grains__ = tmp_path, {}, {}
    Node(tmp_path).run("somedb", [("tcp", ANY, 8086)], ["/data/x.db"])
    assert list(module.stateful()) == ["unknown_service"]
    share = {"harmless": ["somedb"], "control_plane": False}
    assert module.stateful(share=share) == {}
    pillar = {"openstack_node": {"version": SHARE_VERSION, **share}}
    monkeypatch.setattr(module.fresh_pillar, "fresh", lambda opts, grains: pillar)
    assert module.stateful(fresh=True) == {}
