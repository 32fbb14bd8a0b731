"""Have the installed ovs-vswitchd run in place of the old one, with hardly a pause on a userspace data path.

A userspace data path stops while no ovs-vswitchd runs, and the switch's own reload first starts the new one
and then its flows. Here both are ready before the old one ends (`switch_handover`). The kernel's data path
goes on forwarding meanwhile, so there the switch's own reload is as good, and proven by many more.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from openstack_rollout.node import datapath, switch_handover
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.switch_handover import handover

_UNIT = "ovs-vswitchd.service"
_DROP_IN = Path(f"/run/systemd/system/{_UNIT}.d/50-openstack-rollout-handover.conf")
_REPORT = Path("/run/openstack-rollout-handover.json")
_OWN_DRIVERS = ("dpdk", "afxdp")  # interfaces that a second process cannot open, or that need a tidy end


def obstacle() -> str | None:
    """Why the switch of this node cannot be handed over (a text), None when it can.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs_handover.obstacle
    """
    bridges, interfaces, switch = _tables()
    kernels = sorted(one["name"] for one in bridges if one["datapath_type"] != "netdev")
    if kernels or not bridges:
        return f"the kernel forwards for {', '.join(kernels)}" if kernels else "there is no bridge"
    if switch["dpdk_initialized"]:
        return "DPDK is initialised, which one process alone can be"
    driven = sorted(one["name"] for one in interfaces if str(one["type"]).startswith(_OWN_DRIVERS))
    if driven:
        return f"interfaces have drivers of their own: {', '.join(driven)}"
    spoken = {one["name"]: one["protocols"] for one in bridges}
    older = sorted(name for name, some in spoken.items() if some and "OpenFlow15" not in some)
    return f"bridges do not speak OpenFlow15: {', '.join(older)}" if older else None


def reload(schema: str = "") -> dict:
    """Have a new switch take over bridges, flows, groups and meters, and the service follow it.

    Only where there is no `obstacle`.

    schema (str): the file of the installed schema, to have the database's server renewed with the switch.

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
        said = _systemctl("reload", _UNIT)
    except OSError as error:
        raise NodeError("OVS_FAILED", f"{error}") from error
    finally:
        _tidy()
    report = _read()
    outcome = report.get("outcome")
    if outcome == switch_handover.NOT_POSSIBLE:
        return report
    if outcome != switch_handover.DONE or report["error"]:
        goes_on = "; the old switch goes on" if outcome == switch_handover.NOTHING_TOUCHED else ""
        raise NodeError(
            "OVS_FAILED", f"the switch was not handed over: {report.get('error') or said}{goes_on}"
        )
    return report


def _tidy() -> None:
    # What a program that was killed would leave: a switch that waits, a database that stands still, and
    # tunnels taken for alive whatever BFD says.
    handover.end_strays()
    _run(["ovs-appctl", "--timeout=10", "--target=ovs-vswitchd", "bfd/set-forwarding", "normal"])
    _DROP_IN.unlink(missing_ok=True)
    if _DROP_IN.parent.exists() and not any(_DROP_IN.parent.iterdir()):
        _DROP_IN.parent.rmdir()
    _systemctl("daemon-reload")


def _read() -> dict:
    try:
        return json.loads(_REPORT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _tables() -> list:
    """The bridges, the interfaces, and the switch itself, as rows of its database."""
    asked = [
        *("ovs-vsctl", "--timeout=10", "--format=json"),
        *("--", "--columns=name,datapath_type,protocols", "list", "Bridge"),
        *("--", "--columns=name,type", "list", "Interface"),
        *("--", "--columns=dpdk_initialized", "list", "Open_vSwitch"),
    ]
    done = _run(asked)
    if done["retcode"]:
        raise NodeError("OVS_FAILED", f"the switch's database does not answer: {done['stderr'].strip()}")
    bridges, interfaces, switch = (
        datapath.rows(line) for line in done["stdout"].splitlines() if line.strip()
    )
    return [bridges, interfaces, switch[0]]


def _systemctl(*arguments: str) -> str:
    return _run(["systemctl", *arguments])["stderr"].strip()[-300:]


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
