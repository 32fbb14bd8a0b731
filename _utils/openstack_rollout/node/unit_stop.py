"""A unit that stops its container by its id for a moment, while two containers change their names.

A unit which starts a container by its name stops it by its name too. When it stops the container by its id,
the next one can take the name first, and one restart of the unit is all that its service is without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands

# Forgotten by a reboot, which ends the container as well.
FOLDER = Path("/run/systemd/system")
# Of all drop-ins of a unit the last name decides (systemd.unit(5)): `systemctl edit` writes override.conf.
_FILE = "zz-openstack-rollout-stop.conf"
_STOPS = re.compile(r"\s*(ExecStop|ExecStopPost)\s*=\s*(.*?)\s*", re.DOTALL)
_CONTINUED = re.compile(r"\\\n\s*")


def by_id(salt: Mapping[str, Any], unit: str, container: str, identity: str) -> bool:
    """Have a unit stop a container by its id. Nothing is stopped.

    salt (dict): the caller's `__salt__`. unit (str): its name. container (str): its name, as the unit's
    commands have it. identity (str): its id.

    Returns whether the unit will; False where its commands do not name the container. Raises
    CommandExecutionError when systemd or the disk refuses. `forget` ends it.
    """
    named = re.compile(rf"(?<!\S){re.escape(container)}(?!\S)")
    stops: dict[str, list[str]] = {"ExecStop": [], "ExecStopPost": []}
    for key, command in _stopping(commands.checked(salt, ["systemctl", "cat", unit])):
        # An empty assignment drops those before it, as in systemd.service(5).
        stops[key] = [*stops[key], command] if command else []
    if not any(named.search(command) for command in stops["ExecStop"]):
        return False
    file = _file(unit)
    lines = [f"{key}={named.sub(identity, one)}" for key, all_of in stops.items() for one in ("", *all_of)]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(("[Service]", *lines, "")), encoding="utf-8")
    except OSError as error:
        raise CommandExecutionError(f"{file}: {error}") from error
    salt["quadlet.reload"]()
    return True


def forget(salt: Mapping[str, Any], unit: str) -> None:
    """Have a unit stop its container as its file says; one that does already is left alone.

    salt (dict): the caller's `__salt__`. unit (str): its name. Raises CommandExecutionError when systemd or
    the disk refuses.
    """
    file = _file(unit)
    if not file.exists():
        return
    try:
        file.unlink()
        if not any(file.parent.iterdir()):
            file.parent.rmdir()
    except OSError as error:
        raise CommandExecutionError(f"{file}: {error}") from error
    salt["quadlet.reload"]()


def _file(unit: str) -> Path:
    return FOLDER / f"{unit}.d" / _FILE


def _stopping(text: str) -> Iterator[tuple[str, str]]:
    """The commands that stop a unit, in the order of its files: (key, command)."""
    for line in _CONTINUED.sub(" ", text).splitlines():
        if match := _STOPS.fullmatch(line):
            yield match[1], match[2]
