"""Which unit starts a container that was created beforehand: `podman start X`, `docker start -a X`.

Older installers write such units (TripleO's tripleo_X.service, kolla-ansible's kolla-X-container.service).
Their files and drop-ins are read, since systemd tells nothing of a unit that is not loaded.
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError

# Programs of installers that start the container of that name, and the engine that they use: TripleO's for
# units that wait for others.
_HELPERS = {"tripleo-start-podman-container": "podman"}
_CONTINUED = re.compile(r"\\\n\s*")
#: The first one wins, as in systemd.unit(5).
FOLDERS = (Path("/etc/systemd/system"), Path("/run/systemd/system"), Path("/usr/lib/systemd/system"))


def of(salt: Mapping[str, Any], program: str) -> dict[str, str]:
    """The units that start containers with a program: {container: unit}.

    salt (dict): the caller's `__salt__`. program (str): podman or docker. Of several units that start one
    container the one that is active counts.
    """
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    for folder in FOLDERS:
        for file in sorted(folder.glob("*.service")):
            if file.name not in seen:
                seen.add(file.name)
                if name := _container(_started(file), program):
                    found.setdefault(name, []).append(file.name)
    return {name: units[0] if len(units) == 1 else _active(salt, units) for name, units in found.items()}


def require_active(salt: Mapping[str, Any], unit: str, container: str) -> None:
    """Make sure that a container which runs is run by its unit: a restart of that has to end it.

    salt (dict): the caller's `__salt__`. unit, container (str): their names. Raises NodeError
    DEFINITION_REFUSED.
    """
    state = commands.run(salt, ["systemctl", "is-active", unit]).stdout.strip()
    if state not in ("active", "reloading"):
        raise NodeError(
            "DEFINITION_REFUSED",
            f"{container} runs, but {unit} is {state}: stop the container and start it by its unit",
        )


def _active(salt: Mapping[str, Any], units: list[str]) -> str:
    """The first of the units that is active, else the first."""
    states = commands.run(salt, ["systemctl", "is-active", *units]).stdout.split()
    return next((unit for unit, state in zip(units, states, strict=False) if state == "active"), units[0])


def _started(file: Path) -> str:
    """What a unit starts: the last word of its file and of its drop-ins, "" where it is masked."""
    drop_ins = {
        drop_in.name: drop_in
        for folder in reversed(FOLDERS)
        for drop_in in (folder / f"{file.name}.d").glob("*.conf")
    }
    command = ""
    for one in (file, *(drop_ins[name] for name in sorted(drop_ins))):
        command = _said(one, command)
    return command


def _said(file: Path, before: str) -> str:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return before  # a link that leads nowhere, or to /dev/null: a masked unit
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#", ";"))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        unit.read_string(_CONTINUED.sub(" ", text))
    except configparser.Error:
        return before
    return unit.get("Service", "ExecStart", fallback=before)


def _container(command: str, program: str) -> str | None:
    """The container that a command line starts: `start` and one name beside options."""
    try:
        words = shlex.split(command.lstrip("-@:+!"))
    except ValueError:
        return None
    called = Path(words[0]).name if words else ""
    if _HELPERS.get(called) == program and len(words) == 2:
        return words[1]
    if len(words) < 3 or called != program:
        return None
    rest = words[2:] if words[1] == "start" else words[3:] if words[1:3] == ["container", "start"] else []
    names = [word for word in rest if not word.startswith("-")]
    return names[0] if len(names) == 1 else None
