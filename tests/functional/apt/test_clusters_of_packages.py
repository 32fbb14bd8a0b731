"""A Galera member and a RabbitMQ node that are Debian's packages: moved under their guards, for real.

The other member of each cluster is a unit of its own on the same machine, with another address or port. What
moves are the real packages under a higher version, with their real maintainer scripts.
"""

from __future__ import annotations

import pytest

from tests.lab import extra_debs, galera
from tests.lab.enclosure import wait_for

from .. import own_repository

pytestmark = pytest.mark.long  # SUITE=packages has three controllers of them
MOVED = ("galera-4", "rabbitmq-server")
UNITS = {"db": "mariadb.service", "broker": "rabbitmq-server.service"}
OTHERS = ("second-db.service", "second-broker.service")
_SECOND = """\
user = mysql
datadir = /var/lib/second-db
socket = /run/second-db/socket
pid-file = /run/second-db/pid
"""
_SECOND_DB = """\
[Service]
User=mysql
RuntimeDirectory=second-db
StateDirectory=second-db
ExecStart=/usr/sbin/mariadbd --defaults-file=/etc/second-db.cnf
"""
_SECOND_BROKER = """\
[Service]
User=rabbitmq
StateDirectory=second-broker
WorkingDirectory=/var/lib/second-broker
Environment=RABBITMQ_NODENAME=two@localhost RABBITMQ_NODE_PORT=5673 RABBITMQ_DIST_PORT=25673
Environment=RABBITMQ_MNESIA_BASE=/var/lib/second-broker RABBITMQ_LOG_BASE=/var/lib/second-broker
Environment=RABBITMQ_ENABLED_PLUGINS_FILE=/var/lib/second-broker/plugins
ExecStart=/usr/lib/rabbitmq/bin/rabbitmq-server
"""
#: root's account of the network: by the socket alone it would reach this member only
_ROOTS = "[client]\nuser = guard\npassword = lab\n"
_ACCOUNT = "".join(
    f"CREATE USER guard@'{host}' IDENTIFIED BY 'lab'; GRANT ALL ON *.* TO guard@'{host}';"
    for host in ("localhost", "127.0.0.%")
)


class Clusters:
    """A machine with both clusters, and releases that differ in two packages."""

    def __init__(self, node):
        self.node = node
        extra_debs.install(node.lab, "cmp1", extra_debs.MEMBERS)
        node.exec(["systemctl", "stop", *UNITS.values()])
        self._start_databases()
        self._start_brokers()
        shown = node.out(["dpkg-query", "--show", "--showformat=$${Package} $${Version}\\n", *MOVED])
        self.first = dict(line.split() for line in shown.splitlines())
        self.aim("1.0.3", self.first)
        node.converge()

    def aim(self, version, packages):
        """Have a release of that version, and make it the target."""
        like = self.node.releases["1.0.0"]
        own = {name: {"Debian": number} for name, number in packages.items()}
        self.node.lab.pillar.write_release(version, like["images"], like["packages"] | own)
        self.node.edit(target_version=version, services=services())

    def publish(self, suffix):
        """Offer both packages in a higher version; {name: that version}."""
        fetched = self.node.lab.home / "repositories/extra-debs"
        debs = [deb for name in MOVED for deb in fetched.glob(f"{name}_*.deb")]
        return own_repository.republish_debs(self.node, debs, suffix)

    def started(self, *units):
        """unit -> which start of it runs."""
        shown = {unit: self.node.out(["systemctl", "show", "-PInvocationID", unit]) for unit in units}
        assert all(shown.values()), shown
        return shown

    def state(self, *options):
        """What a member of the database calls itself, and the size of its cluster."""
        question = (
            "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN"
            " ('wsrep_local_state_comment', 'wsrep_cluster_size') ORDER BY VARIABLE_NAME"
        )
        done = self.node.exec(
            ["env", "HOME=/root", "mariadb", "-BN", *options, f"--execute={question}"], check=False
        )
        return done.stdout.split()

    def _start_databases(self):
        write(self.node, "/etc/mysql/mariadb.conf.d/99-lab.cnf", galera.options("one"))
        write(self.node, "/etc/second-db.cnf", galera.options("two") + _SECOND)
        write(self.node, "/etc/systemd/system/second-db.service", _SECOND_DB)
        self.node.exec(["galera_new_cluster"], timeout=300)
        assert wait_for(lambda: self.state()[1:] == ["Synced"], 120, 1), self.state()
        self.node.exec(["mariadb", f"--execute={_ACCOUNT}"])
        write(self.node, "/root/.my.cnf", _ROOTS)
        self.node.exec(["chmod", "600", "/root/.my.cnf"])
        self.node.exec(["systemctl", "daemon-reload"])
        self.node.exec(["systemctl", "start", "second-db.service"])
        there = ("--host=127.0.0.2",)
        assert wait_for(lambda: self.state(*there) == ["2", "Synced"], 180, 1), self.state(*there)

    def _start_brokers(self):
        write(self.node, "/etc/rabbitmq/rabbitmq-env.conf", "NODENAME=one@localhost\n")
        write(self.node, "/etc/systemd/system/second-broker.service", _SECOND_BROKER)
        self.node.exec(["systemctl", "daemon-reload"])
        self.node.exec(["systemctl", "start", UNITS["broker"]], timeout=600)
        self.node.exec(["systemctl", "start", "second-broker.service"])
        second = ["rabbitmqctl", "--quiet", "--node", "two@localhost"]

        def runs():
            return not self.node.exec([*second, "await_startup", "--timeout", "30"], check=False).returncode

        assert wait_for(runs, 300, 2), "the second broker does not run"
        for verb in (["stop_app"], ["reset"], ["join_cluster", "one@localhost"], ["start_app"]):
            self.node.exec([*second, *verb], timeout=300)


def services() -> dict:
    """What the operator says of them: the guards' own names, on a compute for want of a controller."""
    kinds = {"db": ("galera-4", "mariadb", "galera"), "broker": (MOVED[1], MOVED[1], "rabbitmq_cluster")}
    return {
        name: {
            "deploy": "package",
            "packages": {"Debian": [package]},
            "units": {"Debian": [unit]},
            "guard": guard,
            "roles": ["compute"],
            "stage": "services",
            "order": 10 * place,
            "health": {"timeout": 300},
            "enabled": True,
        }
        for place, (name, (package, unit, guard)) in enumerate(kinds.items(), 1)
    }


def write(node, path, text):
    node.exec(["tee", path], stdin=text)


@pytest.fixture(scope="module")
def clusters(node):
    return Clusters(node)


def test_each_guard_asks_its_cluster_on_the_node_itself(node, clusters):
    assert node.status()["stages"]["services"] == "done"
    database = node.call("galera.status", UNITS["db"])
    assert database["members"] == {"127.0.0.1": "Synced", "127.0.0.2": "Synced"} and not database["lacks"]
    broker = node.call("rabbitmq_cluster.status", UNITS["broker"])
    assert broker["running"] == ["one@localhost", "two@localhost"] and not broker["lacks"], broker
    assert sorted(node.call("cluster_member.may_stop")) == sorted(UNITS.values())


def test_both_move_by_their_real_packages_and_are_members_again(node, clusters):
    newer = clusters.publish("+lab1")
    assert set(newer) == set(MOVED)
    before, others = clusters.started(*UNITS.values()), clusters.started(*OTHERS)
    clusters.aim("1.0.4", newer)
    node.converge("openstack.prefetch")
    answer = node.apply("openstack.services")
    said = {name: answer[f"services service {name}"]["changes"]["units"]["said"] for name in UNITS}
    assert "one is synced again, one of 2" in said["db"] and "SST" not in said["db"], said
    assert "one@localhost runs again, one of 2" in said["broker"], said
    after = clusters.started(*UNITS.values())
    assert all(after[unit] != before[unit] for unit in before) and clusters.started(*OTHERS) == others
    assert clusters.state() == ["2", "Synced"]
    assert node.status()["deployed"] == "1.0.4" and node.predict("openstack.services") == set()


def test_a_cluster_that_cannot_spare_the_member_keeps_it_and_its_packages(node, clusters):
    node.exec(["systemctl", "stop", "second-db.service"])
    before = clusters.started(UNITS["db"])
    clusters.aim("1.0.5", clusters.publish("+lab2"))
    node.converge("openstack.prefetch")
    assert node.failure("openstack.services").startswith("QUORUM_AT_RISK: ")
    assert clusters.started(UNITS["db"]) == before
    assert node.out(["dpkg-query", "--show", "--showformat=$${Version}", "galera-4"]).endswith("+lab1")
    node.exec(["systemctl", "start", "second-db.service"])
    assert wait_for(lambda: clusters.state() == ["2", "Synced"], 180, 1), clusters.state()
    node.converge("openstack.services")
    assert node.status()["deployed"] == "1.0.5"
