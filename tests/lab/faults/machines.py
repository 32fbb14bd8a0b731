"""Faults of machines, of their minions and of what runs on them."""

from __future__ import annotations

import time
from collections.abc import Callable

from .matrix import Case

MINION = "salt-minion.service"
_UNITS = "/etc/systemd/system"
_QUADLETS = "/etc/containers/systemd"


def plug_pulled(node: str) -> Callable[[Case], None]:
    """The machine is off at once."""
    return lambda case: case.lab.kill(node)


def switched_on(*nodes: str) -> Callable[[Case], None]:
    """The machines run again, and their minions answer."""

    def heal(case: Case) -> None:
        for node in nodes:
            case.lab.start(node)
        case.lab.wait_for_minions()

    return heal


def minion_stopped(node: str) -> Callable[[Case], None]:
    """The minion's service does not run."""
    return lambda case: case.lab.exec(node, ["systemctl", "stop", MINION])


def minion_started(node: str) -> Callable[[Case], None]:
    """The minion's service runs, and answers."""

    def heal(case: Case) -> None:
        case.lab.exec(node, ["systemctl", "start", MINION])
        case.lab.wait_for_minions()

    return heal


def frozen(node: str, seconds: float | None = None) -> Callable[[Case], None]:
    """Every process of the minion stands still, its job's too; for a while, or until somebody heals it."""

    def plant(case: Case) -> None:
        case.lab.exec(node, ["systemctl", "kill", "--signal=STOP", MINION])
        if seconds is not None:
            time.sleep(seconds)
            thawed(node)(case)

    return plant


def thawed(node: str) -> Callable[[Case], None]:
    """The minion goes on."""

    def heal(case: Case) -> None:
        case.lab.exec(node, ["systemctl", "kill", "--signal=CONT", MINION])
        case.lab.wait_for_minions()

    return heal


def rebooted(node: str) -> Callable[[Case], None]:
    """Somebody reboots the machine."""
    return lambda case: case.lab.exec(node, ["systemctl", "reboot"], check=False)


def key_made_anew(node: str) -> Callable[[Case], None]:
    """The minion has another key than the one that the master accepted."""

    def plant(case: Case) -> None:
        case.lab.exec(node, ["systemctl", "stop", MINION])
        case.lab.exec(node, ["find", "/etc/salt/pki/minion", "-name", "minion.p*", "-delete"])
        case.lab.exec(node, ["systemctl", "start", MINION])
        time.sleep(15)  # until the master has denied it

    return plant


def key_accepted(node: str) -> Callable[[Case], None]:
    """The operator drops the old key; the lab's master accepts the new one by itself."""

    def heal(case: Case) -> None:
        case.lab.exec(node, ["systemctl", "stop", MINION])
        case.lab.master(["salt-key", "--yes", f"--delete={node}"])
        case.lab.exec(node, ["systemctl", "start", MINION])
        case.lab.wait_for_minions()

    return heal


def masked(node: str, container: str) -> Callable[[Case], None]:
    """An operator masked the unit of a container that runs."""

    def plant(case: Case) -> None:
        case.lab.exec(node, ["ln", "-sfn", "/dev/null", f"{_UNITS}/{container}.service"])
        case.lab.exec(node, ["systemctl", "daemon-reload"])

    return plant


def shadowed(node: str, container: str) -> Callable[[Case], None]:
    """A unit of the same name stands before the one that is made of the container's quadlet."""

    def plant(case: Case) -> None:
        unit = f"[Service]\nExecStart=/usr/bin/podman start --attach {container}\n"
        case.lab.exec(node, ["tee", f"{_UNITS}/{container}.service"], stdin=unit)
        case.lab.exec(node, ["systemctl", "daemon-reload"])

    return plant


def unit_gone(node: str, container: str) -> Callable[[Case], None]:
    """What hid the container's own unit is away."""

    def heal(case: Case) -> None:
        case.lab.exec(node, ["rm", f"{_UNITS}/{container}.service"])
        case.lab.exec(node, ["systemctl", "daemon-reload"])

    return heal


def bad_drop_in(node: str, container: str) -> Callable[[Case], None]:
    """A drop-in of the quadlet has a key that the node's podman does not know."""

    def plant(case: Case) -> None:
        folder = f"{_QUADLETS}/{container}.container.d"
        case.lab.exec(node, ["mkdir", "-p", folder])
        case.lab.exec(node, ["tee", f"{folder}/lab.conf"], stdin="[Container]\nBogus=1\n")

    return plant


def drop_in_gone(node: str, container: str) -> Callable[[Case], None]:
    """The drop-in is away."""
    return lambda case: case.lab.exec(node, ["rm", "-r", f"{_QUADLETS}/{container}.container.d"])


def network_cut(node: str, seconds: float) -> Callable[[Case], None]:
    """The machine's management network is away for a while."""

    def plant(case: Case) -> None:
        case.lab.exec(node, ["ip", "link", "set", "host0", "down"])
        time.sleep(seconds)
        case.lab.exec(node, ["ip", "link", "set", "host0", "up"])
        case.lab.exec(node, ["systemctl", "restart", "lab-network.service"], check=False)

    return plant


def images_removed(node: str) -> Callable[[Case], None]:
    """Somebody makes room: every image that nothing runs is gone."""
    return lambda case: case.lab.exec(node, ["podman", "image", "prune", "--all", "--force"])
