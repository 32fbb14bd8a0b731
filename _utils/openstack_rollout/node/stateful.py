"""What serves data on a node beside the cloud's own workloads: a table, and how its rows are found.

A row is found by processes (those of containers are seen too), or by what the kernel serves. Who adds a row
makes its services workloads: such a node is not taken down as if it were empty. What no row names is looked
for as well (node/unknown_services.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from openstack_rollout.node import ceph_daemons, unknown_services
from openstack_rollout.vocabulary import UNKNOWN_SERVICE

#: as long as the kernel keeps a process' name
_LONGEST = 15


class Service(NamedTuple):
    """Something that serves data.

    kind (str): one that a drain can take is called as that drain. processes: how their names begin. served:
    what exists where the kernel serves something, as patterns under the root. exactly: whole names, of which
    others begin so. arguments: a name, and how an argument ends, for names that say nothing.
    """

    kind: str
    processes: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    exactly: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()


SERVICES = (
    Service("ceph", (*ceph_daemons.PROGRAMS, "rbd-mirror", "cephfs-mirror")),
    Service("swift", ("swift-object", "swift-account", "swift-container")),
    Service("nfs", ("nfsd", "ganesha.nfsd"), ("proc/fs/nfsd/clients/*",)),
    Service(
        "iscsi",
        ("tgtd", "istgt", "iscsi_trx", "tcmu-runner", "rbd-target-api"),
        ("sys/kernel/config/target/iscsi/*.*", "sys/kernel/scst_tgt/targets/iscsi/*.*"),
    ),
    Service("nvme_over_fabrics", ("nvmf_tgt", "spdk_tgt"), ("sys/kernel/config/nvmet/subsystems/*",)),
    Service("gluster", ("glusterd", "glusterfsd")),
    Service("drbd", ("drbd_w_", "drbd_r_"), ("sys/block/drbd*",)),
    Service("samba", ("smbd", "ctdbd")),
    Service("beegfs", ("beegfs-storage", "beegfs-meta", "beegfs-mgmtd")),
    Service("moosefs", ("mfschunkserver", "mfsmaster")),
    Service("seaweedfs", exactly=("weed",)),
    Service("file_server", ("vsftpd",), arguments=(("rsync", "--daemon"),)),
    Service("mail", ("dovecot",)),
    Service("lustre", (), ("proc/fs/lustre/obdfilter/*", "sys/fs/lustre/ost/*")),
    Service("object_store", ("minio",)),
    Service(
        "database",
        (
            *("mariadbd", "mysqld", "postgres", "mongod", "influxd", "clickhouse-serv", "slapd"),
            *("garbd", "cockroach"),
        ),
        exactly=("prometheus", "scylla"),
        arguments=(("java", ".CassandraDaemon"), ("java", ".Elasticsearch"), ("java", ".OpenSearch")),
    ),
    Service(
        "key_value_store",
        ("etcd", "consul", "redis-server", "valkey-server"),
        arguments=(("java", ".QuorumPeerMain"), ("vault", "server")),
    ),
    Service("message_broker", ("beam.smp", "nats-server"), arguments=(("java", "kafka.Kafka"),)),
)
#: what the control plane is made of, where its own guards see to it
OF_THE_CONTROL_PLANE = ("database", "key_value_store", "message_broker")

GUEST = "virtual_machine"  # one that Nova does not know
#: the processes that run a guest; others of QEMU, such as its agent in every guest, only begin alike
_HYPERVISORS = ("qemu-kvm", "kvm", "libvirt_lxc", "cloud-hypervisor"[:_LONGEST], "firecracker")
_EMULATORS = "qemu-system-"
#: what Nova gives each of its guests, in its firmware tables or as its name
_OF_NOVA = (
    *(b"product=OpenStack", b"manufacturer=OpenStack", b"family=Virtual Machine"),
    *(b"guest=instance-", b"--name\0instance-"),
)


def found(
    root: Path,
    control_plane: bool = False,
    harmless: Iterable[str] = (),
    container_called: Callable[[str], str] = lambda identity: "",
) -> dict[str, list[str]]:
    """The services that serve data here: {kind: what was found of it}.

    root (Path): /. control_plane (bool): whether this node is of it; what that is made of is left out then.
    harmless: programs, units and containers (globs) that are no service of an unknown kind. container_called:
    the name of the container with an id, "" for none.
    """
    running = list(ceph_daemons.processes(root / "proc"))
    kinds = {}
    known = {process for process, name in running if runs_guest(name)}
    for one in SERVICES:
        matching = dict(_matching(running, one))
        known |= matching.keys()
        seen = sorted(set(matching.values())) + _served(root, one.served)
        if seen and not (control_plane and one.kind in OF_THE_CONTROL_PLANE):
            kinds[one.kind] = seen
    if guests := sorted(_guest(process) for process, name in running if _foreign(process, name)):
        kinds[GUEST] = guests
    unknown = []
    for service in unknown_services.found(root, running, known, control_plane):
        container = container_called(service.container) if service.container else ""
        if not unknown_services.is_called(service, container, harmless):
            unknown.append(unknown_services.told(service, container))
    return kinds | ({UNKNOWN_SERVICE: unknown} if unknown else {})


def runs_guest(name: str) -> bool:
    """Whether a process of this name runs a virtual machine, of Nova's or another.

    name (str): as long as the kernel keeps it.
    """
    return name in _HYPERVISORS or name.startswith(_EMULATORS)


def _matching(running: Iterable[tuple[Path, str]], service: Service) -> Iterable[tuple[Path, str]]:
    """The processes that are of a service, and how each is told."""
    short = tuple(one[:_LONGEST] for one in service.processes)
    for process, name in running:
        if name in service.exactly or (short and name.startswith(short)):
            yield process, name
            continue
        endings = [ending for program, ending in service.arguments if program == name]
        words = _arguments(process).split(b"\0") if endings else []
        for one in endings:
            if any(word.endswith(one.encode()) for word in words):
                yield process, f"{name} {one}"


def _served(root: Path, patterns: Iterable[str]) -> list[str]:
    return sorted(f"/{path.relative_to(root)}" for pattern in patterns for path in root.glob(pattern))


def _foreign(process: Path, name: str) -> bool:
    """Whether a process is a guest that Nova did not start; those of the kernel have no arguments."""
    if not runs_guest(name):
        return False
    arguments = _arguments(process)
    return bool(arguments) and not any(mark in arguments for mark in _OF_NOVA)


def _guest(process: Path) -> str:
    words = _arguments(process).split(b"\0")
    for option, value in itertools.pairwise(words):
        if option in (b"-name", b"--name"):
            return value.decode(errors="replace").removeprefix("guest=").partition(",")[0]
    return f"process {process.name}"


def _arguments(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""  # it ended meanwhile
