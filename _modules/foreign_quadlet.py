"""Containers that are run by quadlets of another tool, such as EDPM's edpm_X.container: only the line of the
image changes.

A carrier; the contract is in node/carriers.py. What the file makes of a unit is proven with the node's own
generator before anything stops (podman-systemd.unit(5)).
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import own_container, quadlet_generator
from openstack_rollout.node.errors import NodeError

_ENGINE = "podman"
# Where quadlets are: the administrators' folder, and those of packages and of what lasts until a reboot.
_FOLDERS = (quadlet_generator.FOLDER, Path("/run/containers/systemd"), Path("/usr/share/containers/systemd"))
_IMAGE = re.compile(r"^(\s*Image\s*=\s*)(\S.*?)(\s*)$")
_NAME = re.compile(r"^\s*ContainerName\s*=\s*(\S+)\s*$")
_SERVICE = re.compile(r"^\s*ServiceName\s*=\s*(\S+)\s*$")
_SECTION = re.compile(r"^\s*\[([\w-]+)\]\s*$")
_SUFFIX = ".container"
_USERS = "users"  # the folder of quadlets of other users than root
_UNIT = "PODMAN_SYSTEMD_UNIT"  # the label of what a quadlet runs


def __virtual__():
    """Only where our podman module works."""
    return ("podman.containers" in __salt__) or (False, "podman is not installed")


def carried() -> dict[str, dict]:
    """The containers of the node's quadlets, running or not.

    Returns {container: {"unit", "engine", "image", "journal", "file"}}. A quadlet that names no image is left
    out, and one whose container another unit runs.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.carried
    """
    found: dict[str, dict] = {}
    there = __salt__["podman.containers"](known=True)
    for folder in reversed(_FOLDERS):
        for file in sorted(folder.rglob(f"*{_SUFFIX}")) if folder.is_dir() else ():
            images = _said(file, _IMAGE, 2)
            if not images or _USERS in file.relative_to(folder).parts:
                continue
            name = (_said(file, _NAME, 1) or [f"systemd-{file.stem}"])[-1]
            unit = f"{(_said(file, _SERVICE, 1) or [file.stem])[-1]}.service"
            runs = there.get(name, {}).get("labels", {}).get(_UNIT, unit if name not in there else "")
            if runs != unit:
                continue  # another unit's, whatever this file says
            record = {"unit": unit, "engine": _ENGINE, "image": images[-1], "journal": True}
            found[name] = {**record, "file": str(file)}
    return found


def prepare(container: str, image: str) -> dict:
    """Prove that the quadlet with another image makes the same unit but for the image. Touches nothing.

    container (str): its name. image (str): reference with a digest.

    Returns the token. Raises NodeError DEFINITION_REFUSED; UNIT_MASKED, or CONTAINER_FOREIGN where another
    file than the generator's is its unit.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.prepare ovn_controller registry.example/ovn-controller@sha256:…
    """
    found = carried()[container]
    file = Path(found["file"])
    if not file.is_relative_to(quadlet_generator.FOLDER):
        raise _refused(f"{file} is not the administrators': copy it to {quadlet_generator.FOLDER}")
    text = _read(file)
    after, was = _with_image(file, text, image)
    for drop_in in sorted(Path(f"{file}.d").glob("*.conf")):
        if _said(drop_in, _IMAGE, 2):
            raise _refused(f"{container}: {drop_in} names an image too: remove that line")
    own_container.require_own_unit(__salt__, container, found["unit"])
    made = quadlet_generator.unit_of(__salt__, file, text, found["unit"])
    new = quadlet_generator.unit_of(__salt__, file, after, found["unit"])
    if image not in new:
        raise _refused(f"{container}: another file than {file} decides its image: remove that line")
    if made.replace(was, image) != new:
        raise _refused(f"{container}: with the new image {file} would make another unit")
    token = {"unit": found["unit"], "engine": _ENGINE, "file": str(file), "was": was, "image": image}
    runs = __salt__["podman.container"](container) is not None
    return {**token, "definition": __salt__["podman.definition"](container) if runs else None}


def define(container: str, token: dict) -> None:
    """Write the image into the quadlet, for the next time that its unit starts.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.define nova_compute_init '{…}'
    """
    _put(token["file"], token["image"])


def replace(container: str, token: dict) -> None:
    """Write the image into the quadlet, and restart its unit.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.replace ovn_controller '{…}'
    """
    _put(token["file"], token["image"])
    __salt__["quadlet.restart"](token["unit"])


def put_back(container: str, token: dict) -> None:
    """Write the quadlet as it was, and restart its unit where the other image may run.

    A file that names neither image any more is somebody else's work, and stays.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.put_back ovn_controller '{…}'
    """
    _put(token["file"], token["was"], instead_of=token["image"])
    if token["definition"] is None:
        __salt__["quadlet.stop"](token["unit"])
        return
    now = __salt__["podman.container"](container)
    other = __salt__["podman.image_ids"]([token["image"]]).get(token["image"])
    if now is None or not now["running"] or now["image_id"] == other:
        __salt__["quadlet.restart"](token["unit"])


def accept(container: str, token: dict) -> None:
    """The container with the new image is proven; there is nothing to drop.

    container (str): its name. token (dict): of `prepare`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.accept ovn_controller '{…}'
    """


def discard(container: str, token: dict) -> None:
    """Nothing was made by `prepare`.

    container (str): its name. token (dict): of `prepare`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' foreign_quadlet.discard ovn_controller '{…}'
    """


def _said(file: Path, pattern: re.Pattern[str], group: int) -> list[str]:
    """What lines of a file's section [Container] say."""
    section, found = "", []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if named := _SECTION.match(line):
            section = named.group(1)
        elif section == "Container" and (said := pattern.match(line)):
            found.append(said.group(group))
    return found


def _with_image(file: Path, text: str, image: str) -> tuple[str, str]:
    """The text with another image, byte for byte the same otherwise, and the image that it had."""
    lines, section, found = text.splitlines(keepends=True), "", []
    for number, line in enumerate(lines):
        if named := _SECTION.match(line):
            section = named.group(1)
        elif section == "Container" and _IMAGE.match(line):
            found.append(number)
    if len(found) != 1:
        raise _refused(f"{file} has {len(found)} lines of Image=, not one")
    head, was, tail = _IMAGE.match(lines[found[0]]).groups()
    if was.endswith((".image", ".build")):
        raise _refused(f"{file} takes its image from {was}: name the image in {file} itself")
    if "%" in was or was.endswith("\\"):
        raise _refused(f"{file}: Image={was} is no plain reference: name the image itself")
    lines[found[0]] = f"{head}{image}{tail}"
    return "".join(lines), was


def _read(file: Path) -> str:
    # A comment may be in any encoding: what is not UTF-8 stays as it is.
    return file.read_bytes().decode(errors="surrogateescape")


def _put(name: str, image: str, instead_of: str = "") -> None:
    """Have a quadlet name an image; its owner, its mode and its label stay.

    instead_of: the only image that is replaced, "" for any.
    """
    file = Path(name).resolve()
    aside = file.with_name(f".{file.name}.new")
    try:
        after, was = _with_image(file, _read(file), image)
        if was == image or (instead_of and was != instead_of):
            return
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
            new.write(after.encode(errors="surrogateescape"))
        shutil.copystat(file, aside)
        owner = file.stat()
        os.chown(aside, owner.st_uid, owner.st_gid)
        os.utime(aside)
        aside.replace(file)
    except OSError as error:
        raise CommandExecutionError(f"{file}: {error}") from error
    __salt__["quadlet.reload"]()


def _refused(text: str) -> NodeError:
    return NodeError("DEFINITION_REFUSED", text)
