"""Pings a router's interface all the time from a host on its network: what a move costs those behind it."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from itertools import pairwise

from tests.lab.enclosure import LabError, wait_for

from .api import UNREACHABLE, Api

_EVERY = 0.1
_ANSWER = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=\d+ (?!.*DUP!)", re.M)
_SENT = re.compile(r"^(\d+) packets transmitted", re.M)


class Reach:
    """A host on a router's network, on one compute, that sends ten packets a second to the router.

    Args:
        api: The cloud.
        router: The router's name, which its network and subnet have too, as `Api.add_routers` makes them.
        node: The compute.
    """

    def __init__(self, api: Api, router: str, node: str = "cmp1") -> None:
        self._api, self._node, self._name = api, node, f"reach-{router}"
        network = api.sdk.network
        subnet = network.find_subnet(router, ignore_missing=False)
        self.gateway = subnet.gateway_ip
        self._port = network.create_port(
            network_id=subnet.network_id, name=self._name, device_owner="compute:lab", binding_host_id=node
        )
        self._client: subprocess.Popen[str] | None = None
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would stop ping

    def __enter__(self) -> Reach:
        self._attach()
        reached = ["ip", "netns", "exec", self._name, "ping", "-c1", "-W1", self.gateway]
        if not wait_for(lambda: self._exec(reached, check=False).returncode == 0, 60, 1):
            raise LabError(f"{self.gateway} does not answer {self._name} on {self._node}")
        ping = ["ip", "netns", "exec", self._name, "ping", "-D", "-n", f"-i{_EVERY}", self.gateway]
        self._client = subprocess.Popen(
            self._api.lab.exec_command(self._node, ping),
            stdout=self._printed,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
        self._exec(["ovs-vsctl", "--if-exists", "del-port", "br-int", self._device], check=False)
        self._exec(["ip", "netns", "del", self._name], check=False)
        if not wait_for(self._deleted, 180, 1):
            raise LabError(f"the port of {self._name} could not be deleted")

    def _deleted(self) -> bool:
        try:
            self._api.sdk.network.delete_port(self._port)
        except UNREACHABLE:
            return False
        return True

    def stop(self) -> tuple[int, int, float]:
        """End it; packets sent, how many were lost, the longest time (seconds) without an answer."""
        if self._client is None:
            return self._found
        ended = time.time()
        self._exec(["pkill", "-INT", "-f", f"ping -D -n -i{_EVERY} {self.gateway}"], check=False)
        self._client.wait(timeout=30)
        self._client = None
        self._printed.seek(0)
        self._found = tally(self._printed.read(), ended)
        return self._found

    @property
    def _device(self) -> str:
        return f"tap{self._port.id[:11]}"

    def _attach(self) -> None:
        """Plug the port as a hypervisor would: the L2 agent does the rest."""
        mac = self._port.mac_address
        address = f"{self._port.fixed_ips[0]['ip_address']}/24"
        inside = ["ip", "netns", "exec", self._name]
        told = {"iface-id": self._port.id, "iface-status": "active", "attached-mac": mac}
        external = [f"external_ids:{key}={value}" for key, value in told.items()]
        plug = ["ovs-vsctl", "add-port", "br-int", self._device]
        for argv in (
            ["ip", "netns", "add", self._name],
            ["ip", "link", "add", self._device, "type", "veth", "peer", "name", "in", "netns", self._name],
            [*inside, "ip", "link", "set", "in", "address", mac, "up"],
            [*inside, "ip", "address", "add", address, "dev", "in"],
            ["ip", "link", "set", self._device, "up"],
            [*plug, "--", "set", "Interface", self._device, *external],
        ):
            self._exec(argv)

    def _exec(self, argv: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._api.lab.exec(self._node, argv, check=check)


def tally(printed: str, ended: float) -> tuple[int, int, float]:
    """What a ping that was interrupted says: packets sent, how many were lost, the longest time (seconds)
    without an answer, the one up to its end (ended: seconds since the epoch) included.

    Raises LabError when it did not live to count: silence is no proof.
    """
    counted = _SENT.search(printed)
    times = [float(at) for at in _ANSWER.findall(printed)]
    if not counted or not times:
        raise LabError(f"the ping ended before it was told to, or never had an answer: {printed[-300:]!r}")
    sent = int(counted[1])
    longest = max(after - before for before, after in pairwise([*times, max(ended, times[-1])]))
    return sent, sent - len(times), longest
