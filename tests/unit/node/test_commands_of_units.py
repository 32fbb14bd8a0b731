"""Guards of services that are packages: they are given a unit, and the node may have no engine at all."""

from __future__ import annotations

import pytest

from openstack_rollout.node import unit_processes
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load
from tests.unit.modules import test_galera, test_ovsdb_cluster, test_rabbitmq_cluster
from tests.unit.modules.guards import clock, steps

ENGINES = ("podman", "docker")


def guard(name, commands, folder):
    """A guard on a node without an engine: whoever calls one fails, as on such a node."""

    def run_all(command, **options):
        assert command[0] not in ENGINES, command
        if command[0] == "systemctl":
            return Commands.__call__(commands, command, **options)
        return commands(command, **options)

    module = load("modules", name, salt={"cmd.run_all": run_all}, grains={"id": "ctl1"})
    module.time, module._STEPS = clock(), steps(folder)
    return module


@pytest.fixture
def running(tmp_path, monkeypatch):
    """Makes processes of units known: {unit: its command lines}."""
    monkeypatch.setattr(unit_processes, "PROC", tmp_path / "proc")
    (tmp_path / "proc").mkdir()

    def make(**units):
        for pid, (name, line) in enumerate(units.items(), 100):
            process = tmp_path / "proc" / str(pid)
            process.mkdir()
            (process / "cgroup").write_text(f"0::/system.slice/{name.replace('_', '-')}.service\n")
            (process / "cmdline").write_bytes(line.replace(" ", "\0").encode())

    return make


def test_a_database_is_asked_on_its_node_and_its_journal_says_how_it_came_back(tmp_path):
    cluster = test_galera.Cluster()
    cluster.journal = "WSREP: IST received: 1:2"
    module = guard("galera", cluster, tmp_path)
    token = module.before_stop("mariadb.service")
    assert token["member"] == "ctl1" and "SET GLOBAL wsrep_desync = ON" in " ".join(cluster.lines())
    said = module.after_start("mariadb.service", token, 60)
    assert said == "ctl1 is synced again, one of 3 by IST"
    assert any("--unit=mariadb.service" in command for command in cluster.ran)
    assert all(line[0] in ("mariadb", "journalctl") for line in cluster.ran)


def test_a_database_whose_server_is_away_is_told_without_an_engine(tmp_path, running):
    cluster = test_galera.Cluster()
    cluster.errors[""] = (1, "ERROR 2002 (HY000): Can't connect to local server through socket")
    module = guard("galera", cluster, tmp_path)
    assert module.may_stop("mariadb.service", 0) is None
    running(mariadb="/usr/sbin/mariadbd --wsrep_on=ON")
    assert module.progress("mariadb.service") is None  # systemd knows no process of it
    with pytest.raises(NodeError, match=r"does not answer"):
        module.after_start("mariadb.service", {"member": "ctl1", "size": 3, "begun": 1}, 1)


def test_a_broker_is_drained_by_the_tools_of_its_node(tmp_path):
    broker = test_rabbitmq_cluster.Broker()
    module = guard("rabbitmq_cluster", broker, tmp_path)
    token = module.before_stop("rabbitmq-server.service")
    assert token["node"] == "rabbit@ctl1"
    assert any(line.startswith("rabbitmq-upgrade --quiet --timeout 60 drain") for line in broker.lines())


def test_a_broker_that_runs_and_does_not_let_its_tools_in_is_not_taken_for_one_that_is_down(
    tmp_path, running
):
    broker = test_rabbitmq_cluster.Broker()
    broker.missing, broker.reached, broker.says = 69, False, "Error: unable to connect to node, nodedown"
    module = guard("rabbitmq_cluster", broker, tmp_path)
    assert module.may_stop("rabbitmq-server.service", 0) is None
    running(rabbitmq_server="/usr/lib/erlang/bin/beam.smp -W w")
    with pytest.raises(NodeError) as refused:
        module.may_stop("rabbitmq-server.service", 0)
    assert refused.value.reason == "CLIENT_FAILED"


def test_the_server_of_a_database_of_ovn_is_found_by_its_unit(tmp_path, running):
    server = test_ovsdb_cluster.Server()
    module = guard("ovsdb_cluster", server, tmp_path)
    assert module.may_stop("ovn-nb.service", 0) is None  # none runs
    line = f"ovsdb-server --unixctl={test_ovsdb_cluster.CONTROL} --remote=punix:/run/ovn/nb.sock db"
    running(ovn_nb=line)
    assert module.may_stop("ovn-nb.service", 0)["servers"] == 3
    assert ["ovs-appctl", "--timeout=10", "-t", test_ovsdb_cluster.CONTROL] in [one[:4] for one in server.ran]


@pytest.mark.parametrize(("state", "undone"), [("active", ["mariadb.service"]), ("inactive", [])])
def test_what_a_change_of_a_unit_that_died_has_left_is_put_right_where_it_runs(tmp_path, state, undone):
    done = []
    salt = {
        "openstack_node.guarded": lambda: {"mariadb.service": "galera"},
        "galera.pending": lambda name: {"begun": 1},
        "galera.undo": lambda name, token: done.append(name),
        "saltutil.is_running": lambda pattern: [],
        "cmd.run_all": Commands({"systemctl show --property=ActiveState --value mariadb.service": state}),
    }
    module = load("modules", "cluster_member", salt=salt, grains={"id": "ctl1"})
    assert module.put_right() == undone == done


def test_a_controller_that_is_a_unit_is_waited_for_until_it_has_ended(tmp_path):
    states = ["active", "active", "inactive"]

    def run_all(command, **options):
        assert command[0] not in ENGINES, command
        state = states.pop(0) if command[0] == "systemctl" else ""
        return {"retcode": 0, "stdout": state, "stderr": "", "pid": 1}

    module = load("modules", "ovn_controller", salt={"cmd.run_all": run_all}, grains={"id": "cmp1"})
    module._STEPS = steps(tmp_path)
    module._ask_to_exit("ovn-controller.service")
    assert states == []
