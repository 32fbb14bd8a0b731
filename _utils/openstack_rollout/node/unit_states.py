"""Units of this node that have failed, and those that somebody has masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from openstack_rollout.node import commands

_PATIENCE = 10.0  # seconds
#: What a node of OpenStack stands on, beside the services that are declared.
ESSENTIAL = (
    *("openvswitch*.service", "ovs-vswitchd.service", "ovsdb-server.service", "ovn-*.service"),
    *("libvirtd.service", "virt*d.service", "podman.service", "docker.service", "containerd.service"),
    *("chronyd.service", "chrony.service", "systemd-timesyncd.service", "ntpd.service"),
    *("NetworkManager.service", "systemd-networkd.service", "networking.service", "os-net-config.service"),
    *("pacemaker.service", "corosync.service", "pcsd.service", "keepalived.service", "haproxy.service"),
    *("salt-minion.service", "multipathd.service", "iscsid.service", "sshd.service", "ssh.service"),
    *("*.mount",),
)


def failed(salt: Mapping[str, Any], own: Iterable[str]) -> dict[str, bool]:
    """The units that have failed: {unit: whether it is a declared service's, or one that the node stands on}.

    salt (dict): the caller's `__salt__`. own: the units of declared services. Raises CommandExecutionError.
    """
    command = ["systemctl", "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager"]
    names = [line.split()[0] for line in _printed(salt, command) if line.split()]
    known = set(own)
    return {name: name in known or any(fnmatchcase(name, glob) for glob in ESSENTIAL) for name in names}


def masked(salt: Mapping[str, Any], own: Iterable[str]) -> list[str]:
    """Those of some units (the names of declared services' ones) that somebody has masked.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError.
    """
    command = [
        *("systemctl", "list-unit-files", "--state=masked,masked-runtime"),
        *("--plain", "--no-legend", "--no-pager"),
    ]
    names = {line.split()[0] for line in _printed(salt, command) if line.split()}
    return sorted(names.intersection(own))


def _printed(salt: Mapping[str, Any], command: list[str]) -> list[str]:
    return commands.checked(salt, command, timeout=_PATIENCE).splitlines()
