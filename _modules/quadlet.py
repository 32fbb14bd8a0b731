"""Quadlets: the files from which podman's systemd generator makes the unit of a container, and that unit's
life (podman-systemd.unit(5)).

Files of ours carry a header. They also carry a label with the fingerprint of all that makes up the container:
image, arguments, contents of its configuration files. A running container with another label, or none, is not
what the node wants; that is so also after a run that died between writing and restarting.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, quadlet_generator
from openstack_rollout.records import state_file

FOLDER = Path("/etc/containers/systemd")
HEADER = "# Managed by openstack-rollout; changes here are overwritten."
FINGERPRINT = "openstack-rollout.fingerprint"
_NOT_LOADED = 5  # systemctl's exit code for a unit that systemd does not know
_SECTIONS = ("Unit", "Container", "Service", "Install")
# Lines of a unit's journal that the container did not write: of systemd, of conmon, and podman's events and
# ids.
_NOT_ITS_OWN = re.compile(
    r"(?:Start|Stopp)(?:ing|ed) \S+\.service\b|Failed to start \S+\.service\b|[\w@.-]+\.service: "
    r"|conmon [0-9a-f]+ |[0-9a-f]{64}$|\d{4}-\d\d-\d\d .* m=\+\d"
)
_CONTAINER_NAME = re.compile(r"^ContainerName=(.+)$", re.M)


def render(container: str, image: str, quadlet=None, health=None, config_files=()) -> dict[str, str]:
    """The quadlet of a service.

    container (str): the container's name. image (str): reference with a digest. quadlet (dict): what the
    catalogue adds, {section: {key: value or list of values}}. health (dict): {"command": [argument, …]}.
    config_files (list): paths whose contents count as part of the container; absent ones count as empty.

    Returns {"text": the file, "fingerprint": the label that the running container must carry}.
    Raises CommandExecutionError when the health command cannot be written as a quadlet.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.render nova_compute registry.example/nova-compute@sha256:…
    """
    sections: dict[str, dict] = {name: {} for name in _SECTIONS}
    sections["Unit"] = {"Description": f"OpenStack service {container}"}
    sections["Service"] = {"Restart": "always", "RestartSec": "2"}
    sections["Install"] = {"WantedBy": "multi-user.target"}
    for name, values in (quadlet or {}).items():
        sections.setdefault(name, {}).update(values or {})
    own = {"ContainerName": container, "Image": image}
    if (health or {}).get("command"):
        own["HealthCmd"] = _health_command(health["command"])
    sections["Container"] = {**sections["Container"], **own}
    fingerprint = _fingerprint(_text(sections), config_files)
    labels = _as_list(sections["Container"].get("Label"))
    sections["Container"]["Label"] = [*labels, f"{FINGERPRINT}={fingerprint}"]
    return {"text": f"{HEADER}\n{_text(sections)}", "fingerprint": fingerprint}


def label() -> str:
    """The label under which a container carries its fingerprint (str).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.label
    """
    return FINGERPRINT


def header() -> str:
    """The first line of the quadlets that are ours (str).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.header
    """
    return HEADER


def path(container: str) -> str:
    """Where the quadlet of a container is kept (str).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.path nova_compute
    """
    return str(FOLDER / f"{container}.container")


def read(container: str) -> str | None:
    """The text of a container's quadlet (str), None when there is none.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.read nova_compute
    """
    try:
        return Path(path(container)).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def managed() -> dict[str, str]:
    """The quadlets on this node that are ours.

    Returns {container: name of its unit}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.managed
    """
    found = {}
    for file in sorted(FOLDER.glob("*.container")):
        text = file.read_text(encoding="utf-8")
        if text.startswith(HEADER):
            name = _CONTAINER_NAME.search(text)
            found[name.group(1) if name else file.stem] = f"{file.stem}.service"
    return found


def write(container: str, text: str) -> None:
    """Put a container's quadlet in place and let systemd make its unit; nothing is restarted.

    container (str): its name. text (str): as `render` gives it.

    The text of the last proven container is kept until `accept`, over any number of writes. When the new
    container fails, `restore` goes back to it, also after a run that died.
    Raises CommandExecutionError when systemd or the disk refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.write nova_compute '…'
    """
    before = read(container)
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        if before not in (None, text) and not _proven(container).exists():
            state_file.replace(_proven(container), before)
        state_file.replace(Path(path(container)), text)
    except OSError as error:
        raise CommandExecutionError(f"{path(container)}: {error}") from error
    reload()


def prove(container: str, text: str) -> None:
    """Make sure that the node's own generator makes a unit of a quadlet, before it is put in place.

    container (str): its name. text (str): as `render` gives it.

    Raises NodeError DEFINITION_REFUSED with the generator's line.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.prove nova_compute '…'
    """
    quadlet_generator.unit_of(__salt__, Path(path(container)), text)


def accept(container: str) -> None:
    """Record that the container of a quadlet is proven: the text that it replaced is not kept any more.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.accept nova_compute
    """
    _proven(container).unlink(missing_ok=True)


def restore(container: str) -> bool:
    """Put the last proven quadlet of a container back, or remove the new one when there was none.

    container (str): its name.

    Returns whether there was one. Raises CommandExecutionError when systemd or the disk refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.restore nova_compute
    """
    try:
        os.replace(_proven(container), path(container))
    except FileNotFoundError:
        remove(container)
        return False
    except OSError as error:
        raise CommandExecutionError(f"{path(container)}: {error}") from error
    reload()
    return True


def has_previous(container: str) -> bool:
    """Whether `restore` has a proven text to go back to.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.has_previous nova_compute
    """
    return _proven(container).exists()


def remove(container: str) -> None:
    """Remove a container's quadlet, and so its unit; nothing is stopped.

    container (str): its name. Raises CommandExecutionError when systemd refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.remove swift_proxy
    """
    Path(path(container)).unlink(missing_ok=True)
    _proven(container).unlink(missing_ok=True)
    reload()


def reload() -> None:
    """Let systemd read its units, and the generator the quadlets, again.

    Raises CommandExecutionError when systemd refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.reload
    """
    _systemctl("daemon-reload")


def restart(unit: str) -> None:
    """Restart a unit, and wait only until systemd calls it started.

    unit (str): its name. Raises CommandExecutionError when the start fails.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.restart nova_compute.service
    """
    # An earlier failure must not make systemd refuse this start by its rate limit.
    commands.run(__salt__, ["systemctl", "reset-failed", unit])
    _systemctl("restart", unit)


def stop(unit: str) -> None:
    """Stop a unit; one that does not run is no error.

    unit (str): its name. Raises CommandExecutionError when systemd cannot stop it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.stop swift_proxy.service
    """
    result = commands.run(__salt__, ["systemctl", "stop", unit])
    if result.retcode not in (0, _NOT_LOADED):
        raise CommandExecutionError(f"systemctl stop {unit}: {result.complaint()}")


def ended(unit: str) -> str | None:
    """Whether a unit that was started has ended since, also when systemd has already started it again.

    unit (str): its name.

    Returns how it ended (str), None while it runs. Raises CommandExecutionError when systemd does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.ended nova_compute.service
    """
    text = _systemctl("show", unit, "--property=ActiveState,SubState,NRestarts,Result,ExecMainStatus")
    state = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    alive = state.get("ActiveState") in ("active", "activating", "reloading")
    restarts = int(state.get("NRestarts") or 0)
    if alive and state.get("SubState") != "auto-restart":
        return f"restarted {restarts} times" if restarts else None
    return f"{state.get('SubState')}, {state.get('Result')}, status {state.get('ExecMainStatus')}"


def masked(*units: str) -> list[str]:
    """Those of some units that an operator has masked, so that nothing starts them.

    units (str): their names. Raises CommandExecutionError when systemd does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.masked edpm_nova_compute.service edpm_iscsid.service
    """
    if not units:
        return []
    # systemd answers in the order of the question, a line and an empty one for each unit.
    states = _systemctl("show", *units, "--property=LoadState", "--value").split()
    return [unit for unit, state in zip(units, states, strict=True) if state == "masked"]


def log(unit: str, since: float, lines: int = 12) -> str:
    """The last lines that a unit's container wrote; those of systemd and podman when it wrote none.

    unit (str): its name. since (float): seconds since the epoch; older lines are not given. lines (int): how
    many at most.

    Returns at most 2000 characters (str), "" when nothing was written.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' quadlet.log nova_compute.service 1790000000
    """
    # Rounded down: a container that ends at once writes within the second of its start.
    arguments = ["-u", unit, "-n", str(10 * lines), f"--since=@{int(since)}", "--no-pager", "-o", "cat"]
    written = commands.run(__salt__, ["journalctl", *arguments]).stdout.strip().splitlines()
    own = [line for line in written if not _NOT_ITS_OWN.match(line)] or written
    return "\n".join(own[-lines:])[-2000:]


def _proven(container: str) -> Path:
    return FOLDER / f".{container}.proven"


def _health_command(command: list[str]) -> str:
    if not any(re.search(r"\s", argument) for argument in command):
        return " ".join(["CMD", *command])
    if len(command) == 1:
        raise CommandExecutionError(f"health command {command[0]!r}: give its arguments as a list")
    # podman reads a list of two or more as arguments; a single one it would run by a shell of the image.
    return json.dumps(command)


def _fingerprint(text: str, config_files) -> str:
    digest = hashlib.sha256(text.encode())
    for file in sorted(config_files):
        content = Path(file).read_bytes() if Path(file).is_file() else b""
        digest.update(file.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]


def _text(sections: dict[str, dict]) -> str:
    order = [*_SECTIONS, *sorted(set(sections) - set(_SECTIONS))]
    blocks = []
    for name in order:
        lines = [f"{key}={item}" for key in sorted(sections[name]) for item in _as_list(sections[name][key])]
        if lines:
            blocks.append("\n".join([f"[{name}]", *lines]) + "\n")
    return "\n".join(blocks)


def _as_list(value) -> list[str]:
    if value is None:
        return []
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]


def _systemctl(*arguments: str) -> str:
    return commands.checked(__salt__, ["systemctl", *arguments])
