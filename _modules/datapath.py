"""This node's data path, and a record of it that outlives the change it was made for.

Before a stage changes something that forwards traffic, `record` writes down what works; `verify` waits until
all of it works again and drops the record. A record that is still there comes from a change that was
interrupted: the next change compares with it, and `openstack_node.facts` shows what is missing.
"""

from __future__ import annotations

import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, datapath, ovn_chassis, ovsdb, waiting
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile

_RECORD = Path("/var/lib/openstack-rollout/datapath.json")
_OVN_SOCKETS = ("/run/ovn", "/var/lib/openvswitch/ovn", "/run/openvswitch")
_VERSIONS = "OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15"
_TABLES = {
    "Bridge": "_uuid,name,datapath_type,ports,controller",
    "Port": "_uuid,name",
    "Controller": "_uuid,target,is_connected",
    "Interface": "name,type,ofport,error,options,bfd,bfd_status,external_ids",
    "Open_vSwitch": "other_config",
}
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
    listed = commands.run(__salt__, ["ovs-vsctl", "--timeout=10", *ovsdb.listing(_TABLES)])
    if listed.retcode:
        raise NodeError("OVS_FAILED", f"the switch's database does not answer: {listed.complaint()}")
    tables = ovsdb.tables(listed.stdout, _TABLES)
    bridges = datapath.bridges(tables["Bridge"], tables["Port"], tables["Controller"])
    interfaces = datapath.interfaces(tables["Interface"])
    internal = {name for name, one in interfaces.items() if one["type"] == "internal"}
    routes = [_ip(["-json", version, "route", "show"]) for version in ("-4", "-6")]
    return {
        "bridges": {name: {**bridge, "flows": _flows(name)} for name, bridge in bridges.items()},
        "interfaces": interfaces,
        "addresses": datapath.addresses(_ip(["-json", "address", "show"]), internal),
        "routes": [one for listing in routes for one in datapath.routes(listing, internal)],
        "ovn": _ovn_connected(),
        "restoring": tables["Open_vSwitch"][0]["other_config"].get("flow-restore-wait") == "true",
    }


def record() -> bool:
    """Write down what works now, before something that may break it; for `verify` afterwards.

    When the node lacks something of an earlier record, that record stays: a change was interrupted, and what
    it lost is still to be brought back. A switch that does not answer is not recorded.

    Returns whether there is a record to verify.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.record
    """
    try:
        now = measured()
    except CommandExecutionError:
        return bool(_recorded())
    if now is None:
        return False
    earlier = _recorded()
    if not (earlier and datapath.differences(earlier["datapath"], now)):
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        StateFile(_RECORD).write({"at": when, "datapath": now})
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
    earlier = _recorded()
    if not earlier:
        return {"verified": False, "waited": 0}
    if lost := waiting.until_whole(lambda: missing(tolerance), timeout, 0.5):
        raise NodeError(
            "DATAPATH_BROKEN",
            f"{__grains__['id']}: after {timeout} s {_some(lost)}; compared with the"
            f" record of {earlier['at']}: bring it back, or accept what is with datapath.forget",
        )
    forget()
    return {"verified": True, "waited": round(time.monotonic() - begun, 1)}


def missing(tolerance: int = datapath.TOLERANCE) -> list[str]:
    """What was recorded and does not work now, one line each; empty without a record.

    tolerance (int): per cent of a bridge's flows that may be missing.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.missing
    """
    earlier = _recorded()
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
    """What is wrong with the data path: controllers that are not connected, and what an interrupted change
    took and did not bring back. One line each; empty when nothing is.

    patience (float): seconds that a controller has to connect.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' datapath.health
    """
    now: dict | None = None

    def away() -> list[str]:
        nonlocal now
        now = measured()
        return datapath.disconnected(now) if now else []

    try:
        disconnected = waiting.until_whole(away, patience)
    except CommandExecutionError as error:
        return [f"data path: {error}"]
    earlier = _recorded()
    lost = datapath.differences(earlier["datapath"], now) if earlier and now else []
    lines = [f"data path: {line}" for line in dict.fromkeys([*disconnected, *lost[:_SHOWN]])]
    if lost:
        lines.append(
            f"data path: not what it was at {earlier['at']}: bring it back, or accept it with datapath.forget"
        )
    return lines


def forget() -> bool:
    """Drop the record, so that nothing of it has to work any more. An operator accepts what is by this.

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
    """Whether ovn-controller is connected, asked at its own control socket; None where there is none."""
    sockets = [one for place in _OVN_SOCKETS for one in sorted(Path(place).glob("ovn-controller.*.ctl"))]
    appctl = ["ovs-appctl", "--timeout=5", "-t"]
    answers = [commands.run(__salt__, [*appctl, str(one), "connection-status"]) for one in sockets]
    # A socket that does not answer belongs to a controller that has ended.
    return any(one.stdout.strip() == "connected" for one in answers) if sockets else None


def _flows(bridge: str) -> int | None:
    command = ["ovs-ofctl", f"--protocols={_VERSIONS}", "--timeout=10", "dump-aggregate", bridge]
    result = commands.run(__salt__, command)
    return None if result.retcode else ovn_chassis.flow_count(result.stdout)


def _recorded() -> dict | None:
    return StateFile(_RECORD).read_or_none()


def _some(lines: list[str]) -> str:
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more


def _ip(arguments: list[str]) -> str:
    return commands.run(__salt__, ["ip", *arguments]).stdout
