"""Paths of a node where no configuration file of a service belongs: data.

A path is that of a file. Whoever rendered one of these would change who may log in, what the node runs, or
what an update knows of itself.
"""

from __future__ import annotations

from openstack_rollout.declared.problems import shown

#: Folders that are there on every node, and so no file's place; below them is free.
_FOLDERS = frozenset(
    (
        "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc",
        "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64",  # noqa: S108
        "/usr/libexec", "/usr/local", "/usr/local/bin", "/usr/sbin", "/usr/share", "/var", "/var/lib",
        "/var/log", "/var/run", "/var/tmp", "/etc/containers",  # noqa: S108
    )
)  # fmt: skip
#: Nothing below these, nor they themselves.
_TREES = (
    "/proc", "/sys", "/dev", "/boot", "/run/systemd", "/var/run/systemd", "/etc/systemd",
    "/usr/lib/systemd", "/lib/systemd", "/etc/containers/systemd", "/etc/salt", "/etc/ssh",
    "/root/.ssh", "/etc/pam.d", "/etc/sudoers.d", "/var/lib/openstack-rollout",
)  # fmt: skip
_FILES = frozenset(
    f"/etc/{name}" for name in ("passwd", "shadow", "group", "gshadow", "sudoers", "fstab", "machine-id")
)


def problem(path: str) -> str:
    """What is wrong with a normalised path as that of a file to render, "" for nothing."""
    tree = next((one for one in _TREES if path == one or path.startswith(f"{one}/")), "")
    if tree:
        return f"{shown(path)}: {tree} is the system's, render to another folder, such as /etc/openstack"
    if path in _FOLDERS:
        return f"{shown(path)} is a folder of the system: give the path of a file"
    if path in _FILES:
        return f"{shown(path)} is a file of the system: render to another one, such as below /etc/openstack"
    return ""
