"""What has to be on a machine before its containers: the files and folders that they mount."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from tests.lab.cloud import Lab

#: files that other parts of a deployer write; any other path that is mounted is a folder
_FILES = frozenset({"/etc/localtime", "/etc/hosts"})
#: of the machine itself, its sockets and devices
_THERE = ("/dev", "/run/podman", "/run/dbus", "/var/run/dbus")


def provide(lab: Lab, node: str, volumes: Iterable[str]) -> None:
    """Make what these volumes mount, where it is missing: folders, and empty files.

    Args:
        lab: A lab that is up.
        node: The machine.
        volumes: As podman takes them: source:target[:options]; named volumes are podman's business.
    """
    sources = {volume.partition(":")[0] for volume in volumes if volume.startswith("/")}
    sources = {source for source in sources if not source.startswith(_THERE)}
    files = sorted(source for source in sources if source in _FILES or PurePosixPath(source).suffix)
    folders = {str(PurePosixPath(file).parent) for file in files} | (sources - set(files))
    if folders:
        lab.exec(node, ["mkdir", "--parents", *sorted(folders)])
    if files:
        lab.exec(node, ["touch", *files])
    for folder in sorted(folder for folder in folders if folder.startswith("/run/")):
        # of services that the lab has not; they make it at each boot
        name = folder.strip("/").replace("/", "-")
        write(lab, node, f"/etc/tmpfiles.d/lab-{name}.conf", f"d {folder} 0755 root root -\n")


def write(lab: Lab, node: str, path: str, content: str, mode: str = "0644") -> bool:
    """Write a file on a machine; whether its content is another than before."""
    before = lab.exec(node, ["cat", path], check=False)
    if before.returncode == 0 and before.stdout == content:
        return False
    lab.exec(node, ["mkdir", "--parents", str(PurePosixPath(path).parent)])
    lab.exec(node, ["dd", "status=none", f"of={path}"], stdin=content)
    lab.exec(node, ["chmod", mode, path])
    return True
