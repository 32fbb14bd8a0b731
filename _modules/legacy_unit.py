"""Units with which earlier installers (edpm_*, tripleo_*) ran the same services, and their containers.

As long as such a unit is enabled, it would start the old container again beside the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from openstack_rollout.node import commands

FOLDER = Path("/etc/systemd/system")


def present(units: Iterable[str]) -> list[str]:
    """Those of the units that exist on this node.

    units (list): names without `.service`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' legacy_unit.present '[edpm_nova_compute]'
    """
    return [unit for unit in units if _exists(unit)]


def stop(units: Iterable[str]) -> None:
    """Stop and disable units; their files stay, so that `start` can start them again.

    units (list): names without `.service`. Raises CommandExecutionError when systemd refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' legacy_unit.stop '[edpm_nova_compute]'
    """
    for unit in units:
        _systemctl("disable", "--now", f"{unit}.service")


def start(units: Iterable[str]) -> None:
    """Enable and start units again.

    units (list): names without `.service`. Raises CommandExecutionError when systemd refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' legacy_unit.start '[edpm_nova_compute]'
    """
    for unit in units:
        _systemctl("enable", "--now", f"{unit}.service")


def remove(units: Iterable[str]) -> None:
    """Remove units that are stopped, and the containers named like them; their images stay.

    units (list): names without `.service`. Raises CommandExecutionError when systemd or podman refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' legacy_unit.remove '[edpm_nova_compute]'
    """
    for unit in units:
        __salt__["podman.remove"](unit)
        _file(unit).unlink(missing_ok=True)
    _systemctl("daemon-reload")


def _exists(unit: str) -> bool:
    """Whether a unit is here; a link to /dev/null only says that its name is masked (systemctl(1))."""
    file = _file(unit)
    return file.exists() and not file.is_char_device()


def _file(unit: str) -> Path:
    return FOLDER / f"{unit}.service"


def _systemctl(*arguments: str) -> None:
    commands.checked(__salt__, ["systemctl", *arguments])
