"""Run one machine of the lab: mount its root, start it, start it again when it reboots.

Used as a program (`python -m tests.lab.machine HOME NODE`) inside the lab's namespaces and the machine's own
cgroup, so that killing that cgroup is pulling the plug.
"""

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Collection
from pathlib import Path

from . import settings
from .packaged import configuration as packaged_configuration

_FILES = settings.HERE / "files" / "node"
#: beside them, where the machines share an image store
_STORE_FILES = settings.HERE / "files" / "openstack" / "node"
#: what a machine of plain Debian has beside or instead of those
_DEBIAN_FILES = settings.HERE / "files" / "debian"
#: what a machine has that tells a running kernel of its own
_KERNEL_FILES = settings.HERE / "files" / "kernel"
#: what a member of real clusters has, and the units that it runs
_CLUSTER_FILES = settings.HERE / "files" / "clusters" / "node"
_CLUSTER_UNITS = ("corosync.service", "pacemaker.service")
#: what a machine has whose services are packages, and what of that it starts itself, by role
_PACKAGED_FILES = settings.HERE / "files" / "packaged" / "node"
_PACKAGED_UNITS = {
    "controller": ("lab-network.service", "salt-minion.service", "lab-member-check.service", *_CLUSTER_UNITS),
}
#: what a machine of a Ceph has
_CEPH_FILES = settings.HERE / "files" / "ceph"
_ENABLED = (
    *("lab-network.service", "lab-underlay.service", "lab-chassis.service", "lab-workloads.service"),
    "salt-minion.service",
)
#: systemd-nspawn's exit status when its machine asked for a reboot
_REBOOT = 133
#: the last file that a machine's configuration writes
_CONFIGURED = "etc/lab/node"
_NAMESPACE = uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")


def main(home: Path, name: str) -> None:
    """Run the machine until it powers off or is killed."""
    cloud = json.loads((home / "lab.json").read_text())
    nodes = settings.PROFILES[cloud["profile"]]
    node = next(n for n in nodes if n.name == name)
    place = home / "nodes" / name
    root = place / "root"
    if not root.is_mount():
        _mount(place, _layers(cloud, node))
    if not (root / _CONFIGURED).exists():
        more = [_STORE_FILES] if cloud["store"] else []
        if node.debian:
            _stay_debian(root)
            more.append(_DEBIAN_FILES)
        if cloud["profile"] == settings.SYSTEM:
            more.append(_KERNEL_FILES)
        if cloud["profile"] == settings.CONTROLLERS:
            more.append(_CLUSTER_FILES)
        if cloud["profile"] == settings.CEPH:
            more.append(_CEPH_FILES)
        if cloud["profile"] in settings.PACKAGED and node.debian:
            more += [_PACKAGED_FILES, *([_CLUSTER_FILES] if node.role == "controller" else [])]
        _configure(root, node, nodes, more)
    while True:
        extra = _extra_interfaces(node)
        for interface in (f"vb-{name}", *extra):  # of a machine that was killed
            subprocess.run(["ip", "link", "delete", interface], capture_output=True, check=False)
        with (place / "console.log").open("ab") as console:
            nspawn = subprocess.Popen(
                _command(place, node, cloud["store"]),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        for interface, (_, bridge) in extra.items():
            _attach(interface, bridge, nspawn)
        if nspawn.wait() != _REBOOT:
            return


def _layers(cloud: dict, node: settings.Node) -> list[str]:
    """What the machine's root is an overlay over, the upper one first."""
    if cloud["role_layers"]:
        return cloud["role_layers"][node.role]
    # the upper one is that of the RPM packages
    return cloud["layers"][-1:] if node.debian else cloud["layers"]


def _mount(place: Path, layers: list[str]) -> None:
    for directory in ("upper", "work", "root", "containers"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    # volatile: nothing of the lab has to survive a power cut, and dnf alone syncs hundreds of times.
    options = f"lowerdir={':'.join(layers)},upperdir={place / 'upper'},workdir={place / 'work'},volatile"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(place / "root")], check=True)


def _stay_debian(root: Path) -> None:
    """Undo what makes the switch of the other machines one of RPM packages."""
    for name in ("openvswitch-switch.service", "ovsdb-server.service", "ovs-vswitchd.service"):
        (root / "etc/systemd/system" / name).unlink(missing_ok=True)
    if (root / "lib/systemd/system/openvswitch-switch.service").exists():
        enable = ["systemctl", f"--root={root}", "--quiet", "enable", "openvswitch-switch.service"]
        subprocess.run(enable, check=True)
    for path in (root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")):
        path.unlink(missing_ok=True)


def _configure(
    root: Path, node: settings.Node, nodes: tuple[settings.Node, ...], more: Collection[Path] = ()
) -> None:
    for files in (_FILES, *more):
        shutil.copytree(files, root, dirs_exist_ok=True)
    # Where there is no controller, the only machine is its own OVN central.
    centrals = [n for n in nodes if n.role == "controller"] or [nodes[0]]
    last = int(node.address.rsplit(".", 1)[1])
    lines = {
        "LAB_NODE": node.name,
        "LAB_ADDRESS": node.address,
        "LAB_UNDERLAY": node.underlay,
        "LAB_UNDERLAY_MAC": f"02:00:0a:59:00:{last:02x}",
        "LAB_OVN_REMOTE": ",".join(f"tcp:{n.address}:6642" for n in centrals),
    }
    hosts = [
        "127.0.0.1 localhost",
        f"{settings.HOST_ADDRESS} salt registry",
        *(f"{n.address} {n.name}" for n in nodes),
    ]
    files = {
        "etc/hosts": hosts,
        "etc/hostname": [node.name],
        "etc/machine-id": [uuid.uuid5(_NAMESPACE, node.name).hex],
        "etc/salt/minion_id": [node.name],
        # what a start of the switch sets as the chassis' name, each time
        "etc/openvswitch/system-id.conf": [node.name],
        _CONFIGURED: [f"{key}={value}" for key, value in lines.items()],
    }
    if node.role == "controller":
        members = " ".join(n.address for n in centrals)
        files["etc/ovn/cluster"] = [f"LOCAL={node.address}", f'MEMBERS="{members}"']
    packaged = _PACKAGED_FILES in more
    if packaged:
        files |= {path: [text] for path, text in packaged_configuration.files(node).items()}
    enabled = [
        *(_PACKAGED_UNITS.get(node.role, _ENABLED) if packaged else _ENABLED),
        *(["lab-kernel.service"] if _KERNEL_FILES in more else []),
        *(_CLUSTER_UNITS if _CLUSTER_FILES in more and not packaged else []),
        *(["ovn-central.service"] if node.role != "controller" and node in centrals else []),
    ]
    subprocess.run(["systemctl", f"--root={root}", "--quiet", "enable", *enabled], check=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(content) + "\n")


def _extra_interfaces(node: settings.Node) -> dict[str, tuple[str, str]]:
    """The machine's NICs beside host0: interface on the host → interface inside, bridge."""
    found = {f"vu-{node.name}": ("under0", settings.UNDERLAY_BRIDGE)}
    if node.role == "gateway":
        found[f"vx-{node.name}"] = ("ext0", settings.EXTERNAL_BRIDGE)
    return found


def _command(place: Path, node: settings.Node, store: str | None) -> list[str]:
    name = node.name
    return [
        *("systemd-nspawn", "--quiet", "--boot", f"--directory={place / 'root'}"),
        *(f"--machine={name}", f"--hostname={name}", "--register=no", "--keep-unit"),
        *("--link-journal=no", "--resolv-conf=off", "--timezone=off"),
        f"--network-bridge={settings.MANAGEMENT_BRIDGE}",
        *(f"--network-veth-extra={host}:{inside}" for host, (inside, _) in _extra_interfaces(node).items()),
        # podman inside needs keyrings, and bpf for the device rules of its containers
        *("--capability=all", "--system-call-filter=@keyring bpf perf_event_open", "--bind=/dev/net/tun"),
        # podman's overlay does not stack on an overlay
        f"--bind={place / 'containers'}:/var/lib/containers",
        *([f"--bind-ro={store}:{settings.IMAGE_STORE_IN_NODE}"] if store else []),
        f"--bind-ro={settings.CHECKOUT}:{settings.CHECKOUT_IN_NODE}",
    ]


def _attach(interface: str, bridge: str, nspawn: subprocess.Popen) -> None:
    """Put a NIC of the machine on its bridge as soon as nspawn made it."""
    command = ["ip", "link", "set", interface, "master", bridge, "up"]
    while subprocess.run(command, capture_output=True, check=False).returncode and nspawn.poll() is None:
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
