"""Units that systemd must not restart for a moment, while a guard has their container end by itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from salt.exceptions import CommandExecutionError

# Forgotten by a reboot, after which there is nothing left to hold.
FOLDER = Path("/run/systemd/system")


def hold(units: Iterable[str]) -> None:
    """Have systemd not start these units again by itself (`Restart=no`). Nothing is stopped.

    units (list): their names, with or without `.service`. Raises CommandExecutionError when systemd or the
    disk refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' unit_hold.hold '[ovn_controller.service]'
    """
    try:
        for file in _files(units):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("[Service]\nRestart=no\n", encoding="utf-8")
    except OSError as error:
        raise CommandExecutionError(f"{FOLDER}: {error}") from error
    __salt__["quadlet.reload"]()


def release(units: Iterable[str], reload: bool = True) -> None:
    """End the hold of units; those that are not held are left alone.

    units (list): their names, with or without `.service`. reload (bool): False where the caller has systemd
    read its units again in any case, before it starts one. Raises CommandExecutionError when systemd or the
    disk refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' unit_hold.release '[ovn_controller.service]'
    """
    held = [file for file in _files(units) if file.exists()]
    if not held:
        return
    try:
        for file in held:
            file.unlink(missing_ok=True)
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
    except OSError as error:
        raise CommandExecutionError(f"{FOLDER}: {error}") from error
    if reload:
        __salt__["quadlet.reload"]()


def _files(units: Iterable[str]) -> list[Path]:
    names = [unit if unit.endswith(".service") else f"{unit}.service" for unit in units]
    return [FOLDER / f"{name}.d" / "zz-openstack-rollout-hold.conf" for name in names]
