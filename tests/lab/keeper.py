"""The process that holds the lab's private namespaces, its bridges and its mounts.

It does nothing else: when it and all in its cgroup are killed, the kernel takes everything of the lab with
them. Used as a program (`unshare --mount --net python -m tests.lab.keeper READY`), which creates the file
READY when all is set up.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from . import settings


def main(ready: Path) -> None:
    """Set the namespaces up and hold them until killed."""
    # The host may have its cgroups in hybrid mode; systemd-nspawn and podman want the unified hierarchy
    # alone.
    _do("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    # nspawn's own bookkeeping must not stay on the host.
    Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/systemd/nspawn")
    # The lab's registry speaks plain HTTP: skopeo on the master is told as podman on the nodes is.
    registries = Path("/etc/containers/registries.conf.d")
    registries.mkdir(parents=True, exist_ok=True)
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(registries))
    shutil.copy(settings.HERE / "files/node" / str(registries).lstrip("/") / "lab.conf", registries)
    _do("ip", "link", "set", "lo", "up")
    for bridge in (settings.MANAGEMENT_BRIDGE, settings.UNDERLAY_BRIDGE, settings.EXTERNAL_BRIDGE):
        _do("ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", "stp_state", "0")
        _do("ip", "link", "set", bridge, "up")
    _do("ip", "address", "add", f"{settings.HOST_ADDRESS}/24", "dev", settings.MANAGEMENT_BRIDGE)
    _do("ip", "address", "add", f"{settings.OUTSIDE_ADDRESS}/24", "dev", settings.EXTERNAL_BRIDGE)
    ready.touch()
    while True:
        signal.pause()


def _do(*argv: str) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
