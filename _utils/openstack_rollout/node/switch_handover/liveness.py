"""BFD over a handover: its sessions begin anew, which takes seconds, while the tunnels they watch work.

Until a session is up again, a switch sends nothing over its tunnel where it may choose among several, as to
the gateways of an HA chassis group. So what was up counts as up until it had the time to come up.
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
        """Have the new switch (a process) take those for up that were."""
        if self._up and self._all_up:
            _take_for(pid, "true")
            return
        for name in sorted(self._up):
            _take_for(pid, "true", name)

    def settle(self, pid: int) -> set[str]:
        """Let BFD decide again, once the sessions are up; those that are not in time."""
        until = time.monotonic() + _TAKES
        late = self._up
        while late and time.monotonic() < until:
            now = _sessions(pid)
            late = {name for name in self._up if not now.get(name)}
            time.sleep(0.1)
        if self._up:
            _take_for(pid, "normal")
        return late


def _take_for(pid: int, state: str, *interface: str) -> None:
    _appctl(pid, "bfd/set-forwarding", *interface, state)


def _sessions(pid: int) -> dict[str, bool]:
    """Interface → whether its session is up."""
    found, name = {}, ""
    for line in _appctl(pid, "bfd/show").splitlines():
        if line.startswith("----"):
            name = line.strip("- ")
        elif line.strip().startswith("Local Session State:"):
            found[name] = line.split()[-1] == "up"
    return found


def _appctl(pid: int, *words: str) -> str:
    return run(["ovs-appctl", "--timeout=10", f"--target={RUN}/ovs-vswitchd.{pid}.ctl", *words]).stdout
