"""What this node carries for the cloud's users, as the node itself can tell: what a reboot would take down.

Not a substitute for the cloud's own API, which knows more; it serves where no drain has asked that.
"""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")
_NAMESPACES = Path("/run/netns")
_GUESTS = ("qemu-", "kvm")
_CONTROL_PLANE = "controller"
_SHOWN = 3


def found() -> list[str]:
    """The workloads on this node, one line a kind; none on a node that is empty.

    Virtual machines (their processes), logical ports of OVN that are bound here, router ports that a gateway
    is active for, and on a controller the control plane itself.
    Raises CommandExecutionError when the switch cannot tell.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' node_workloads.found
    """
    kinds = {"virtual machine": _guests(), "logical port": _ports(), "router's namespace": _routers()}
    lines = [_line(kind, names) for kind, names in kinds.items() if names]
    if _CONTROL_PLANE in __salt__["openstack_node.desired"]("system")["roles"]:
        lines.append("a member of the control plane")
    return lines


def _guests() -> list[str]:
    names = []
    for process in _PROC.glob("[0-9]*"):
        try:
            name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile
        if name.startswith(_GUESTS):
            names.append(f"process {process.name}")
    return sorted(names)


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
