"""The daemons of Ceph on a node, and of which cluster they are: by systemd's units, and by what runs.

Packages and ceph-ansible name units `ceph-osd@0.service`, cephadm `ceph-FSID@osd.0.service`
(https://docs.ceph.com/en/latest/cephadm/operations/). A daemon's process has its name in its arguments,
whatever started it: `--id 0`, `-i 0`, or `-n osd.0`.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from openstack_rollout.node import commands

#: how a daemon's process is called, and its type
PROGRAMS = {
    "ceph-mon": "mon",
    "ceph-mgr": "mgr",
    "ceph-osd": "osd",
    "ceph-mds": "mds",
    "radosgw": "rgw",
}
_TYPES = "mon|mgr|osd|mds|rgw|radosgw"
_FSID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UNITS = (
    re.compile(rf"ceph-(?P<type>{_TYPES})@(?P<id>.+)\.service"),
    re.compile(rf"ceph-(?P<fsid>{_FSID})@(?P<type>{_TYPES})\.(?P<id>.+)\.service"),
)
#: containers of monitors, of cephadm and of ceph-ansible
_MONITORS = re.compile(rf"ceph-(?:{_FSID}-)?mon[-.](?P<id>.+)")
_FSID_DIRECTORY = re.compile(_FSID)
_NAMED = ("-n", "--name")
_NUMBERED = ("-i", "--id")


def of_units(salt: Mapping[str, object]) -> dict[str, set[str]]:
    """The daemons that systemd has units of, running or not: {type: names}.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when systemd does not answer.
    """
    listing = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", "ceph*"]
    found: dict[str, set[str]] = {}
    for line in commands.checked(salt, listing).splitlines():
        unit = line.split()[0] if line.strip() else ""
        for form in _UNITS:
            if match := form.fullmatch(unit):
                found.setdefault(_type(match["type"]), set()).add(match["id"])
    return found


def of_processes(proc: Path) -> tuple[dict[str, set[str]], list[str]]:
    """The daemons that run: {type: names}; and those that do not say their name, a line each.

    proc (Path): /proc.
    """
    found: dict[str, set[str]] = {}
    nameless = []
    for process, program in processes(proc):
        kind = PROGRAMS.get(program)
        if kind is None:
            continue
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if name := _named(arguments):
            found.setdefault(kind, set()).add(name)
        else:
            nameless.append(f"{program}, process {process.name}")
    return found, nameless


def processes(proc: Path) -> Iterable[tuple[Path, str]]:
    """The directories of the processes, each with the process' name.

    proc (Path): /proc.
    """
    for process in proc.glob("[0-9]*"):
        try:
            yield process, (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile


def cluster(library: Path, configuration: Path) -> str:
    """The identifier of the cluster that this node is of, "" when it cannot be told.

    library (Path): /var/lib/ceph. configuration (Path): /etc/ceph/ceph.conf.
    """
    told = {
        path.read_text(encoding="utf-8").strip() for path in library.glob("osd/*/ceph_fsid") if path.is_file()
    }
    told |= {path.name for path in library.glob("*-*") if _FSID_DIRECTORY.fullmatch(path.name)}
    if not told and configuration.is_file():
        parser = configparser.ConfigParser(
            strict=False, interpolation=None, inline_comment_prefixes=("#", ";")
        )
        parser.read_string(configuration.read_text(encoding="utf-8"))
        told = {parser.get("global", "fsid", fallback="").strip()} - {""}
    return told.pop() if len(told) == 1 else ""


def monitor_in(container: str) -> str:
    """The name of the monitor that a container is of, "" when it is of none.

    container (str): its name, as cephadm (`ceph-FSID-mon-HOST`) or ceph-ansible (`ceph-mon-HOST`) gives it.
    """
    match = _MONITORS.fullmatch(container)
    return match["id"] if match else ""


def _type(word: str) -> str:
    return "rgw" if word == "radosgw" else word


def _named(arguments: list[str]) -> str:
    """The name in a daemon's arguments, without its type."""
    for place, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        value = value if equals else "".join(arguments[place + 1 : place + 2])
        if option in _NAMED:
            return value.partition(".")[2]
        if option in _NUMBERED:
            return value
    return ""
