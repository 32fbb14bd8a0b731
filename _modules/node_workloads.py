"""What this node carries for the cloud's users, as the node itself can see it: what a reboot would interrupt.

The cloud's own API knows more. This is for updates in which no drain has asked that API.
"""

from __future__ import annotations

from pathlib import Path

from openstack_rollout.node import ceph_daemons, engines, fresh_pillar
from openstack_rollout.node import share as shares
from openstack_rollout.node import stateful as services

_ROOT = Path("/")
_PROC = Path("/proc")
_NAMESPACES = Path("/run/netns")
_SHOWN = 3


def found() -> list[str]:
    """The workloads on this node, one line for each kind; empty on a node that carries none.

    They are virtual machines (their processes), OVN's logical ports that are bound here, namespaces of
    routers, and on a controller the control plane itself. Raises NodeError OVS_FAILED when the switch does
    not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' node_workloads.found
    """
    kinds = {"virtual machine": _servers(), "logical port": _ports(), "router's namespace": _routers()}
    lines = [_line(kind, names) for kind, names in kinds.items() if names]
    if __salt__["openstack_node.desired"]("system").get("control_plane"):
        lines.append("a member of the control plane")
    return lines


def stateful(fresh: bool = False, share: dict | None = None) -> dict[str, list[str]]:
    """What serves data on this node, beside the cloud's own workloads: {kind: what was found of it}.

    fresh (bool): ask the master for the pillar first. share (dict): this node's, where the caller has it
    already.

    The kinds are those of node/stateful.py: `ceph`, `swift`, `nfs`, `iscsi`, `gluster`, `drbd`, guests that
    Nova does not know, …; and `unknown_service`: what listens to others, writes files of its own, and is
    neither of the catalogue nor in `openstack:ignore_services`. On a node of the control plane without what
    that is made of itself. Raises CommandExecutionError when an engine of containers does not answer, and
    NodeError for a fresh share as `openstack_node.facts`.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' node_workloads.stateful
    """
    if share is None and fresh:
        share = shares.of(fresh_pillar.fresh(__opts__, __grains__))
    share = share or __salt__["openstack_node.desired"]("system")
    names: dict[str, str] = {}

    def called(identity: str) -> str:
        if not names:
            names.update({one["id"]: name for name, one in engines.containers(__salt__, known=True).items()})
        return names.get(identity, "")

    return services.found(_ROOT, bool(share.get("control_plane")), share.get("harmless", ()), called)


def _servers() -> list[str]:
    running = ceph_daemons.processes(_PROC)
    return sorted(f"process {process.name}" for process, name in running if services.runs_guest(name))


def _ports() -> list[str]:
    now = __salt__["datapath.measured"]()
    if now is None:
        return []
    return sorted(
        one["iface_id"] for one in now["interfaces"].values() if one["iface_id"] and one["installed"]
    )


def _routers() -> list[str]:
    return sorted(one.name for one in _NAMESPACES.glob("qrouter-*"))


def _line(kind: str, names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names)} {kind}{'s' if len(names) > 1 else ''} ({shown})"
