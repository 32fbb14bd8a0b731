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

    Raises NodeError DEFINITION_REFUSED with the generator's own line where it makes none.
    """
    program = next((one for one in _PROGRAMS if Path(one).exists()), None)
    if program is None:
        raise NodeError("DEFINITION_REFUSED", f"{file}: this node's podman has no quadlet generator")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "systemd"
        if FOLDER.is_dir():
            # The rest counts too: volumes and networks that it names, and what is dropped into it.
            shutil.copytree(FOLDER, copy, ignore_dangling_symlinks=True)
        place = copy / file.relative_to(FOLDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text, encoding="utf-8", errors="surrogateescape")
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


def _complaint(done: commands.Result, name: str, copy: str) -> str:
    """What the generator says of a file, which names its key but not the values of other files."""
    lines = [line for line in done.stderr.splitlines() if name in line][:_LINES]
    said = " ".join(lines).replace(copy, str(FOLDER))
    return f"the node's own generator makes no unit of it: {said or 'it says nothing'}"
