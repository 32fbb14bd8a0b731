"""Which unit starts a container that was created beforehand: `podman start X`, `docker start -a X`.

Older installers write such units (TripleO's tripleo_X.service, kolla-ansible's kolla-X-container.service).
Their files are read, since systemd tells nothing of a unit that is not loaded.
"""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Iterator
from pathlib import Path

# Programs of installers that start the container of that name, and the engine that they use: TripleO's for
# units that wait for others.
_HELPERS = {"tripleo-start-podman-container": "podman"}
#: The first one wins, as in systemd.unit(5).
FOLDERS = (Path("/etc/systemd/system"), Path("/run/systemd/system"), Path("/usr/lib/systemd/system"))


def of(program: str) -> dict[str, str]:
    """The units that start containers with a program: {container: unit}.

    program (str): podman or docker.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for folder in FOLDERS:
        for file in sorted(folder.glob("*.service")):
            if file.name in seen:
                continue
            seen.add(file.name)
            for command in _started(file):
                if name := _container(command, program):
                    found.setdefault(name, file.name)
    return found


def _started(file: Path) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # a link that leads nowhere, or to /dev/null: a masked unit
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#", ";"))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        unit.read_string(text)
    except configparser.Error:
        return
    if unit.has_option("Service", "ExecStart"):
        yield unit.get("Service", "ExecStart")


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
