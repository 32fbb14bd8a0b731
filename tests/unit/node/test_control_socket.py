"""control_socket: a server in a container is asked from the node, where its socket is plainly there."""

from __future__ import annotations

import os
import stat

import pytest

from openstack_rollout.node import control_socket
from tests.unit.loading import Commands

PID = 4711
SOCKET = "/run/ovn/ovnnb_db.ctl"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The root folder of the container's process."""
    monkeypatch.setattr(control_socket, "_PROC", tmp_path)
    root = tmp_path / f"{PID}/root"
    (root / "run/ovn").mkdir(parents=True)
    for name in ("ovnnb_db.ctl", "ovn-controller.3.ctl", "ovn-controller.4.ctl"):
        os.mknod(root / "run/ovn" / name, stat.S_IFSOCK | 0o600)
    (root / "run/ovn/ovn-controller.pid").write_text("3\n")
    return root


class Node:
    def __init__(self, runs=True, has=True):
        self.run = Commands()
        self.salt = {
            "cmd.run_all": self.run,
            "cmd.has_exec": lambda name: has,
            "podman.process": lambda name: PID if runs else 0,
        }

    def asked(self, function, *arguments):
        function(self.salt, *arguments)
        (line,) = self.run.lines()
        return line


@pytest.mark.parametrize("socket", [SOCKET, f"/var{SOCKET}"])
def test_a_server_is_asked_from_the_node(root, socket):
    line = Node().asked(control_socket.ask, "ovn_nb_db", socket, "cluster/status", "OVN_Northbound")
    assert line == f"ovs-appctl --timeout=10 -t {root}{SOCKET} cluster/status OVN_Northbound"


def test_a_controller_is_asked_at_the_socket_of_the_process_that_its_record_names(root):
    line = Node().asked(control_socket.ask_ovn, "ovn_controller", "ovn-controller", "connection-status")
    assert line == f"ovs-appctl --timeout=10 -t {root}/run/ovn/ovn-controller.3.ctl connection-status"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: (root / "run/ovn/ovnnb_db.ctl").unlink(),
        lambda root: (
            (root / "run/ovn/ovnnb_db.ctl").rename(root / "other")
            and (root / "run/ovn/ovnnb_db.ctl").symlink_to(root / "other")
        ),
        lambda root: (root / "run/ovn").rename(root / "ovn") and (root / "run/ovn").symlink_to(root / "ovn"),
    ],
)
def test_what_is_not_plainly_there_is_asked_by_the_engine(root, spoil):
    spoil(root)
    asked = Node().asked(control_socket.ask, "ovn_nb_db", SOCKET, "exit")
    assert asked == f"podman exec ovn_nb_db ovs-appctl --timeout=10 -t {SOCKET} exit"


@pytest.mark.parametrize("how", [{"runs": False}, {"has": False}])
def test_without_a_process_or_the_tool_the_engine_is_asked(root, how):
    asked = Node(**how).asked(control_socket.ask_ovn, "ovn_controller", "ovn-controller", "exit")
    assert asked == "podman exec ovn_controller ovn-appctl --timeout=10 -t ovn-controller exit"


def test_a_unit_is_asked_as_before(root):
    asked = Node().asked(control_socket.ask, "ovn-ovsdb-server-nb.service", SOCKET, "exit")
    assert asked == f"ovs-appctl --timeout=10 -t {SOCKET} exit"
