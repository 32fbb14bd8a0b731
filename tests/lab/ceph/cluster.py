"""The Ceph of the profile `ceph`: made as its manual deployment describes it, and what it says of itself."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError, wait_for

POOL = "lab"
_PGS = 16
_ADMIN = "/etc/ceph/ceph.client.admin.keyring"
_OF_MON = "/etc/ceph/ceph.mon.keyring"
_NAMESPACE = uuid.UUID("5d3f6b0a-6b1c-4c58-9a55-1f0f5f3c7a10")


def build(lab: Lab, timeout: float = 120) -> None:
    """Make the cluster with a pool, and wait until all its placement groups are active and clean.

    Raises:
        LabError: It did not get there in time; with what Ceph says.
    """
    hosts = storage_nodes(lab)
    _make_monitors(lab, hosts)
    if not wait_for(lambda: _in_quorum(lab) == hosts, timeout, 1):
        raise LabError(f"the monitors have no quorum: {_in_quorum(lab)}")
    ask(lab, "mon", "enable-msgr2", form="plain")
    for number, host in enumerate(hosts):
        _make_manager(lab, host)
        _make_osd(lab, host, number)
    ask(lab, "osd", "pool", "create", POOL, str(_PGS), str(_PGS))
    ask(lab, "osd", "pool", "application", "enable", POOL, "lab")
    # A manager loads Python once for each of its modules; Debian has one that can be loaded only once.
    ask(lab, "health", "mute", "MGR_MODULE_DEPENDENCY", "--sticky", form="plain")
    if not wait_for(lambda: whole(lab), timeout, 1):
        raise LabError(f"Ceph is not whole:\n{ask(lab, 'status', form='plain')}")


def storage_nodes(lab: Lab) -> list[str]:
    """Their names; OSD n is on the one with that index."""
    return [node.name for node in lab.nodes.values() if node.role == "storage"]


def ask(lab: Lab, *words: str, node: str = "", form: str = "json", check: bool = True) -> Any:
    """What `ceph WORDS` answers on a node, the compute unless another is named.

    Raises:
        LabError: It failed, with check.
    """
    node = node or next(name for name, one in lab.nodes.items() if one.role == "compute")
    command = ["ceph", "--connect-timeout", "10", *words, "--format", form]
    said = lab.exec(node, command, check=check).stdout
    return json.loads(said) if form == "json" and said.strip() else said


def status(lab: Lab) -> dict[str, Any]:
    """`ceph status`."""
    found: dict[str, Any] = ask(lab, "status")
    return found


def whole(lab: Lab) -> bool:
    """Whether every placement group is active and clean."""
    groups = status(lab)["pgmap"]
    clean = sum(
        one["count"] for one in groups["pgs_by_state"] if one["state_name"].startswith("active+clean")
    )
    return 0 < groups["num_pgs"] == clean


def flags(lab: Lab) -> dict[str, Any]:
    """The flags of the cluster, and of parts of it."""
    found = ask(lab, "osd", "dump")
    kinds = ("crush_node_flags", "device_class_flags")
    states = {one["osd"]: sorted(one["state"]) for one in found["osds"]}
    return {"flags": sorted(found["flags_set"]), "osds": states} | {kind: found[kind] for kind in kinds}


def _in_quorum(lab: Lab) -> list[str]:
    said = ask(lab, "quorum_status", check=False)
    return sorted(said["quorum_names"]) if said else []


def _make_monitors(lab: Lab, hosts: list[str]) -> None:
    first = hosts[0]
    tool = ["ceph-authtool", "--create-keyring"]
    lab.exec(first, [*tool, _OF_MON, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"])
    caps = [word for kind in ("mon", "osd", "mds", "mgr") for word in ("--cap", kind, "allow *")]
    lab.exec(first, [*tool, _ADMIN, "--gen-key", "-n", "client.admin", *caps])
    lab.exec(first, ["ceph-authtool", _OF_MON, "--import-keyring", _ADMIN])
    keyrings = {path: lab.exec(first, ["cat", path]).stdout for path in (_OF_MON, _ADMIN)}
    members = [word for host in hosts for word in ("--add", host, lab.nodes[host].address)]
    for node in lab.nodes:
        for path, keyring in keyrings.items():
            lab.exec(node, ["install", "-m", "600", "-o", "ceph", "/dev/stdin", path], stdin=keyring)
    for host in hosts:
        lab.exec(host, ["monmaptool", "--create", "--fsid", str(_NAMESPACE), *members, "/run/monmap"])
        make = ["ceph-mon", "--mkfs", "-i", host, "--monmap", "/run/monmap", "--keyring", _OF_MON]
        lab.exec(host, [*make, "--setuser", "ceph", "--setgroup", "ceph"])
        lab.exec(host, ["systemctl", "enable", "--now", f"ceph-mon@{host}.service"])


def _make_manager(lab: Lab, host: str) -> None:
    place = f"/var/lib/ceph/mgr/ceph-{host}"
    caps = ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"]
    keyring = ask(lab, "auth", "get-or-create", f"mgr.{host}", *caps, form="plain")
    lab.exec(host, ["install", "-d", "-o", "ceph", place])
    lab.exec(host, ["install", "-m", "600", "-o", "ceph", "/dev/stdin", f"{place}/keyring"], stdin=keyring)
    lab.exec(host, ["systemctl", "enable", "--now", f"ceph-mgr@{host}.service"])


def _make_osd(lab: Lab, host: str, number: int) -> None:
    place, identifier = f"/var/lib/ceph/osd/ceph-{number}", str(uuid.uuid5(_NAMESPACE, host))
    lab.exec(host, ["install", "-d", "-o", "ceph", place])
    ask(lab, "osd", "new", identifier, str(number))
    caps = ["mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"]
    keyring = ask(lab, "auth", "get-or-create", f"osd.{number}", *caps, form="plain")
    lab.exec(host, ["install", "-m", "600", "-o", "ceph", "/dev/stdin", f"{place}/keyring"], stdin=keyring)
    make = ["ceph-osd", "-i", str(number), "--mkfs", "--osd-uuid", identifier]
    lab.exec(host, [*make, "--setuser", "ceph", "--setgroup", "ceph"])
    lab.exec(host, ["systemctl", "enable", "--now", f"ceph-osd@{number}.service"])
