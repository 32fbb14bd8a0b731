"""OVN's controller changes on a real chassis while packets flow: none is lost, and nothing is left.

What is lost is counted by the lab's probe between two network namespaces, never read from our own answers.
"""

from __future__ import annotations

import itertools
import json
import time

import pytest

from tests.lab import settings
from tests.lab.enclosure import wait_for

IMAGE = "ovn_controller_image"
WAIT = "external_ids:ovn-ofctrl-wait-before-clear"
OPERATORS = "1500"  # their own setting, which has to come back
VMS = {"one": "10.100.0.11", "two": "10.100.0.12"}
PROBE = f"{settings.CHECKOUT_IN_NODE}/tests/lab/files/probe/endpoint"
RULES = 120
LEGACY = """\
[Unit]
Description=the earlier installer's unit, which starts what ends
[Service]
ExecStart=/usr/bin/podman start --attach ovn_controller
ExecStop=/usr/bin/podman stop ovn_controller
Restart=always
RestartSec=0
[Install]
WantedBy=multi-user.target
"""
_numbers = itertools.count()


class Traffic:
    """A hundred packets a second from one VM to the other, for as long as the block lasts."""

    def __init__(self, node):
        self.node = node
        self.place = f"/run/probe-{next(_numbers)}"
        self.sent = self.lost = 0

    def __enter__(self):
        for name, targets in (("two", []), ("one", [f"pair={VMS['two']}"])):
            unit = ["systemd-run", "--quiet", "--collect", f"--unit=probe-{name}"]
            inside = ["ip", "netns", "exec", name, PROBE, "7700", f"{self.place}-{name}", *targets]
            self.node.exec([*unit, *inside])
        ready = ["test", "-e", f"{self.place}-one.ready"]
        assert wait_for(lambda: not self.node.exec(ready, check=False).returncode, 60), "the VMs do not talk"
        self.began = time.time()
        return self

    def __exit__(self, *exception):
        ended = time.time()
        self.node.exec(["systemctl", "stop", "probe-one.service"])
        self.node.exec(["systemctl", "stop", "probe-two.service"])
        lines = map(json.loads, self.node.out(["cat", f"{self.place}-one"]).splitlines())
        answers = [answered for _, _, sent, answered in lines if self.began <= sent <= ended]
        self.sent, self.lost = len(answers), answers.count(None)


@pytest.fixture(scope="module")
def chassis(node):
    """The node as a chassis with two VMs, and rules enough for a computation of flows to take its time."""
    words = ["ls-add", "net"]
    for number, (name, address) in enumerate(VMS.items()):
        words += ["--", "lsp-add", "net", name]
        words += ["--", "lsp-set-addresses", name, f"02:00:00:00:00:1{number} {address}"]
    words += ["--", "pg-add", "workloads", *VMS]
    for number in range(RULES):
        addresses = ",".join(f'"10.{number}.0.{last}"' for last in range(100))
        match = f"outport == @workloads && ip4.src == $as_{number} && tcp.dst == {{80, 443, 8080}}"
        words += ["--", "create", "address_set", f"name=as_{number}", f"addresses={addresses}"]
        words += ["--", "acl-add", "workloads", "to-lport", "1001", match, "allow-related"]
    node.exec(["ovn-nbctl", *words])
    lines = [
        f"{name} tap-{name} 02:00:00:00:00:1{number} {address} 10.100.0.1\n"
        for number, (name, address) in enumerate(VMS.items())
    ]
    node.exec(["tee", "/etc/lab/workloads"], stdin="".join(lines))
    node.exec(["systemctl", "restart", "lab-workloads.service"])
    node.exec(["ovn-nbctl", "--wait=hv", "--timeout=60", "sync"])
    node.exec(["ovs-vsctl", "set", "Open_vSwitch", ".", f"{WAIT}={OPERATORS}"])
    return node


@pytest.fixture
def way_back(chassis):
    """Puts the page, and ovn-controller alone, back after a test."""
    yield
    chassis.edit()
    chassis.converge("openstack.ovn")


def change(node, image=None):
    """Have the node want another image of ovn-controller: that of the next release, or one by reference."""
    node.edit(custom_images={IMAGE: image or node.releases["1.0.1"]["images"][IMAGE]})


def started(node):
    return node.started()["ovn_controller"]


def ages(node):
    """The ages of the chassis' first flows, youngest first; an old one when there is none."""
    lines = node.out(["ovs-ofctl", "dump-flows", "br-int", "table=0"]).splitlines()[1:]
    return sorted(float(line.split("duration=")[1].split("s")[0]) for line in lines) or [1e9]


def starts(node, since, unit="ovn_controller"):
    """How often systemd started a unit since a moment."""
    text = node.out(["journalctl", "-u", unit, f"--since=@{since:.3f}", "-o", "cat", "--no-pager"])
    return text.count(f"Started {unit}.service")


def assert_nothing_is_left(node):
    """The operator's own setting is there again, the unit as it was, and no record of a change."""
    assert node.out(["ovs-vsctl", "get", "Open_vSwitch", ".", WAIT]) == f'"{OPERATORS}"'
    assert node.out(["systemctl", "show", "ovn_controller", "--property=Restart", "--value"]) == "always"
    assert node.out(["find", "/var/lib/openstack-rollout", "/run/systemd/system", "-type", "f"]) == ""


def test_a_plain_restart_loses_packets(chassis):
    """So that the tests below can fail: what they count is there to be lost."""
    chassis.exec(["ovs-vsctl", "remove", "Open_vSwitch", ".", "external_ids", WAIT.partition(":")[2]])
    try:
        lost = 0
        for _ in range(3):
            with Traffic(chassis) as traffic:
                chassis.exec(["systemctl", "restart", "ovn_controller.service"])
                assert wait_for(lambda: ages(chassis)[-1] < time.time() - traffic.began, 60)
            lost = lost or traffic.lost
        assert lost > 0
    finally:
        chassis.exec(["ovs-vsctl", "set", "Open_vSwitch", ".", f"{WAIT}={OPERATORS}"])


def test_a_new_image_costs_no_packet(chassis, way_back):
    change(chassis)
    assert chassis.predict("openstack.ovn") == {"ovn container ovn_controller"}
    began = time.time()
    with Traffic(chassis) as traffic:
        assert chassis.converge("openstack.ovn") == {"ovn container ovn_controller"}
    assert (traffic.lost, traffic.sent > 300) == (0, True)
    assert starts(chassis, began) == 1, "systemd started it in between"
    assert chassis.digest("ovn_controller") == chassis.releases["1.0.1"]["images"][IMAGE].partition("@")[2]
    assert ages(chassis)[-1] < time.time() - began, "flows of the previous controller"
    assert_nothing_is_left(chassis)
    assert chassis.predict("openstack.ovn") == set()


def test_an_image_that_cannot_run_costs_no_packet(chassis, way_back):
    digest = chassis.digest("ovn_controller")
    change(chassis, chassis.images["broken"])
    with Traffic(chassis) as traffic:
        comment = chassis.failure("openstack.ovn")
    assert comment.startswith("CONTAINER_EXITED: ovn_controller")
    assert "The previous image of ovn_controller was started again." in comment
    assert (traffic.lost, traffic.sent > 300) == (0, True)
    assert chassis.digest("ovn_controller") == digest
    connected = [
        "podman",
        "exec",
        "ovn_controller",
        "ovn-appctl",
        "-t",
        "ovn-controller",
        "connection-status",
    ]
    assert chassis.out(connected) == "connected"
    chassis.call("datapath.forget")
    assert_nothing_is_left(chassis)


def test_without_the_southbound_database_nothing_is_touched(chassis, way_back):
    change(chassis)
    before = started(chassis)
    with Traffic(chassis) as traffic:
        chassis.exec(["systemctl", "stop", "ovn-ovsdb-server-sb.service"])
        try:
            comment = chassis.failure("openstack.ovn")
        finally:
            chassis.exec(["systemctl", "start", "ovn-ovsdb-server-sb.service"])
    assert comment.startswith("OVN_NOT_CAUGHT_UP: ovn_controller") and "nothing was touched" in comment
    assert (traffic.lost, started(chassis)) == (0, before)
    assert_nothing_is_left(chassis)
    status = ["podman", "exec", "ovn_controller", "ovn-appctl", "-t", "ovn-controller", "connection-status"]
    assert wait_for(lambda: chassis.out(status) == "connected", 60)


def test_a_change_that_is_killed_in_the_middle_is_finished_by_the_next(chassis, way_back):
    change(chassis)
    record = ["test", "-e", "/var/lib/openstack-rollout/guard/ovn_controller.json"]
    apply = ["systemd-run", "--quiet", "--unit=killed", "salt-call", "state.apply", "openstack.ovn"]
    with Traffic(chassis) as traffic:
        chassis.exec(apply)
        assert wait_for(lambda: not chassis.exec(record, check=False).returncode, 60, interval=0.05)
        chassis.exec(["systemctl", "kill", "--signal=KILL", "killed.service"])
        chassis.exec(["systemctl", "reset-failed", "killed.service"], check=False)
        left = [(one["kind"], one["subject"]) for one in chassis.status()["differences"]["ovn"]]
        assert ("change_unfinished", "ovn_controller") in left
        assert chassis.predict("openstack.ovn") == {"ovn container ovn_controller"}
        assert chassis.converge("openstack.ovn") == {"ovn container ovn_controller"}
    assert traffic.lost == 0
    assert chassis.status()["stages"]["ovn"] == "done"
    assert_nothing_is_left(chassis)


def test_taking_over_from_an_earlier_installer_costs_no_packet(chassis, way_back):
    chassis.edit(services={"ovn": {"enabled": False}})
    chassis.converge()
    mounts = [word for path in ("/run/openvswitch", "/run/ovn") for word in ("-v", f"{path}:{path}")]
    image = chassis.releases["1.0.0"]["images"][IMAGE]
    chassis.exec(["podman", "create", "--name", "ovn_controller", "--network", "host", *mounts, image])
    chassis.exec(["tee", "/etc/systemd/system/edpm_ovn_controller.service"], stdin=LEGACY)
    begun = time.time()
    chassis.exec(["systemctl", "enable", "--now", "edpm_ovn_controller.service"])
    assert wait_for(lambda: ages(chassis)[-1] < time.time() - begun, 60)
    change(chassis)
    began = time.time()
    with Traffic(chassis) as traffic:
        assert "ovn container ovn_controller" in chassis.converge("openstack.ovn")
    assert (traffic.lost, traffic.sent > 300) == (0, True)
    assert starts(chassis, began) == 1 and starts(chassis, began, "edpm_ovn_controller") == 0
    assert ages(chassis)[-1] < time.time() - began
    assert chassis.exec(["systemctl", "cat", "edpm_ovn_controller.service"], check=False).returncode
    assert_nothing_is_left(chassis)


def test_a_chassis_that_would_wait_for_northd_is_not_touched(chassis, way_back):
    match = "external_ids:ovn-match-northd-version"
    change(chassis)
    before = started(chassis)
    chassis.exec(["ovs-vsctl", "set", "Open_vSwitch", ".", f"{match}=true"])
    try:
        comment = chassis.failure("openstack.ovn")
        told = chassis.call("openstack_node.facts", "fresh=True")["settings"]["ovn_controller"]
    finally:
        chassis.exec(["ovs-vsctl", "set", "Open_vSwitch", ".", f"{match}=false"])
    assert comment.startswith("SET_BY_OPERATOR: ovn_controller") and match in comment and match in told[0]
    assert started(chassis) == before
    assert_nothing_is_left(chassis)
    assert chassis.converge("openstack.ovn") == {"ovn container ovn_controller"}
