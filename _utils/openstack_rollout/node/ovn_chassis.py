"""What an OVN chassis says of itself, read: its settings, how long its flows take, what it still waits for.

Pure functions over the output of ovs-vsctl, ovs-ofctl, ovn-appctl and ovsdb-client, which the guard of OVN's
controller (`_modules/ovn_controller.py`) runs. The settings are those of ovn-controller(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from openstack_rollout.node import ovn_wait

#: With it a controller computes nothing while northd, which moves in a later stage, has another version.
MATCH = "ovn-match-northd-version"
#: How much of what was there before has to be there again; a new version may compute a little less.
SHARE = 0.8
_AGE = re.compile(r"\bduration=([0-9.]+)s\b.*\bactions=")
_INPUT = re.compile(r"\bin_port=(\d+)\b")
_COUNT = re.compile(r"\bflow_count=(\d+)")
_STOPWATCH = re.compile(r"^\s*(Total samples|Maximum): (\d+)", re.M)
_VERSION = re.compile(r"^ovn-controller (\S+)")
_SCHEMA = re.compile(r"^SB DB Schema (\S+)", re.M)
_DESIRED = re.compile(r"\bofctrl_desired_flow_usage-KB:(\d+)")
_KEY_OPTIONS = {
    "-p": "--private-key",
    "--private-key": "--private-key",
    "-c": "--certificate",
    "--certificate": "--certificate",
    "-C": "--ca-cert",
    "--ca-cert": "--ca-cert",
}


def settings(external_ids: Mapping[str, str]) -> dict[str, Any] | None:
    """The chassis of a switch.

    external_ids (dict): of the table Open_vSwitch. A key ending in the chassis' name wins over the plain one.

    Returns {"name", "remote", "bridge", "wait", "match"}, where `wait` is what ovn_wait.SETTING is (str) or
    None: OVN reads it by its plain key alone; and `match` the key under which MATCH is true, "" where it is
    not; None when the switch is not set up as a chassis.
    """
    name = external_ids.get("system-id")
    if not name:
        return None

    def key_of(key: str) -> str:
        own = f"{key}-{name}"
        return own if own in external_ids else key

    remote = external_ids.get(key_of("ovn-remote"))
    if not remote:
        return None
    match = key_of(MATCH)
    return {
        "name": name,
        "remote": remote,
        "bridge": external_ids.get(key_of("ovn-bridge")) or "br-int",
        "wait": external_ids.get(ovn_wait.SETTING),
        "match": match if external_ids.get(match, "").lower() == "true" else "",
    }


def is_of(version: str, northd: str) -> bool:
    """Whether a controller is of the version of which northd is, by all that the controller tells of it.

    version (str): what `ovn-controller --version` prints. northd (str): northd_internal_version of SB_Global.
    """
    own, schema = _VERSION.search(version), _SCHEMA.search(version)
    return bool(own and schema and northd.startswith(f"{own[1]}-{schema[1]}-"))


def stopwatch(text: str) -> int | None:
    """The longest computation of flows (int, ms); None before the first one.

    text (str): what `ovn-appctl stopwatch/show flow-generation` prints.
    """
    found = {key: int(value) for key, value in _STOPWATCH.findall(text)}
    return found.get("Maximum") if found.get("Total samples") else None


def desired_flows(text: str) -> int | None:
    """The size of the flows that a controller has computed (int, KB); None where it does not report it.

    text (str): what `ovn-appctl memory/show` prints.
    """
    match = _DESIRED.search(text)
    return int(match[1]) if match else None


def flow_count(text: str) -> int | None:
    """The number of flows of a bridge (int); None when the text has none.

    text (str): what `ovs-ofctl dump-aggregate` prints.
    """
    match = _COUNT.search(text)
    return int(match[1]) if match else None


def oldest_flow(text: str) -> float | None:
    """The age of the oldest flow (float, seconds); None when there is none.

    text (str): what `ovs-ofctl dump-flows` prints.
    """
    ages = [float(match[1]) for match in map(_AGE.search, text.splitlines()) if match]
    return max(ages, default=None)


def key_options(command_lines: str, ssl: Mapping[str, Any] | None) -> list[str]:
    """The options that let a client reach a database as the controller does, [] without certificates.

    command_lines (str): of the container's processes, one a line. ssl (dict): the row of the switch's table
    SSL, or None.
    """
    found: dict[str, str] = {}
    for line in command_lines.splitlines():
        words = line.split()
        if words and words[0].rsplit("/", 1)[-1] == "ovn-controller":
            found = _options(words)
    for option, column in (
        ("--private-key", "private_key"),
        ("--certificate", "certificate"),
        ("--ca-cert", "ca_cert"),
    ):
        if ssl and ssl.get(column):
            found.setdefault(option, ssl[column])
    return [f"{option}={path}" for option, path in sorted(found.items())]


def interfaces(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The workloads of a switch: {iface-id: the number of its port, or -1}.

    rows (list): of the table Interface, with external_ids and ofport.
    """
    return {
        row["external_ids"]["iface-id"]: row["ofport"] if isinstance(row["ofport"], int) else -1
        for row in rows
        if row["external_ids"].get("iface-id")
    }


def with_flows(text: str, here: Mapping[str, int]) -> list[str]:
    """The iface-ids whose port has a flow of its own (list).

    text (str): what `ovs-ofctl dump-flows … table=0` prints. here (dict): as `interfaces` gives them.
    """
    numbers = {int(number) for number in _INPUT.findall(text)}
    return sorted(name for name, number in here.items() if number in numbers)


def lost(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The ports that were bound or had flows before, and are not now (list). Ports of workloads that are no
    longer on the node do not count.

    before, now (dict): ports, {bound logical port: its type}; with_flows, [iface-id]. now: interfaces, too.
    """
    here = now["interfaces"]
    unbound = {
        port
        for port, kind in (before.get("ports") or {}).items()
        if port not in now["ports"] and (kind or port in here)
    }
    had_flows = before.get("with_flows") or ()
    without_flows = {port for port in had_flows if port in here and port not in now["with_flows"]}
    return sorted(unbound | without_flows)


def waits(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """What a chassis still waits for, a few words each; [] when it is caught up.

    now (dict): connection, chassis (bool), nb_cfg, wanted_nb_cfg, flows, oldest_flow (s), age (of the
    container, s), missing (ports). before (dict): flows, before its controller was stopped.
    """
    found = []
    if now["connection"] != "connected":
        found.append(f"the southbound database ({now['connection'] or 'the controller does not answer'})")
    if not now["chassis"]:
        found.append("its row in the southbound database")
    elif now["nb_cfg"] < now["wanted_nb_cfg"]:
        found.append(f"nb_cfg {now['wanted_nb_cfg']} (it is at {now['nb_cfg']})")
    found += _flow_waits(now, before)
    missing = now["missing"]
    if missing:
        named = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        found.append(f"{len(missing)} of its ports ({named})")
    return found


def _flow_waits(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    if not now["flows"] or now["oldest_flow"] is None:
        return ["its flows (there are none)"]
    if now["age"] is None or now["oldest_flow"] > now["age"]:
        return ["new flows (those of the previous controller are still there)"]
    enough = SHARE * (before.get("flows") or 0)
    if now["flows"] < enough:
        return [f"its flows ({now['flows']} of {before['flows']})"]
    return []


def _options(words: list[str]) -> dict[str, str]:
    found = {}
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in _KEY_OPTIONS:
            following = words[position + 1] if position + 1 < len(words) else ""
            found[_KEY_OPTIONS[name]] = value if equals else following
    return found
