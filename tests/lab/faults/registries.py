"""Faults of the image registry, and of what stands between it and a node."""

from __future__ import annotations

import json
import subprocess
import time

from .. import settings
from .matrix import Case

STAND_IN = settings.HERE / "files/registry/stand-in"
POLICY = "/etc/containers/policy.json"
#: images that no signature is known of
SIGNED = {"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/pki/lab.gpg"}]}


def forget_images(case: Case) -> None:
    """Have every node lack the images that it does not run, so that they have to be pulled."""
    for node in case.lab.nodes:
        case.lab.exec(node, ["podman", "image", "prune", "--all", "--force"])


def away(case: Case) -> None:
    """The registry's process is gone."""
    forget_images(case)
    case.lab.stop_registry()


def back(case: Case) -> None:
    """The registry serves again."""
    if (stand_in := case.kept.pop("stand-in", None)) is not None:
        stand_in.kill()
        stand_in.wait()
    case.lab.start_registry()


def behaves(behaviour: str):
    """Something else answers at the registry's address: silent, or an HTTP status."""

    def plant(case: Case) -> None:
        forget_images(case)
        case.lab.stop_registry()
        command = [str(STAND_IN), settings.HOST_ADDRESS, str(settings.REGISTRY_PORT), behaviour]
        case.kept["stand-in"] = case.lab.popen_master(["python3", *command], stdin=subprocess.DEVNULL)
        time.sleep(1)

    return plant


def wants_signatures(case: Case) -> None:
    """A node's policy asks for signatures that nobody made."""
    forget_images(case)
    case.kept["policy"] = case.lab.exec("cmp1", ["cat", POLICY]).stdout
    case.lab.exec("cmp1", ["tee", POLICY], stdin=json.dumps(SIGNED))


def wants_none(case: Case) -> None:
    """The node's policy is as it was."""
    case.lab.exec("cmp1", ["tee", POLICY], stdin=case.kept["policy"])


def no_room_to_unpack(case: Case) -> None:
    """The file system in which podman unpacks images is full."""
    forget_images(case)
    case.lab.exec("cmp1", ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/var/tmp"])


def room_to_unpack(case: Case) -> None:
    """There is room again."""
    case.lab.exec("cmp1", ["umount", "--lazy", "/var/tmp"])
