"""What machines are, as podman, rpm and their file systems tell: what a rollback has to bring back."""

from __future__ import annotations

from ... import proof

#: Files that no stage has to bring back: caches, databases of what runs, and what Salt keeps for itself.
_OF_NOBODY = (
    "/etc/.updated",
    "/etc/ld.so.cache",
    "/etc/mtab",
    "/etc/openvswitch/",
    "/etc/resolv.conf",
    "/etc/salt/",
    "/etc/udev/hwdb.bin",
)
#: Packages that are installed beside others of their name: a kernel that came stays, and is not used.
_BESIDE = "kernel"


def files(cloud, node: str) -> dict[str, tuple[str, str]]:
    """path → (permissions and owners, checksum) of what is below /etc: definitions, configuration, units."""
    listed = cloud.exec(node, ["find", "/etc", "-xdev", "-type", "f", "-printf", "%m %U %G %p\\n"]).stdout
    summed = cloud.exec(
        node, ["find", "/etc", "-xdev", "-type", "f", "-exec", "sha256sum", "{}", "+"], check=False
    ).stdout
    sums = {line[66:]: line[:64] for line in summed.splitlines()}
    found = {}
    for line in listed.splitlines():
        *rights, path = line.split(" ", 3)
        if not path.startswith(_OF_NOBODY):
            found[path] = " ".join(rights), sums.get(path, "gone")
    return found


def machines(cloud) -> dict[str, dict[str, dict]]:
    """What a rollback has to bring back, of every machine."""
    return {
        node: {
            "images": proof.running_digests(cloud, node),
            "packages": proof.installed(cloud, node),
            "files": files(cloud, node),
        }
        for node in cloud.nodes
    }


def differences(before: dict, after: dict) -> dict[str, dict[str, dict]]:
    """Node → images, packages or files → name → (before, after), of what is not as it was."""
    found: dict[str, dict[str, dict]] = {}
    for node, kinds in before.items():
        for kind, had in kinds.items():
            has = after[node][kind]
            for name in sorted(had.keys() | has.keys()):
                pair = had.get(name), has.get(name)
                stays = name.startswith(_BESIDE) and set(pair[0] or ()) <= set(pair[1] or ())
                if pair[0] != pair[1] and not (kind == "packages" and stays):
                    found.setdefault(node, {}).setdefault(kind, {})[name] = pair
    return found
