"""What serves data on a node: by processes, by what the kernel serves, and guests that Nova does not know."""

from __future__ import annotations

import pytest

from openstack_rollout.node import stateful

NOVA = [
    "/usr/bin/qemu-system-x86_64", "-name", "guest=one,debug-threads=on", "-smbios",
    "type=1,manufacturer=Somebody,product=Their Cloud,family=Virtual Machine",
]  # fmt: skip
FOREIGN = ["/usr/bin/qemu-system-x86_64", "-name", "guest=firewall,debug-threads=on", "-m", "1024"]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc").mkdir()
    return tmp_path


def run(root, name, arguments=("x",)):
    place = root / "proc" / str(1000 + len(list((root / "proc").iterdir())))
    place.mkdir()
    (place / "comm").write_text(f"{name[:15]}\n")
    (place / "cmdline").write_bytes(b"\0".join(word.encode() for word in arguments))


@pytest.mark.parametrize(
    ("process", "kind"),
    [
        *(("ceph-osd", "ceph"), ("ceph-mon", "ceph"), ("radosgw", "ceph"), ("swift-object-server", "swift")),
        *(("swift-container-server", "swift"), ("nfsd", "nfs"), ("ganesha.nfsd", "nfs"), ("tgtd", "iscsi")),
        *(
            ("glusterfsd", "gluster"),
            ("drbd_w_r0", "drbd"),
            ("mariadbd", "database"),
            ("minio", "object_store"),
        ),
    ],
)
def test_a_process_tells_what_is_served(root, process, kind):
    run(root, process)
    run(root, "sshd")
    assert stateful.found(root) == {kind: [process[:15]]}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("sys/kernel/config/target/iscsi/iqn.2003-01.org.linux-iscsi.sto1", "iscsi"),
        ("sys/kernel/config/nvmet/subsystems/one", "nvme_over_fabrics"),
        ("sys/block/drbd0", "drbd"),
    ],
)
def test_what_the_kernel_serves_is_seen_without_a_process(root, path, kind):
    (root / path).mkdir(parents=True)
    assert stateful.found(root) == {kind: [f"/{path}"]}


def test_a_kernel_that_could_serve_and_does_not_is_empty(root):
    (root / "sys/kernel/config/target/iscsi/discovery_auth").mkdir(parents=True)
    for name in ("swift-proxy-server", "kworker/0:1", "ceph-crash", "ovs-vswitchd"):
        run(root, name)
    assert stateful.found(root) == {}


def test_guests_that_nova_does_not_know_are_told_and_its_own_are_not(root):
    run(root, "qemu-system-x86_64", NOVA)
    run(root, "qemu-kvm", ["qemu-kvm", "-name", "guest=instance-0000001a,debug-threads=on"])
    run(root, "kvm-nx-lpage-re", [])
    assert stateful.found(root) == {}
    run(root, "qemu-system-x86_64", FOREIGN)
    assert stateful.found(root) == {stateful.GUEST: ["firewall"]}


def test_the_control_plane_is_not_told_of_what_it_is_made_of(root):
    for name in ("mariadbd", "beam.smp", "etcd", "ceph-mon"):
        run(root, name)
    assert set(stateful.found(root)) == {"database", "message_broker", "key_value_store", "ceph"}
    assert set(stateful.found(root, control_plane=True)) == {"ceph"}
