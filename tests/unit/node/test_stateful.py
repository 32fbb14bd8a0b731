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
        *(
            ("rbd-mirror", "ceph"),
            ("cephfs-mirror", "ceph"),
            ("tcmu-runner", "iscsi"),
            ("rbd-target-api", "iscsi"),
        ),
        *(("ctdbd", "samba"), ("beegfs-storage/Main", "beegfs"), ("mfschunkserver", "moosefs")),
        *(("weed", "seaweedfs"), ("garbd", "database"), ("scylla", "database"), ("cockroach", "database")),
        *(("prometheus", "database"), ("nats-server", "message_broker"), ("vsftpd", "file_server")),
        ("dovecot", "mail"),
    ],
)
def test_a_process_tells_what_is_served(root, process, kind):
    run(root, process)
    run(root, "sshd")
    assert stateful.found(root) == {kind: [process[:15]]}


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("java", ["-Xmx1g", "org.apache.cassandra.service.CassandraDaemon"], "database"),
        ("java", ["-m", "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch"], "database"),
        ("java", ["-cp", "x", "org.opensearch.bootstrap.OpenSearch", "-d"], "database"),
        ("java", ["org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"], "key_value_store"),
        ("java", ["kafka.Kafka", "server.properties"], "message_broker"),
        ("vault", ["server", "-config=/etc/vault.d"], "key_value_store"),
        ("rsync", ["--daemon", "--no-detach"], "file_server"),
    ],
)
def test_arguments_tell_what_a_name_does_not(root, name, arguments, kind):
    run(root, name, [f"/usr/bin/{name}", *arguments])
    assert list(stateful.found(root)) == [kind]


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
    for name in ("swift-proxy-server", "kworker/0:1", "ceph-crash", "ovs-vswitchd", "beegfs-helperd/Main"):
        run(root, name)
    for name in ("prometheus-node-exporter", "qemu-ga", "qemu-pr-helper", "qemu-nbd", "qemu-img"):
        run(root, name)
    run(root, "java", ["java", "-jar", "jenkins.war"])
    run(root, "vault", ["vault", "agent"])
    run(root, "rsync", ["rsync", "-a", "/", "backup:/"])
    assert stateful.found(root) == {}


def test_guests_that_nova_does_not_know_are_told_and_its_own_are_not(root):
    run(root, "qemu-system-x86_64", NOVA)
    run(root, "qemu-kvm", ["qemu-kvm", "-name", "guest=instance-0000001a,debug-threads=on"])
    run(root, "kvm-nx-lpage-re", [])
    assert stateful.found(root) == {}
    run(root, "qemu-system-x86_64", FOREIGN)
    assert stateful.found(root) == {stateful.GUEST: ["firewall"]}


@pytest.mark.parametrize("name", ["libvirt_lxc", "cloud-hypervisor", "firecracker", "kvm"])
def test_guests_of_other_hypervisors_are_told_too(root, name):
    run(root, name, [name, "--name", "instance-0000001a"])
    assert stateful.found(root) == {}
    run(root, name, [name, "--name", "appliance"])
    assert stateful.found(root) == {stateful.GUEST: ["appliance"]}


def test_the_control_plane_is_not_told_of_what_it_is_made_of(root):
    for name in ("mariadbd", "beam.smp", "etcd", "ceph-mon"):
        run(root, name)
    assert set(stateful.found(root)) == {"database", "message_broker", "key_value_store", "ceph"}
    assert set(stateful.found(root, control_plane=True)) == {"ceph"}
