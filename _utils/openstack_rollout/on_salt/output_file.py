"""Files that an operator has a command write on the master: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import state_file


def wanted(output: str) -> Path:
    """The file that an argument `output` names, looked at before anything is done for it.

    A link is followed. Raises RolloutError WRONG_ARGUMENT where its folder is not there, or where something
    else than a file has its name.
    """
    path = Path(output).expanduser()
    try:
        path = path.resolve()
        if not path.parent.is_dir():
            raise _refused(output, f"there is no directory {path.parent}")
        if path.exists() and not path.is_file():
            raise _refused(output, "it is no file" if not path.is_dir() else "it is a directory: name a file")
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that is none
        raise _refused(output, str(getattr(error, "strerror", None) or error)) from error
    return path


def write(path: Path, text: str, mode: int) -> str:
    """Replace a file, whose readers never see half of it; returns its path.

    path: of `wanted`. mode (int): its permissions. Raises RolloutError WRONG_ARGUMENT.
    """
    try:
        state_file.replace(path, text, mode)
    except OSError as error:
        raise _refused(str(path), f"cannot be written: {error.strerror}") from error
    return str(path)


def _refused(output: str, why: str) -> RolloutError:
    return RolloutError("WRONG_ARGUMENT", f"output: {output}: {why}")
