"""BFD over a handover: its sessions start anew, which takes seconds, while the tunnels that they watch work.

Until a session is up again, a switch does not use its tunnel where it can choose another, as to the gateways
of an HA chassis group. So the new switch treats sessions that were up as up, until they had the time to come
up.
"""

from __future__ import annotations

import time

from openstack_rollout.node.switch_handover import RUN, run

_TAKES = 10.0  # seconds; three messages, one a second, bring a session up


class Liveness:
    """The BFD sessions of the old switch.

    Args:
        pid: Its process.
    """

    def __init__(self, pid: int) -> None:
        found = _sessions(pid)
        self._up = {name for name, up in found.items() if up}
        self._all_up = len(self._up) == len(found)

    def assume(self, pid: int) -> None:
        """Have the new switch treat the sessions as up that were up.

        Args:
            pid: The process of the new switch.
        """
        if self._up and self._all_up:
            _set_forwarding(pid, "true")
            return
        for name in sorted(self._up):
            _set_forwarding(pid, "true", name)

    def wait_for_sessions(self, pid: int) -> set[str]:
        """Wait until the sessions are up, and let BFD decide again.

        Args:
            pid: The process of the new switch.

        Returns:
            The interfaces whose session was up before and is not up after ten seconds.
        """
        until = time.monotonic() + _TAKES
        late = self._up
        while late and time.monotonic() < until:
            now = _sessions(pid)
            late = {name for name in self._up if not now.get(name)}
            time.sleep(0.1)
        if self._up:
            _set_forwarding(pid, "normal")
        return late


def _set_forwarding(pid: int, state: str, *interface: str) -> None:
    """Have the switch treat BFD's sessions as up ("true"), or as they are ("normal")."""
    _appctl(pid, "bfd/set-forwarding", *interface, state)


def _sessions(pid: int) -> dict[str, bool]:
    """{interface: whether its session is up}."""
    found, name = {}, ""
    for line in _appctl(pid, "bfd/show").splitlines():
        if line.startswith("----"):
            name = line.strip("- ")
        elif line.strip().startswith("Local Session State:"):
            found[name] = line.split()[-1] == "up"
    return found


def _appctl(pid: int, *words: str) -> str:
    return run(["ovs-appctl", "--timeout=10", f"--target={RUN}/ovs-vswitchd.{pid}.ctl", *words]).stdout
