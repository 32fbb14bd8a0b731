"""Services of kinds that nobody listed: what listens to others and keeps files makes a node no empty one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from openstack_rollout.node import stateful
from openstack_rollout.vocabulary import UNKNOWN_SERVICE
from tests.unit.processes import ANY, LAN, LOCAL, V6_ANY, V6_LOCAL, V6_MAPPED, Node

CONTAINER = "c0ffee" * 10 + "beef"
DATA = "/var/lib/some/data.db"


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def unknown(node, **more):
    return stateful.found(node.root, **more).get(UNKNOWN_SERVICE, [])


def test_a_service_that_nobody_listed_is_told_with_where_it_listens_and_what_it_writes(node):
    node.run("somedb", [("tcp", ANY, 8086), ("udp", LAN, 8089)], [DATA])
    assert stateful.found(node.root) == {
        UNKNOWN_SERVICE: [f"somedb of somedb.service on tcp 8086, udp 8089 with {DATA}"]
    }


@pytest.mark.parametrize(
    ("listens", "counts"),
    [
        *((("tcp", ANY, 1), True), (("tcp", LAN, 1), True), (("tcp", LOCAL, 1), False)),
        *((("tcp6", V6_ANY, 1), True), (("tcp6", V6_LOCAL, 1), False), (("tcp6", V6_MAPPED, 1), False)),
        *((("udp", ANY, 514), True), (("udp6", V6_ANY, 514), True), (("udp", LOCAL, 514), False)),
        *((("tcp", LAN, 40000, "01"), False), (("udp", LAN, 514, "01"), False)),  # connections to others
        (("udp", ANY, 45000), False),  # the kernel chose it: this one sends
    ],
)
def test_only_what_others_can_reach_counts(node, listens, counts):
    node.run("somedb", [listens], [DATA])
    assert bool(unknown(node)) is counts


@pytest.mark.parametrize(
    ("files", "counts"),
    [
        *(({"writes": [DATA]}, True), ({"reads": [DATA]}, False), ({}, False)),
        *(({"writes": [path]}, False) for path in ("/var/log/some/data.db", "/run/some/x", "/tmp/x.db")),
        *(({"writes": [path]}, False) for path in ("/srv/some.log", "/srv/some.log.1", "/srv/access_log")),
        *(({"writes": [path]}, False) for path in ("/srv/some.pid", "/srv/x/LOCK", "/var/lib/x/tmp/key")),
        *(({"writes": [path]}, False) for path in ("/srv/cache/x", "/srv/x (deleted)", "/dev/pts/1")),
        *(({"writes": [path]}, True) for path in ("/var/lib/x/000123.log", "/srv/catalog", "/home/a/b.db")),
        *(({"writes": [("/srv/memory/x.db", 24)]}, False), ({"writes": [("/srv/data/x.db", 25)]}, True)),
        *(({"writes": [("/srv/elsewhere/x.db", 99)]}, True),),  # of a mount that it does not see any more
        *(({"maps": [("/srv/data/x.mdb", "fd:01")]}, True), ({"maps": [("/srv/memory/x", "00:1a")]}, False)),
        *(({"maps": [("/var/log/x.mdb", "fd:01")]}, False), ({"maps": [("/dev/shm/x", "00:19")]}, False)),
    ],
)
def test_only_data_that_outlives_a_reboot_counts(node, files, counts):
    node.run("somedb", [("tcp", ANY, 8086)], **files)
    assert bool(unknown(node)) is counts


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, None) for name in ("sshd", "chronyd", "rsyslogd", "libvirtd", "virtqemud", "ovsdb-server")),
        *((name, None) for name in ("dnsmasq", "dockerd", "corosync", "pacemaker-remoted", "telegraf")),
        *((name, None) for name in ("nova-compute", "neutron-l3-agent", "prometheus-node-exporter")),
        ("master", ["/usr/libexec/postfix/master", "-w"]),
        ("python3", ["/usr/bin/python3", "/usr/bin/salt-minion"]),
        ("ruby", ["/usr/bin/ruby", "-Eascii-8bit:ascii-8bit", "/usr/sbin/fluentd", "--under-supervisor"]),
        ("python3", ["/usr/bin/python3", "-s", "-P", "/usr/bin/neutron-dhcp-agent"]),
        *((name, None) for name in ("pluto", "charon", "charon-systemd", "icinga2", "splunkd")),
        *((name, None) for name in ("metricbeat", "cmk-agent-ctl", "otelcol-contrib", "bareos-fd", "iscsid")),
        ("agent", ["/opt/datadog-agent/bin/agent/agent", "run"]),
        ("puppet", ["/opt/puppetlabs/puppet/bin/ruby", "/opt/puppetlabs/bin/puppet", "agent"]),
        ("qemu-kvm", ["/usr/bin/qemu-kvm", "-name", "guest=instance-0000001a,debug-threads=on"]),
    ],
)
def test_what_is_the_nodes_own_does_not_count(node, name, arguments):
    node.run(name, [("tcp", ANY, 8086)], [DATA], arguments=arguments, cgroup="/system.slice/x.service")
    assert stateful.found(node.root) == {}


def test_a_unit_that_is_harmless_does_not_count_whatever_its_program_is_called(node):
    node.run("python3", [("tcp", ANY, 8086)], [DATA], cgroup="/system.slice/collectd.service")
    assert unknown(node) == []


def test_what_is_known_is_told_once_and_on_a_control_plane_not_at_all(node):
    node.run("mariadbd", [("tcp", ANY, 3306)], [DATA], cgroup="/system.slice/mariadb.service")
    node.run("helper", [("tcp", ANY, 4444)], [DATA], cgroup="/system.slice/mariadb.service")
    node.run("java", [("tcp", ANY, 9042)], [DATA], arguments=["java", "x.CassandraDaemon"])
    assert list(stateful.found(node.root)) == ["database"]
    node.run("glance-api", [("tcp", ANY, 9292)], [DATA])
    assert len(unknown(node)) == 1
    assert stateful.found(node.root, control_plane=True) == {}


def test_one_process_of_a_service_listens_and_another_writes(node):
    node.run("front", [("tcp", ANY, 8086)], cgroup="/system.slice/some.service/a")
    node.run("store", writes=[DATA], cgroup="/system.slice/some.service/b")
    node.run("other", writes=[DATA], cgroup="/system.slice/other.service")
    assert unknown(node) == [f"front of some.service on tcp 8086 with {DATA}"]


def test_what_a_cluster_manager_starts_is_no_one_service(node):
    node.run("front", [("tcp", ANY, 8086)], cgroup="/system.slice/pacemaker.service")
    node.run("store", writes=[DATA], cgroup="/system.slice/pacemaker.service")
    assert unknown(node) == []


def test_containers_are_seen_by_name_and_those_of_the_catalogue_are_not(node):
    inside = f"/machine.slice/libpod-{CONTAINER}.scope/container"
    node.run("server", [("tcp", ANY, 8086)], cgroup=inside, net="net:[77]")
    node.run("writer", writes=[DATA], cgroup=inside, net="net:[77]")
    names = {CONTAINER: "wiki"}
    assert unknown(node, container_called=names.get) == [f"server of container wiki on tcp 8086 with {DATA}"]
    assert unknown(node, container_called=names.get, harmless=["nova_compute", "wiki"]) == []
    assert unknown(node, container_called=names.get, harmless=["nova_compute"])


@pytest.mark.parametrize("glob", ["somedb", "somedb.service", "some*", "python3", "serve.py"])
def test_the_operator_names_what_is_harmless(node, glob):
    arguments = ["python3", "/opt/serve.py"]
    node.run("python3", [("tcp", ANY, 8086)], [DATA], cgroup="/x/somedb.service", arguments=arguments)
    assert unknown(node) == [f"python3 serve.py of somedb.service on tcp 8086 with {DATA}"]
    assert unknown(node, harmless=[glob]) == []


def test_what_listens_in_a_namespace_of_neutron_is_neutrons(node):
    space = node.root / "run/netns/qdhcp-1"
    space.parent.mkdir(parents=True)
    space.touch()
    node.run("somedb", [("tcp", ANY, 8086)], [DATA], net=f"net:[{space.stat().st_ino}]")
    assert unknown(node) == []


def test_sockets_of_another_namespace_are_not_taken_for_those_of_the_node(node):
    node.run("somedb", [("tcp", LOCAL, 8086)], [DATA])
    node.run("wiki", [("tcp", ANY, 80)], net="net:[77]")
    assert unknown(node) == []


def test_a_process_that_ends_meanwhile_hides_no_other(node):
    gone = node.run("gone", [("tcp", ANY, 1)], [DATA])
    for one in (gone / "fd").iterdir():
        one.unlink()
    (gone / "fd").rmdir()
    node.run("somedb", [("tcp", ANY, 8086)], [DATA])
    assert len(unknown(node)) == 1


def test_what_is_told_is_short(node):
    listens = [("tcp", ANY, port) for port in (8086, 80, 443, 9000)]
    node.run("somedb", listens, ["/srv/" + "x" * 3000])
    (line,) = unknown(node)
    assert "on tcp 80, tcp 443, tcp 8086, … with /srv/xxx" in line and len(line) < 512


SERVER = """
import mmap, socket, sys
address, path, how = sys.argv[1:]
server = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
data = open(path, "w+b")
data.truncate(mmap.PAGESIZE)
if how == "mapped":
    kept = mmap.mmap(data.fileno(), mmap.PAGESIZE)
    data.close()
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def keeping():
    """A folder that is not of those which a reboot may empty."""
    home = next((one for one in (Path("/var/lib"), Path.home()) if os.access(one, os.W_OK)), None)
    if home is None or not Path("/proc/self/mountinfo").exists():
        pytest.skip("needs /proc, and a folder outside /tmp that it may write to")
    with tempfile.TemporaryDirectory(dir=home, prefix="openstack-rollout-test-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("address", "file", "how", "counts"),
    [
        *(("0.0.0.0", "data.db", "open", True), ("::", "data.db", "mapped", True)),
        *(("127.0.0.1", "data.db", "open", False), ("0.0.0.0", "some.log", "open", False)),
    ],
)
def test_real_processes(keeping, address, file, how, counts):
    script = keeping / "serve.py"
    script.write_text(SERVER)
    command = [sys.executable, str(script), address, str(keeping / file), how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        port = process.stdout.readline().strip()
        found = stateful.found(Path("/")).get(UNKNOWN_SERVICE, [])
        process.communicate("")
    ours = [line for line in found if line.endswith(f"with {keeping / file}")]
    assert len(ours) == counts and all(f"tcp {port}" in line and "serve.py" in line for line in ours)


def test_what_an_interpreter_is_told_is_no_script_of_another_program(node):
    arguments = ["/usr/bin/wiki", "-x", "/usr/sbin/fluentd"]
    node.run("wiki", [("tcp", ANY, 80)], [DATA], arguments=arguments)
    node.run("ruby", [("tcp", ANY, 81)], [DATA], arguments=["ruby", "-W0", "/srv/wiki.rb", "fluentd"])
    assert [one.split(" of ")[0] for one in unknown(node)] == ["wiki", "ruby wiki.rb"]


def test_a_control_planes_proxy_of_its_database_keeps_nothing_of_others(node):
    node.run("proxysql", [("tcp", ANY, 3306)], ["/var/lib/proxysql/proxysql.db"])
    assert stateful.found(node.root, control_plane=True) == {} and len(unknown(node)) == 1


def test_a_namespace_that_goes_meanwhile_hides_nothing(node, monkeypatch):
    (node.root / "run/netns").mkdir(parents=True)
    (node.root / "run/netns/qrouter-1").symlink_to("gone")
    monkeypatch.setattr(Path, "exists", lambda self: True)  # it was there when it was looked for
    node.run("somedb", [("tcp", ANY, 8086)], [DATA])
    assert len(unknown(node)) == 1
