"""The lab's overlay: logical switches, a router with a gateway, "VMs" on every compute, and an outside.

Made through OVN's northbound database as Neutron makes it. A few hundred more ports and rules than anyone
uses make a full flow computation take noticeable time, as it does in a real cloud. What is built survives
reboots: the databases are on the controllers' disks, the "VMs" come back by a unit of their node.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from . import settings
from .cloud import Lab
from .enclosure import LabError, wait_for

#: The router's own address on the external network, which VMs without a floating IP leave by.
ROUTER_ADDRESS = "10.90.0.100"
#: The port that the probe listens on.
PROBE_PORT = 7700
_ROUTER = "r1"
_SWITCHES = ("net-a", "net-b")
#: tables of ovn-controller for MAC addresses it heard of, which come and go with the traffic
_LEARNED = ("table=66,", "table=67,", "table=71,", "table=72,", "table=79,")
_OPERATIONS_AT_ONCE = 60  # of one ovn-nbctl: its command line has a limit


@dataclass(frozen=True)
class Vm:
    """A network namespace that stands for a VM."""

    name: str
    node: str
    switch: str
    address: str
    mac: str
    floating: str | None = None

    @property
    def port(self) -> str:
        """The node's end of its veth, which is its port of the switch."""
        return f"tap-{self.name}"

    @property
    def gateway(self) -> str:
        """The router's address on its network."""
        return self.address.rsplit(".", 1)[0] + ".1"


class Overlay:
    """The overlay of a running lab that has controllers and computes.

    Args:
        lab: The lab; its OVN containers have to run when something is built or asked.
        ports: Logical ports that no VM has.
        rules: Access rules that no packet needs, each of an address set and some TCP ports.
        addresses: How many addresses each set has; a rule is twice as many flows on each compute.
    """

    def __init__(self, lab: Lab, *, ports: int = 300, rules: int = 120, addresses: int = 40) -> None:
        self.lab = lab
        self._ports = ports
        self._rules = rules
        self._addresses = addresses
        nodes = lab.nodes.values()
        self.controllers = [node.name for node in nodes if node.role == "controller"]
        self.gateways = [node.name for node in nodes if node.role == "gateway"]
        self.computes = [node.name for node in nodes if node.role == "compute"]
        self.vms = {vm.name: vm for number, node in enumerate(self.computes) for vm in _vms(node, number)}

    def build(self, timeout: float = 120) -> Overlay:
        """Make everything that is missing, and wait until every chassis has it.

        Raises:
            LabError: Some chassis did not get there in time, or a command failed.
        """
        if not self.nb("--bare", "--columns=_uuid", "find", "logical_router", f"name={_ROUTER}").strip():
            operations = [
                *self._topology(),
                *self._access_rules(),
                *self._crowd(),
            ]
            for first in range(0, len(operations), _OPERATIONS_AT_ONCE):
                self._transact(operations[first : first + _OPERATIONS_AT_ONCE])
            self._transact(self._gateway())
        for node in self.computes:
            lines = [
                f"{vm.name} {vm.port} {vm.mac} {vm.address} {vm.gateway}\n"
                for vm in self.vms.values()
                if vm.node == node
            ]
            self.lab.exec(node, ["tee", "/etc/lab/workloads"], stdin="".join(lines))
            self.lab.exec(node, ["systemctl", "restart", "lab-workloads.service"])
        self.wait(timeout)
        return self

    def add_rules(self, rules: int, addresses: int, timeout: float = 1800) -> None:
        """More access rules than it was built with, as `rules` and `addresses` of the overlay say.

        Raises:
            LabError: A chassis did not catch up in time, or a command failed.
        """
        operations = [one for number in range(rules) for one in _rule(self._rules + number, addresses)]
        for first in range(0, len(operations), _OPERATIONS_AT_ONCE):
            self._transact(operations[first : first + _OPERATIONS_AT_ONCE])
        self._rules += rules
        self.wait(timeout)

    def wait(self, timeout: float = 120) -> None:
        """Wait until every VM's port is up and every chassis has caught up with the northbound database.

        Raises:
            LabError: They did not in time; the message names the ports.
        """
        if not wait_for(lambda: not self._down(), timeout, interval=0.5):
            raise LabError(f"logical ports stay down: {', '.join(self._down())}")
        self.nb("--wait=hv", f"--timeout={timeout:.0f}", "sync", timeout=timeout + 10)

    def nb(self, *arguments: str, timeout: float = 60) -> str:
        """What `ovn-nbctl` answers, asked on the first controller whose database answers."""
        return self._ask("ovn_nb_db", "ovn-nbctl", 6641, arguments, timeout)

    def sb(self, *arguments: str, timeout: float = 60) -> str:
        """What `ovn-sbctl` answers, asked on the first controller whose database answers."""
        return self._ask("ovn_sb_db", "ovn-sbctl", 6642, arguments, timeout)

    def active_gateway(self) -> str | None:
        """The chassis that the router's external port is bound to now, None when it is on none."""
        port = f"cr-{_ROUTER}-public"
        rows = self._rows(self.sb("--format=json", "--columns=chassis", "find", "port_binding", _named(port)))
        chassis = rows[0][0] if rows else ["set", []]
        if chassis == ["set", []]:
            return None
        names = self._rows(self.sb("--format=json", "--columns=_uuid,name", "list", "chassis"))
        return next((name for uuid, name in names if uuid == chassis), None)

    def priority(self, gateway: str) -> int:
        """The priority that a gateway was built with; the first gateway has the highest."""
        return 100 - 10 * self.gateways.index(gateway)

    def flows(self, node: str, bridge: str = "br-int") -> set[str]:
        """The OpenFlow flows of a node's bridge, without counters, ages, and what OVN hears on the wire."""
        dump = ["ovs-ofctl", "--no-stats", "dump-flows", bridge]
        found = [line.strip() for line in self.lab.exec(node, dump).stdout.splitlines()]
        return {one for one in found if "actions=" in one and not any(table in one for table in _LEARNED)}

    # -- how

    def _ask(self, container: str, program: str, port: int, arguments: Iterable[str], timeout: float) -> str:
        remotes = ",".join(f"tcp:{self.lab.nodes[name].address}:{port}" for name in self.controllers)
        inside = [program, f"--db={remotes}", *arguments]
        said = ""
        for node in self.controllers:
            command = ["podman", "exec", container, *inside]
            done = self.lab.exec(node, command, check=False, timeout=timeout)
            if not done.returncode:
                return done.stdout
            said = done.stderr
        raise LabError(f"{program} {' '.join(arguments)[:300]} failed: {said[-1000:]}")

    def _transact(self, operations: list[list[str]]) -> None:
        self.nb(*(word for operation in operations for word in ("--", *operation)))

    def _down(self) -> list[str]:
        rows = self._rows(self.nb("--format=json", "--columns=name,up", "list", "logical_switch_port"))
        up = {name for name, state in rows if state is True}
        return [name for name in self.vms if name not in up]

    @staticmethod
    def _rows(answer: str) -> list:
        return json.loads(answer)["data"]

    def _topology(self) -> list[list[str]]:
        """Switches, router, external network with its gateways, and the VMs' ports and addresses."""
        found: list[list[str]] = [["lr-add", _ROUTER]]
        for index, switch in enumerate(_SWITCHES):
            mac, network = f"02:00:00:00:01:{index:02x}", f"10.100.{index}.1/24"
            found += [["ls-add", switch], *_attached(switch, mac, network)]
        found += [
            ["ls-add", "public"],
            *_attached("public", "02:00:00:00:02:00", f"{ROUTER_ADDRESS}/24"),
            ["lsp-add", "public", "public-net"],
            ["lsp-set-type", "public-net", "localnet"],
            ["lsp-set-addresses", "public-net", "unknown"],
            ["lsp-set-options", "public-net", "network_name=external"],
            ["ha-chassis-group-add", "gateways"],
            *(
                ["ha-chassis-group-add-chassis", "gateways", name, str(self.priority(name))]
                for name in self.gateways
            ),
            ["lr-nat-add", _ROUTER, "snat", ROUTER_ADDRESS, "10.100.0.0/16"],
            ["lr-route-add", _ROUTER, "0.0.0.0/0", settings.OUTSIDE_ADDRESS],
        ]
        for vm in self.vms.values():
            addresses = f"{vm.mac} {vm.address}"
            found += [
                ["lsp-add", vm.switch, vm.name],
                ["lsp-set-addresses", vm.name, addresses],
                ["lsp-set-port-security", vm.name, addresses],
            ]
            if vm.floating:
                found.append(["lr-nat-add", _ROUTER, "dnat_and_snat", vm.floating, vm.address])
        return found

    def _gateway(self) -> list[list[str]]:
        """The external port is where the group of gateways says; both have to exist already."""
        return [
            ["--id=@group", "get", "ha_chassis_group", "gateways"],
            ["set", "logical_router_port", f"{_ROUTER}-public", "ha_chassis_group=@group"],
        ]

    def _access_rules(self) -> list[list[str]]:
        """Default drop, what the probe needs, and many rules with address sets as security groups have."""
        vms = ["pg-add", "workloads", *self.vms]
        found = [
            vms,
            ["acl-add", "workloads", "to-lport", "1000", "outport == @workloads && ip4", "drop"],
            ["acl-add", "workloads", "from-lport", "1000", "inport == @workloads && ip4", "drop"],
            _allow("from-lport", "inport == @workloads && ip4"),
            _allow("to-lport", f"outport == @workloads && ip4 && udp.dst == {PROBE_PORT}"),
            _allow("to-lport", "outport == @workloads && ip4 && icmp4"),
        ]
        for number in range(self._rules):
            found += _rule(number, self._addresses)
        return found

    def _crowd(self) -> list[list[str]]:
        found = []
        for number in range(self._ports):
            index = number % len(_SWITCHES)
            name, last = f"crowd-{number}", 50 + number // len(_SWITCHES)
            addresses = f"02:00:00:01:{number >> 8:02x}:{number & 255:02x} 10.100.{index}.{last}"
            found += [
                ["lsp-add", _SWITCHES[index], name],
                ["lsp-set-addresses", name, addresses],
                ["lsp-set-port-security", name, addresses],
            ]
        return found


def _vms(node: str, number: int) -> list[Vm]:
    """A compute's two: one with a floating IP, one that leaves by the router's address."""
    index = number % len(_SWITCHES)
    switch = _SWITCHES[index]
    first, second = 10 + 2 * number, 11 + 2 * number
    return [
        Vm(
            f"{node}-a", node, switch, f"10.100.{index}.{first}", f"02:00:00:00:00:{first:02x}",
            floating=f"10.90.0.{first}",
        ),
        Vm(f"{node}-b", node, switch, f"10.100.{index}.{second}", f"02:00:00:00:00:{second:02x}"),
    ]  # fmt: skip


def _attached(switch: str, mac: str, network: str) -> list[list[str]]:
    """A router port and the switch port that is its peer."""
    inside = f"{switch}-{_ROUTER}"
    return [
        ["lrp-add", _ROUTER, f"{_ROUTER}-{switch}", mac, network],
        ["lsp-add", switch, inside],
        ["lsp-set-type", inside, "router"],
        ["lsp-set-addresses", inside, "router"],
        ["lsp-set-options", inside, f"router-port={_ROUTER}-{switch}"],
    ]


def _allow(direction: str, match: str) -> list[str]:
    return ["acl-add", "workloads", direction, "1001", match, "allow-related"]


def _rule(number: int, addresses: int) -> list[list[str]]:
    """An access rule that no packet needs, with its own address set."""
    network = f"10.{110 + number % 40}.{number % 256}"
    some = [f"{network}.{last}" for last in range(10, 10 + addresses)]
    match = f"outport == @workloads && ip4.src == $as_{number} && tcp.dst == {{{_ports(number)}}}"
    return [
        ["create", "address_set", f"name=as_{number}", f"addresses={json.dumps(some)[1:-1]}"],
        _allow("to-lport", match),
    ]


def _ports(number: int) -> str:
    return ", ".join(str(1000 + 10 * number + step) for step in range(8))


def _named(port: str) -> str:
    return f"logical_port={port}"
