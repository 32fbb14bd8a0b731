"""Have the installed ovs-vswitchd run in place of the old one, on a userspace data path, with hardly a pause.

A userspace data path stops while no ovs-vswitchd runs. The switch's own reload starts the new one first and
then restores its flows. Here the new switch and its flows are ready before the old one ends
(node/switch_handover). The kernel's data path goes on forwarding during a reload, so there the switch's own
reload is as good, and far more widely used.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from openstack_rollout.node import commands, ovsdb, switch_handover
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.switch_handover import handover
from openstack_rollout.records.state_file import StateFile

_UNIT = "ovs-vswitchd.service"
_DROP_IN = Path(f"/run/systemd/system/{_UNIT}.d/50-openstack-rollout-handover.conf")
_REPORT = Path("/run/openstack-rollout-handover.json")
_TABLES = {
    "Bridge": "name,datapath_type,protocols",
    "Interface": "name,type",
    "Open_vSwitch": "dpdk_initialized",
}
_OWN_DRIVERS = ("dpdk", "afxdp")  # interfaces that a second process cannot open, or that need a tidy end


def obstacle() -> str | None:
    """Why the switch of this node cannot be handed over (a text), None when it can.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs_handover.obstacle
    """
    found = _tables()
    bridges, interfaces, switch = found["Bridge"], found["Interface"], found["Open_vSwitch"][0]
    kernels = sorted(one["name"] for one in bridges if one["datapath_type"] != "netdev")
    if kernels or not bridges:
        return f"the kernel forwards for {', '.join(kernels)}" if kernels else "there is no bridge"
    if switch["dpdk_initialized"]:
        return "DPDK is initialised, which only one process at a time can use"
    driven = sorted(one["name"] for one in interfaces if str(one["type"]).startswith(_OWN_DRIVERS))
    if driven:
        return f"interfaces have drivers of their own: {', '.join(driven)}"
    spoken = {one["name"]: one["protocols"] for one in bridges}
    older = sorted(name for name, some in spoken.items() if some and "OpenFlow15" not in some)
    return f"bridges do not speak OpenFlow15: {', '.join(older)}" if older else None


def reload(schema: str = "") -> dict:
    """Have a new switch take over bridges, flows, groups and meters, and the service follow it.

    Call it only where there is no `obstacle`.

    schema (str): the file of the installed schema, to renew the database's server together with the switch;
    "" leaves the server alone.

    Returns {"outcome": "done" or "not possible", "step", "error": why it is not possible, "gap": seconds
    without flows, "flows": {bridge: number}, "late": [tunnels that BFD does not find alive any more]};
    nothing was touched where it is not possible.
    Raises NodeError OVS_FAILED when it failed, which says whether the old switch goes on.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs_handover.reload
    """
    try:
        _REPORT.unlink(missing_ok=True)
        _DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        place = Path(switch_handover.__file__).parents[3]
        program = [sys.executable, "-P", "-m", switch_handover.__name__]
        words = ["/usr/bin/env", f"PYTHONPATH={place}", *program, str(_REPORT), str(_DROP_IN)]
        words += [schema] if schema else []
        line = " ".join(json.dumps(word.replace("%", "%%").replace("$", "$$")) for word in words)
        _DROP_IN.write_text(f"[Service]\nExecReload=\nExecReload={line}\n", encoding="utf-8")
        _systemctl("daemon-reload")
        complaint = _systemctl("reload", _UNIT)
    except OSError as error:
        raise NodeError("OVS_FAILED", f"{error}") from error
    finally:
        _tidy()
    report = StateFile(_REPORT).read_or_none() or {}
    outcome = report.get("outcome")
    if outcome == switch_handover.NOT_POSSIBLE:
        return report
    if outcome != switch_handover.DONE or report["error"]:
        goes_on = "; the old switch goes on" if outcome == switch_handover.NOTHING_TOUCHED else ""
        raise NodeError(
            "OVS_FAILED", f"the switch was not handed over: {report.get('error') or complaint}{goes_on}"
        )
    return report


def _tidy() -> None:
    # A program that was killed leaves a switch that waits, a database server that is stopped, and tunnels
    # that count as alive whatever BFD says.
    handover.end_strays()
    normal = ["--target=ovs-vswitchd", "bfd/set-forwarding", "normal"]
    commands.run(__salt__, ["ovs-appctl", "--timeout=10", *normal])
    _DROP_IN.unlink(missing_ok=True)
    if _DROP_IN.parent.exists() and not any(_DROP_IN.parent.iterdir()):
        _DROP_IN.parent.rmdir()
    _systemctl("daemon-reload")


def _tables() -> dict[str, list[dict]]:
    """The bridges, the interfaces, and the switch itself, as rows of its database."""
    done = commands.run(__salt__, ["ovs-vsctl", "--timeout=10", *ovsdb.listing(_TABLES)])
    if done.retcode:
        raise NodeError("OVS_FAILED", f"the switch's database does not answer: {done.complaint()}")
    return ovsdb.tables(done.stdout, _TABLES)


def _systemctl(*arguments: str) -> str:
    """What systemctl complains of; its report says more than its exit status."""
    return commands.run(__salt__, ["systemctl", *arguments]).complaint()
