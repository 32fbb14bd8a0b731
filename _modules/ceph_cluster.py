"""Ceph, asked on a node that may: what a node carries of it, how the cluster is, whether daemons may stop.

The cluster is asked by Ceph's own CLI, in JSON: https://docs.ceph.com/en/latest/api/mon_command_api/. The key
stays on the node. Records only: the master judges.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import ceph_daemons, commands
from openstack_rollout.node.errors import NodeError

_PROC = Path("/proc")
_LIBRARY = Path("/var/lib/ceph")
_CONFIGURATION = Path("/etc/ceph/ceph.conf")
_ADMIN = Path("/etc/ceph/ceph.client.admin.keyring")
_LIMIT = 30  # seconds for one question; a cluster without a quorum, or without a manager, never answers
_CONNECT = 10  # seconds of it for the monitors
#: types of which Ceph itself says whether daemons may stop
_ASKED = ("mon", "osd", "mds")


def here() -> dict:
    """What this node carries of Ceph, without asking the cluster.

    Returns {"host": the name under which Ceph knows it, "fsid": of its cluster, "" when that cannot be told,
    "daemons": {type: [names]}, "asks": whether the cluster can be asked on this node}. Raises NodeError
    CEPH_UNREACHABLE when a daemon runs that does not say which one it is.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' ceph_cluster.here
    """
    running, nameless = ceph_daemons.of_processes(_PROC)
    if nameless:
        raise NodeError(
            "CEPH_UNREACHABLE", f"daemons of Ceph that do not say their name: {'; '.join(nameless)}"
        )
    units = ceph_daemons.of_units(__salt__)
    daemons = {kind: sorted(running.get(kind, set()) | units.get(kind, set())) for kind in {*running, *units}}
    return {
        "host": socket.gethostname(),
        "fsid": ceph_daemons.cluster(_LIBRARY, _CONFIGURATION),
        "daemons": daemons,
        "asks": _program() is not None,
    }


def status() -> dict:
    """How the cluster is.

    Returns {"fsid", "health": {"status", "checks": [names]}, "monitors": [names], "quorum": [names],
    "osds": {id: {"up", "in"}}, "noout": [CRUSH hosts and OSDs that have it alone], "flags": [of the whole
    cluster], "groups": {state: how many placement groups}, "left": objects to be recovered}. Raises NodeError
    CEPH_UNREACHABLE, also where no manager answers, who alone knows of the groups.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' ceph_cluster.status
    """
    found, osds = _ask("status"), _ask("osd", "dump")
    monitors = _ask("mon", "dump")["mons"]
    groups = _ask("pg", "stat")["pg_summary"]["num_pg_by_state"]  # by the manager: an old one is no answer
    data = found["pgmap"]
    return {
        "fsid": found["fsid"],
        "health": {"status": found["health"]["status"], "checks": sorted(found["health"]["checks"])},
        "monitors": sorted(one["name"] for one in monitors),
        "quorum": sorted(found["quorum_names"]),
        "osds": {str(one["osd"]): {"up": bool(one["up"]), "in": bool(one["in"])} for one in osds["osds"]},
        "noout": sorted(_alone(osds)),
        "flags": sorted(osds["flags_set"]),
        "groups": {one["name"]: one["num"] for one in groups},
        "left": sum(data.get(f"{word}_objects", 0) for word in ("degraded", "misplaced", "unfound")),
    }


def places() -> dict:
    """Where the cluster's daemons are.

    Returns {"on": {host: {type: [names]}} of those that Ceph knows, managers and object gateways only while
    they run, "crush": {CRUSH host: [ids of OSDs]}}. Raises NodeError CEPH_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' ceph_cluster.places
    """
    listed = {**_ask("node", "ls"), "rgw": _gateways(_ask("service", "dump")["services"])}
    return {"on": _by_host(listed), "crush": _hosts(_ask("osd", "tree")["nodes"])}


def may_stop(sets: Sequence[Mapping[str, Sequence[str]]]) -> list:
    """Whether daemons may stop together, as Ceph itself says (`ok-to-stop`).

    sets (list): {type: [names]} of daemons that would stop together, one for each question.

    Returns for each of them what speaks against it, a line for each type; none of a type that has no such
    question (mgr, rgw: the master judges by `places`). Raises NodeError CEPH_UNREACHABLE, also for a daemon
    that the cluster does not know: Ceph says of any such that it may stop.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' ceph_cluster.may_stop sets='[{osd: ["0"], mon: [sto1]}]'
    """
    known = {
        "osd": {str(one["osd"]) for one in _ask("osd", "dump")["osds"]},
        "mon": {one["name"] for one in _ask("mon", "dump")["mons"]},
    }
    answers = []
    for daemons in sets:
        lines = []
        for kind in _ASKED:
            names = [str(name) for name in daemons.get(kind, ())]
            strangers = sorted(set(names) - known.get(kind, set(names)))
            if strangers:
                raise NodeError("CEPH_UNREACHABLE", f"Ceph knows no {kind} {', '.join(strangers)}")
            if names and (line := _against(kind, names)):
                lines.append(line)
        answers.append(lines)
    return answers


def hold(groups: Sequence[str]) -> list:
    """Keep OSDs that are down from being marked out: `ceph osd set-group noout`, for these alone.

    groups (list): CRUSH hosts, or OSDs as `osd.0`. Returns them. Raises NodeError CEPH_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' ceph_cluster.hold groups='[sto1]'
    """
    return _grouped("set-group", groups)


def release(groups: Sequence[str]) -> list:
    """Undo `hold` of the same groups; no other flag is touched.

    groups (list): as for `hold`. Returns them. Raises NodeError CEPH_UNREACHABLE.

    CLI Example:

    .. code-block:: bash

        salt 'sto1' ceph_cluster.release groups='[sto1]'
    """
    return _grouped("unset-group", groups)


def _grouped(verb: str, groups: Sequence[str]) -> list[str]:
    if groups:
        _said("osd", verb, "noout", *groups)
    return list(groups)


def _against(kind: str, names: Sequence[str]) -> str:
    """What Ceph says against stopping daemons of a type; empty when it says that they may stop."""
    done = _run(kind, "ok-to-stop", *names)
    if done.retcode == 0 and kind != "osd":
        return ""
    answer = _parsed(done.stdout) if kind == "osd" and done.stdout.strip() else {}
    if done.retcode == 0 and answer.get("ok_to_stop") is True:
        return ""
    if done.retcode not in (0, 16):  # EBUSY is its answer; all else is none
        raise _unreachable([kind, "ok-to-stop"], done)
    return f"{kind} {', '.join(names)}: {done.complaint(lines=1)}"


def _hosts(nodes: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    return {
        one["name"]: sorted(str(child) for child in one["children"] if child >= 0)
        for one in nodes
        if one["type"] == "host"
    }


def _gateways(services: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The object gateways that are registered with the manager, by host."""
    found: dict[str, list[str]] = {}
    for key, one in services.get("rgw", {}).get("daemons", {}).items():
        if isinstance(one, Mapping):  # beside them is a summary, a text
            about = one["metadata"]
            found.setdefault(about["hostname"], []).append(about.get("id", key))
    return found


def _by_host(listed: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for kind, hosts in listed.items():
        for host, names in hosts.items():
            found.setdefault(host, {})[kind] = sorted(str(name) for name in names)
    return found


def _alone(osds: Mapping[str, Any]) -> list[str]:
    """What has noout by itself."""
    groups = osds.get("crush_node_flags", {})
    return [name for name, flags in groups.items() if "noout" in flags] + [
        f"osd.{one['osd']}" for one in osds["osds"] if "noout" in one["state"]
    ]


def _ask(*words: str) -> Any:
    return _parsed(_said(*words))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise NodeError("CEPH_UNREACHABLE", f"what Ceph answers is no JSON: {error}") from error


def _said(*words: str) -> str:
    done = _run(*words)
    if done.retcode:
        raise _unreachable(words, done)
    return done.stdout


def _run(*words: str) -> commands.Result:
    program = _program()
    if program is None:
        raise NodeError("CEPH_UNREACHABLE", f"{__grains__['id']} has no key of Ceph, and no monitor")
    options = ["--connect-timeout", str(_CONNECT), "--format", "json"]
    try:
        return commands.run(__salt__, [*program, *options, *words], timeout=_LIMIT)
    except CommandExecutionError as error:
        raise NodeError("CEPH_UNREACHABLE", str(error)) from error


def _unreachable(words: Sequence[str], done: commands.Result) -> NodeError:
    return NodeError("CEPH_UNREACHABLE", f"ceph {' '.join(words[:4])}: {done.complaint(lines=1)}")


def _program() -> list[str] | None:
    """How the cluster is asked on this node, as its administrator or its monitor; None where it cannot be."""
    has = __salt__["cmd.which"]
    if has("ceph") and _ADMIN.is_file():
        return ["ceph"]
    for keyring in sorted(_LIBRARY.glob("mon/*/keyring")):
        if has("ceph"):
            return ["ceph", "--name", "mon.", "--keyring", str(keyring)]
    if inside := _monitors_container():
        return inside
    if has("cephadm") and _ADMIN.is_file():
        return ["cephadm", "shell", "--", "ceph"]
    return None


def _monitors_container() -> list[str] | None:
    """The command in the container of this node's monitor, which has the monitor's own key."""
    for engine in ("podman", "docker"):
        if not __salt__["cmd.which"](engine):
            continue
        listed = commands.run(__salt__, [engine, "ps", "--format", "{{.Names}}"], timeout=_LIMIT)
        for name in listed.stdout.split():
            monitor = ceph_daemons.monitor_in(name)
            if monitor and not listed.retcode:
                # a container's name has no dots
                known = [path.name.removeprefix("mon.") for path in _LIBRARY.glob("*-*/mon.*")]
                monitor = next((one for one in known if one.replace(".", "-") == monitor), monitor)
                keyring = f"/var/lib/ceph/mon/ceph-{monitor}/keyring"
                return [engine, "exec", name, "ceph", "--name", "mon.", "--keyring", keyring]
    return None
