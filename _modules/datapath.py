"""This node's data path, and a record of it that outlives the change it was made for.

Before a stage changes something that forwards traffic, `record` writes down what works; `verify` waits until
all of it works again and drops the record. A record that is left tells of a change that was interrupted: the
next one compares with it, and `openstack_node.facts` shows what is missing.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import datapath
from openstack_rollout.node.errors import NodeError

_RECORD = Path("/var/lib/openstack-rollout/datapath.json")
_OVN_SOCKETS = ("/run/ovn", "/var/lib/openvswitch/ovn", "/run/openvswitch")
_VERSIONS = "OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15"
_BRIDGES = "_uuid,name,datapath_type,ports,controller"
_INTERFACES = "name,type,ofport,error,options,bfd,bfd_status,external_ids"
_SHOWN = 5
#: seconds that a controller has to come back: its pauses between attempts double up to 8 s
PATIENCE = 15


def measured() -> dict | None:
    """The bridges, interfaces, addresses, routes and controllers of this node's switch.

    Returns {"bridges": {name: {"type", "ports", "controllers", "flows"}}, "interfaces": {name: {"type",
    "works", "remote", "bfd", "iface_id", "installed"}}, "addresses": {name: [address]}, "routes": [route],
    "ovn": whether ovn-controller is connected, None where there is none, "restoring": whether the switch
    waits for its saved flows}; None on a node without a switch.
    Raises NodeError OVS_FAILED when the switch's database does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.measured
    """
    if not __salt__["cmd.which"]("ovs-vsctl"):
        return None
    reply = _asked(
        [
            *("ovs-vsctl", "--timeout=10", "--format=json"),
            *("--", f"--columns={_BRIDGES}", "list", "Bridge", "--", "--columns=_uuid,name", "list", "Port"),
            *("--", "--columns=_uuid,target,is_connected", "list", "Controller"),
            *("--", f"--columns={_INTERFACES}", "list", "Interface"),
            *("--", "--columns=other_config", "list", "Open_vSwitch"),
        ]
    )
    tables = [datapath.rows(line) for line in reply.splitlines() if line.strip()]
    bridges = datapath.bridges(*tables[:3])
    interfaces = datapath.interfaces(tables[3])
    internal = {name for name, one in interfaces.items() if one["type"] == "internal"}
    routes = [_said(["ip", "-json", version, "route", "show"]) for version in ("-4", "-6")]
    return {
        "bridges": {name: {**bridge, "flows": _flows(name)} for name, bridge in bridges.items()},
        "interfaces": interfaces,
        "addresses": datapath.addresses(_said(["ip", "-json", "address", "show"]), internal),
        "routes": [one for listing in routes for one in datapath.routes(listing, internal)],
        "ovn": _ovn_connected(),
        "restoring": tables[4][0]["other_config"].get("flow-restore-wait") == "true",
    }


def record() -> bool:
    """Write down what works now, before something that may break it; for `verify` afterwards.

    A record that the node does not live up to was left by an interrupted change, and stays: what was lost
    then is still to be brought back. A switch that does not answer is not recorded.

    Returns whether there is a record to verify.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.record
    """
    try:
        now = measured()
    except CommandExecutionError:
        return bool(_read())
    if now is None:
        return False
    earlier = _read()
    if not (earlier and datapath.differences(earlier["datapath"], now)):
        _write({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "datapath": now})
    return True


def verify(timeout: int = 60, tolerance: int = datapath.TOLERANCE) -> dict:
    """Wait until all that was recorded works again, then drop the record.

    timeout (int): seconds. tolerance (int): per cent of a bridge's flows that may be missing.

    Returns {"verified": whether there was a record, "waited": seconds}.
    Raises NodeError DATAPATH_BROKEN with what is missing; the record stays then.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.verify timeout=120
    """
    begun = time.monotonic()
    if not _read():
        return {"verified": False, "waited": 0}
    while lost := missing(tolerance):
        if time.monotonic() - begun >= timeout:
            raise NodeError(
                "DATAPATH_BROKEN",
                f"{__grains__['id']}: after {timeout} s {_some(lost)}; compared with the"
                f" record of {_read()['at']}: bring it back, or accept what is with datapath.forget",
            )
        time.sleep(0.5)
    forget()
    return {"verified": True, "waited": round(time.monotonic() - begun, 1)}


def missing(tolerance: int = datapath.TOLERANCE) -> list[str]:
    """What was recorded and does not work now, one line each; empty without a record.

    tolerance (int): per cent of a bridge's flows that may be missing.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.missing
    """
    earlier = _read()
    if not earlier:
        return []
    try:
        now = measured()
    except CommandExecutionError as error:
        return [str(error)]
    if now is None:
        return ["Open vSwitch: is gone"]
    return datapath.differences(earlier["datapath"], now, tolerance)


def health(patience: float = PATIENCE) -> list[str]:
    """What is wrong with the data path whatever the version: controllers that are not connected,
    and what an interrupted change took and did not bring back. One line each.

    patience (float): seconds that a controller has to connect.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.health
    """
    begun = time.monotonic()
    while True:
        try:
            now = measured()
        except CommandExecutionError as error:
            return [f"data path: {error}"]
        away = datapath.disconnected(now) if now else []
        if not away or time.monotonic() - begun >= patience:
            break
        time.sleep(1)
    earlier = _read()
    lost = datapath.differences(earlier["datapath"], now) if earlier and now else []
    told = [f"data path: {line}" for line in dict.fromkeys([*away, *lost[:_SHOWN]])]
    if lost:
        told.append(
            f"data path: not what it was at {earlier['at']}: bring it back, or accept it with datapath.forget"
        )
    return told


def forget() -> bool:
    """Drop the record, and with it the claim that all in it has to work: an operator's way to accept what is.

    Returns whether there was one.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.forget
    """
    if not _RECORD.exists():
        return False
    _RECORD.unlink(missing_ok=True)
    return True


def workloads() -> list[str]:
    """The logical ports bound on a userspace data path of this node; a reload of the switch stops them.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.workloads
    """
    now = measured()
    return datapath.workloads(now) if now else []


def _ovn_connected() -> bool | None:
    """Asked of its own control socket: no process but ovn-controller answers there."""
    sockets = [one for place in _OVN_SOCKETS for one in sorted(Path(place).glob("ovn-controller.*.ctl"))]
    said = [_run(["ovs-appctl", "--timeout=5", "-t", str(one), "connection-status"]) for one in sockets]
    # A socket that does not answer is of one that is gone.
    return any(one["stdout"].strip() == "connected" for one in said) if sockets else None


def _flows(bridge: str) -> int | None:
    said = _run(["ovs-ofctl", f"--protocols={_VERSIONS}", "--timeout=10", "dump-aggregate", bridge])
    _, found, count = said["stdout"].partition("flow_count=")
    return int(count.split()[0]) if found and not said["retcode"] else None


def _read() -> dict | None:
    try:
        return json.loads(_RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write(content: dict) -> None:
    _RECORD.parent.mkdir(parents=True, exist_ok=True)
    scratch = _RECORD.with_suffix(".new")
    scratch.write_text(json.dumps(content), encoding="utf-8")
    scratch.rename(_RECORD)


def _some(lines: list[str]) -> str:
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more


def _asked(command: list[str]) -> str:
    said = _run(command)
    if said["retcode"]:
        raise NodeError("OVS_FAILED", f"the switch's database does not answer: {said['stderr'].strip()}")
    return said["stdout"]


def _said(command: list[str]) -> str:
    return _run(command)["stdout"]


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
