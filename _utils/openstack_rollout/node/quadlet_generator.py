"""The node's own quadlet generator, asked what it makes of a file before that file is in place.

podman's systemd generator drops a unit without a word for one key that it does not know
(podman-systemd.unit(5)); which keys it knows depends on the node's podman.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.errors import one_line
from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError

#: Where administrators keep quadlets.
FOLDER = Path("/etc/containers/systemd")
# Of what lasts until a reboot, and of packages: volumes, networks and drop-ins of these count too.
_OTHER_FOLDERS = ("/run/containers/systemd", "/usr/share/containers/systemd")
_PROGRAMS = (
    *("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet"),
    "/usr/lib/systemd/system-generators/podman-system-generator",
)
_PATIENCE = 60  # seconds for the generator to answer
_LINES = 3  # of the generator's complaint


def unit_of(salt: Mapping[str, Any], file: Path, text: str, unit: str = "") -> str:
    """The unit that the generator makes of a quadlet of this text, beside all others of the node.

    salt (dict): the caller's `__salt__`. file (Path): the quadlet's place below FOLDER. text (str): all of
    it. unit (str): the unit's name, "" where it is called as the file.

    Raises NodeError DEFINITION_REFUSED with the generator's own line where it makes none, and where FOLDER
    cannot be copied for it.
    """
    program = next((one for one in _PROGRAMS if Path(one).exists()), None)
    if program is None:
        raise NodeError("DEFINITION_REFUSED", f"{file}: this node's podman has no quadlet generator")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "systemd"
        try:
            _copy_with(copy, file, text)
        except OSError as error:
            said = one_line(str(error))  # shutil's has each file in it
            raise NodeError("DEFINITION_REFUSED", f"{file}: {FOLDER} is not copied: {said}") from error
        done = commands.run(
            salt,
            [program, "-dryrun"],
            timeout=_PATIENCE,
            env={
                "QUADLET_UNIT_DIRS": ":".join((str(copy), *_OTHER_FOLDERS)),
                "SYSTEMD_LOG_TARGET": "console",
            },
            secret=True,
        )
        heading = f"---{unit or f'{file.stem}.service'}---\n"
        if heading not in done.stdout:
            raise NodeError("DEFINITION_REFUSED", f"{file}: {_complaint(done, file.name, str(copy))}")
        return done.stdout.split(heading, 1)[1].split("\n---", 1)[0].replace(str(copy), str(FOLDER))


def _copy_with(copy: Path, file: Path, text: str) -> None:
    """Copy FOLDER, with a quadlet of this text in it. Raises OSError.

    The rest counts too: volumes and networks that it names, and what is dropped into it. What links lead to
    is copied: below one that stayed a link, the text would be written into what it leads to.
    """
    if FOLDER.is_dir():
        shutil.copytree(FOLDER, copy, ignore=_left_out)
    place = copy / file.relative_to(FOLDER)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_text(text, encoding="utf-8", errors="surrogateescape")


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What there is no end to copy, or nothing: special files, links to nowhere, and to where they are in."""
    here = Path(folder)
    above = {one.resolve() for one in (here, *here.parents)}
    return {
        name
        for name in names
        if not ((here / name).is_file() or ((here / name).is_dir() and (here / name).resolve() not in above))
    }


def _complaint(done: commands.Result, name: str, copy: str) -> str:
    """What the generator says of a file, which names its key but not the values of other files."""
    lines = [line for line in done.stderr.splitlines() if name in line][:_LINES]
    said = " ".join(lines).replace(copy, str(FOLDER))
    return f"the node's own generator makes no unit of it: {said or 'it says nothing'}"
