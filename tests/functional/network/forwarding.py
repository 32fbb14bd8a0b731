"""Two network namespaces on a bridge of the switch, and a stream of pings between them."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

BRIDGE = "br-probe"
_UNIT = "probe-ping"
_EVERY = 0.01  # seconds
#: flows that forward nothing, so that restoring them is some work
_IDLE_FLOWS = 500


class Loss(NamedTuple):
    """What a stream lost: packets sent, lost, and the longest gap in seconds."""

    sent: int
    lost: int
    gap: float


def build(node) -> None:
    """Make the bridge, which drops what no flow forwards, and a namespace on each of its two ports."""
    node.exec(
        [
            *("ovs-vsctl", "--may-exist", "add-br", BRIDGE, "--"),
            *("set", "bridge", BRIDGE, "datapath_type=netdev", "fail-mode=secure"),
        ]
    )
    for number in (1, 2):
        name, port = f"probe{number}", f"port{number}"
        node.exec(["ip", "netns", "add", name])
        node.exec(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name])
        node.exec(["ip", "link", "set", port, "up"])
        node.exec(["ip", "-netns", name, "link", "set", "eth0", "up"])
        node.exec(["ip", "-netns", name, "address", "add", f"192.0.2.{number}/24", "dev", "eth0"])
        node.exec(
            [
                "ovs-vsctl",
                "add-port",
                BRIDGE,
                port,
                "--",
                "set",
                "interface",
                port,
                f"ofport_request={number}",
            ]
        )
    flows = ["priority=5,in_port=1,actions=output:2", "priority=5,in_port=2,actions=output:1"]
    flows += [f"priority=1,tcp,tcp_dst={port},actions=drop" for port in range(1, _IDLE_FLOWS + 1)]
    node.exec(["ovs-ofctl", "add-flows", BRIDGE, "-"], stdin="\n".join(flows) + "\n")
    node.exec(["ip", "netns", "exec", "probe1", "ping", "-c3", "-i0.2", "-W5", "192.0.2.2"])


def flows(node) -> list[str]:
    """The flows of the bridge, without what counts and ages."""
    said = node.out(["ovs-ofctl", "--no-stats", "--sort", "dump-flows", BRIDGE])
    return [line.strip() for line in said.splitlines() if "actions" in line]


def start(node) -> None:
    """Begin the stream."""
    stop = ["systemctl", "reset-failed", _UNIT]
    node.exec(stop, check=False)
    ping = ["ip", "netns", "exec", "probe1", "ping", "-D", "-n", f"-i{_EVERY}", "192.0.2.2"]
    output = "--property=StandardOutput=truncate:/run/probe-ping"
    node.exec(["systemd-run", "--quiet", f"--unit={_UNIT}", output, "--property=KillSignal=SIGINT", *ping])


def stop(node) -> Loss:
    """End the stream and count."""
    node.exec(["systemctl", "stop", _UNIT])
    said = node.out(["cat", "/run/probe-ping"])
    answers = [float(time) for time in re.findall(r"^\[([\d.]+)\] \d+ bytes from .*icmp_seq", said, re.M)]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
    assert len(answers) > 1, said[-500:]
    # what is on its way when the stream ends is not lost
    lost = max(0, sent - received - 1)
    return Loss(sent, lost, max(after - before for before, after in itertools.pairwise(answers)))
